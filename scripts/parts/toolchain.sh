# shellcheck shell=bash disable=SC2034
# Finds a Swift toolchain of 6.2 or later and puts it first on the path.

# Where toolchains are besides the path: a tarball unpacked by hand, swiftly.
swift_places=(/opt/swift/usr/bin /usr/local/swift/usr/bin "$HOME/.local/share/swiftly/bin")

swift_version() {
  "$1" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9]*\.[0-9]*\).*/\1/p' | head -1
}

is_recent_swift() {
  local version major minor
  version=$(swift_version "$1")
  major=${version%%.*} minor=${version#*.}
  [ -n "$version" ] && { [ "$major" -gt 6 ] || { [ "$major" -eq 6 ] && [ "$minor" -ge 2 ]; }; }
}

find_swift() {
  local place
  if command -v swift > /dev/null && is_recent_swift swift; then return 0; fi
  for place in "${swift_places[@]}"; do
    if [ -x "$place/swift" ] && is_recent_swift "$place/swift"; then
      export PATH="$place:$PATH"
      return 0
    fi
  done
  return 1
}

# Every script builds the same way, so that one build serves all: programs that carry the Swift
# runtime (docs/decisions/0004-build-tests-and-server-once.md).
export GRANGE_STATIC=1

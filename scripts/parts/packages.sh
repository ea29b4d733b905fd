# shellcheck shell=bash disable=SC2034
# What Grange needs of the system, and how to get it on Debian and Ubuntu.

# To build: the C libraries that Package.swift names, and what a Swift toolchain links with.
build_packages=(
  binutils g++ git pkg-config libc6-dev libexpat1-dev libsqlite3-dev libssl-dev libzstd-dev
  # A toolchain unpacked from a tarball loads these.
  libcurl4 libedit2 libncurses6 libxml2 tzdata zlib1g
)

# To test: the clients, a certificate authority, disks whose power can be cut, system calls that fail.
test_packages=(
  ca-certificates curl e2fsprogs fuse3 iproute2 mount openssl procps python3 python3-venv rclone restic
  s3cmd s3fs strace util-linux
)

# Network registries fail now and then; an install that can be repeated is.
retry() {
  local try
  for try in 1 2 3; do
    if "$@"; then return 0; fi
    [ "$try" = 3 ] || sleep $((try * 5))
  done
  return 1
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || echo "$package"
  done
}

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  [ "$(id -u)" = 0 ] || { command -v sudo > /dev/null && sudo -n true 2>/dev/null; }
}

# ensure_packages install|check PACKAGE...
ensure_packages() {
  local mode=$1 missing
  shift
  if ! command -v dpkg-query > /dev/null; then
    ensure_libraries
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$mode" = install ] && may_install; then
    echo "installing: ${missing[*]}"
    export DEBIAN_FRONTEND=noninteractive
    retry as_root apt-get -q -o DPkg::Lock::Timeout=120 update > /dev/null &&
      retry as_root apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends \
        "${missing[@]}" > /dev/null && return 0
    echo "could not install: ${missing[*]}" >&2
    return 1
  fi
  echo "missing packages; as root: apt-get install ${missing[*]}" >&2
  return 1
}

# On other distributions names differ: what is missing is told by what it gives.
ensure_libraries() {
  local library missing=()
  for library in sqlite3 openssl libzstd expat; do
    pkg-config --exists "$library" 2>/dev/null || missing+=("$library")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "missing libraries (with headers and pkg-config files): ${missing[*]}" >&2
  return 1
}

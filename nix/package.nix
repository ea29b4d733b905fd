# Grange as a Nix package. `swiftpm` brings the build phase (`swift build -c release`).
#
# The Swift runtime is linked as a shared library here, as all of nixpkgs' libraries are.
{
  lib,
  stdenv,
  swift,
  swiftpm,
  pkg-config,
  expat,
  openssl,
  sqlite,
  zstd,
}:

stdenv.mkDerivation {
  pname = "grange";
  version = "0.1.0";

  # What the build reads, and no more: a change of a document builds nothing again.
  src = lib.cleanSourceWith {
    name = "grange-source";
    src = ../.;
    filter =
      path: _:
      let
        relative = lib.removePrefix (toString ../. + "/") path;
      in
      lib.any (top: relative == top || lib.hasPrefix (top + "/") relative) [
        "LICENSE"
        "Package.swift"
        "Sources"
        # The manifest names the test targets, so their folders must exist.
        "Tests"
      ];
  };

  strictDeps = true;
  nativeBuildInputs = [
    swift
    swiftpm
    pkg-config
  ];
  buildInputs = [
    expat
    openssl
    sqlite
    zstd
  ];

  swiftpmFlags = [
    "--product"
    "grange"
  ];

  # The program alone: SwiftPM's own install phase would look for every product.
  dontUseSwiftpmInstall = true;
  installPhase = ''
    runHook preInstall
    install -Dm755 "$(swiftpmBinPath)/grange" "$out/bin/grange"
    install -Dm644 LICENSE "$out/share/doc/grange/LICENSE"
    runHook postInstall
  '';

  # By default nixpkgs takes away what debuggers need, and leaves the names of functions: a third of the program.
  stripAllList = [ "bin" ];

  doInstallCheck = true;
  installCheckPhase = ''
    runHook preInstallCheck
    "$out/bin/grange" --version
    runHook postInstallCheck
  '';

  meta = {
    description = "Geo-distributed S3 object store for home servers";
    license = lib.licenses.agpl3Plus;
    mainProgram = "grange";
    platforms = [
      "x86_64-linux"
      "aarch64-linux"
    ];
  };
}

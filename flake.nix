{
  description = "Grange: a geo-distributed S3 object store for home servers";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      each = nixpkgs.lib.genAttrs systems;
    in
    {
      packages = each (system: rec {
        grange = nixpkgs.legacyPackages.${system}.callPackage ./nix/package.nix { };
        default = grange;
      });

      overlays.default = final: previous: { grange = final.callPackage ./nix/package.nix { }; };
    };
}

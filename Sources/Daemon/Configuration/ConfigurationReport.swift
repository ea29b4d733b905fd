// A configuration shown: for `grange config check` and for docs/configuration.md.

package import Codecs

extension LoadedConfiguration {
  /// The effective configuration as a TOML file, secrets masked, with where each value comes from.
  package var toml: String {
    var text = ""
    var section: String?
    for key in ConfigurationKey.all where isShown(key) {
      if key.section != section {
        section = key.section
        text += "\n[\(section ?? "")]\n"
      }
      let origin = origins[key.name].map { "   # \($0)" } ?? ""
      text += "\(key.localName) = \(shown(key))\(origin)\n"
    }
    return text
  }

  /// The same for programs: by key, its value as TOML and its origin.
  package var json: JSON {
    .object(
      ConfigurationKey.all.map { key in
        JSON.Member(
          key.name,
          [
            "value": .string(shown(key)), "origin": .string(origins[key.name] ?? "default"),
          ])
      })
  }

  private func shown(_ key: ConfigurationKey) -> String {
    let value = key.show(configuration)
    return key.isSecret && value != "\"\"" ? "\"***\"" : value
  }

  /// Of a secret and its file, the one that is used.
  private func isShown(_ key: ConfigurationKey) -> Bool {
    !key.name.hasSuffix("_file") || origins[key.name] != nil
  }
}

/// docs/configuration.md.
package enum ConfigurationPage {
  /// The page, made from the table of keys; a test compares it with the file.
  package static var markdown: String {
    var text = """
      # Configuration

      <!-- Made from Sources/Daemon/Configuration/ConfigurationKeys.swift: `grange config docs`. -->

      A node reads `/etc/grange.toml`, or the file named by `--config` or `GRANGE_CONFIG`. Every setting has a
      default, so an empty file will do. Flags win over the environment, the environment over the file, the
      file over the defaults. An unknown key in the file is an error; `grange config check` prints what is in
      effect, and where each value comes from.

      In the environment a setting is `GRANGE_`, its section and its name in capitals, as in the last column;
      lists are separated by commas. Secrets can be handed over in files of their own (`..._file`,
      `..._FILE`), which others must not be able to read, except where the platform sets the mode: below
      `$CREDENTIALS_DIRECTORY` and `/run/secrets`, and in a container's mounts. Sizes are powers of 1024
      (`K`, `M`, `G`, `T`), or of 1000 (`KB`, `MB`, ...).

      `--data DIR` stands for `metadata_dir = "DIR/meta"` and `data_dir = "DIR/data"`.

      The cluster's own settings (`replication`, `layout`, `consistency`) are taken from the file only when a
      cluster is made; afterwards the cluster keeps them.


      """
    var section: String??
    for key in ConfigurationKey.all {
      if section != .some(key.section) {
        section = .some(key.section)
        text += key.section.map { "\n## [\($0)]\n\n" } ?? ""
        text += "| key | default | what | environment |\n|---|---|---|---|\n"
      }
      text += "| `\(key.localName)` | `\(key.defaultTOML)` | \(key.summary). Takes "
      text += "\(key.expectation.split(separator: "|").joined(separator: "\\|")). "
      text += "| `\(key.environmentName)` |\n"
    }
    text += """

      ## Other variables

      | variable | what |
      |---|---|
      | `GRANGE_CONFIG` | The configuration file |
      | `GRANGE_SOCKET` | The admin socket that commands talk to |
      | `GRANGE_JOIN` or `GRANGE_JOIN_FILE` | The token of the cluster to join (`grange invite`); it may stay set once the node is a member |
      | `GRANGE_DEFAULT_ACCESS_KEY`, `GRANGE_DEFAULT_SECRET_KEY` (or `..._FILE`) | The access key that the first start creates |
      | `GRANGE_DEFAULT_BUCKET` | The bucket that the first start creates |
      | `GRANGE_EXPERIMENTAL_CLUSTER` | `1` lets nodes other than the founder store data, although this version does not copy everything yet (`grange layout assign` says what) |

      """
    return text
  }
}

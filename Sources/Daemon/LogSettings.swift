// Where and how the node logs.

package import Base
private import Glibc

/// Makes the output of logs that a configuration asks for.
package enum LogSettings {
  /// The output for `configuration`, on standard error.
  package static func output(
    _ configuration: Configuration, environment: [String: String]
  ) -> LogOutput {
    LogOutput(
      level: level(configuration.logLevel),
      format: format(configuration.logFormat, environment: environment))
  }

  static func level(_ setting: LogLevelSetting) -> LogLevel {
    switch setting {
    case .trace: .trace
    case .debug: .debug
    case .info: .info
    case .warning: .warning
    case .error: .error
    }
  }

  private static func format(
    _ setting: LogFormatSetting, environment: [String: String]
  ) -> LogOutput.Format {
    switch setting {
    case .plain: .plain
    case .journald: .journald
    case .json: .json
    case .automatic: isJournal(environment["JOURNAL_STREAM"], descriptor: 2) ? .journald : .plain
    }
  }

  /// Whether `descriptor` leads to the journal.
  ///
  /// systemd says `device:inode` of the stream that it gave; a program started from the service whose output goes
  /// elsewhere has the variable too (systemd.exec(5), "$JOURNAL_STREAM").
  static func isJournal(_ stream: String?, descriptor: Int32) -> Bool {
    var status = stat()
    guard let stream, fstat(descriptor, &status) == 0 else { return false }
    return stream == "\(status.st_dev):\(status.st_ino)"
  }
}

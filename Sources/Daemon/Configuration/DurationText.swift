// Durations as people write them in configuration files: `90s`, `30m`, `24h`, `7d`.

private import Base

extension Duration {
  private static let units: [(suffix: Character, seconds: Int64)] = [
    ("d", 86_400), ("h", 3600), ("m", 60), ("s", 1),
  ]

  /// Reads a whole number and one of the units `s`, `m`, `h`, `d`.
  package init?(text: String) {
    guard let unit = Self.units.first(where: { $0.suffix == text.last }),
      let number = Int64(digits: text.utf8.dropLast())
    else { return nil }
    let (seconds, overflow) = number.multipliedReportingOverflow(by: unit.seconds)
    if overflow { return nil }
    self = .seconds(seconds)
  }

  /// Whole seconds in the largest unit that leaves no fraction.
  package var text: String {
    let seconds = components.seconds
    let unit = Self.units.first { seconds > 0 && seconds % $0.seconds == 0 }
    return "\(seconds / (unit?.seconds ?? 1))\(unit?.suffix ?? "s")"
  }
}

// How many holders must answer.
//
// Every write quorum meets every read quorum, so that a read hears of what was acknowledged, and every other write
// quorum, so that of two writes one node saw both. Two holders are the exception to the majority: a write needs both
// of them, and any one can be read.

/// The quorums of a partition, by the number of its holders.
package enum Quorum {
  /// How many of `holders` (at least 1) must accept a write.
  package static func write(of holders: Int) -> Int { majority(of: holders) }

  /// How many of `holders` (at least 1) must answer a read.
  package static func read(of holders: Int) -> Int { holders == 2 ? 1 : majority(of: holders) }

  private static func majority(of holders: Int) -> Int {
    precondition(holders >= 1, "a partition has holders")
    return holders / 2 + 1
  }
}

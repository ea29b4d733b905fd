// Layout versions among the records.
//
// Who is a member depends on the layouts: on the number of the first one that lists an ending, its rank, and on who has a
// role in the newest one (Membership.swift). It is computed anew with each that comes in.

import Base
import Layout

extension ClusterState {
  mutating func take(_ record: LayoutRecord, _ pass: inout MergePass) -> MergeOutcome {
    let number = record.body.version.number
    guard number <= StateLimits.layoutsMax else { return .refused(.laterLayout(number)) }
    guard record.body.signer == founder else {
      return .refused(.layoutNotByFounder(record.body.signer))
    }
    guard heldLayouts[number] == nil else { return .refused(.otherLayout(number)) }
    do {
      try layouts.append(record.body.version)
    } catch {
      return .refused(.otherLayout(number))
    }
    heldLayouts[number] = record
    remember(.layout(record))
    // Those at a bound that come after it in this call count under it.
    setLayout(ranks: ranks, roles: layouts.current?.roles.map(\.node) ?? [])
    pass.isMembershipStale = false
    return .added(record.id, removed: [])
  }

  /// The number of the first version that lists each ending.
  private var ranks: [RecordID: Int] {
    var ranks: [RecordID: Int] = [:]
    for version in layouts.versions {
      for ending in version.endings where ranks[ending] == nil {
        ranks[ending] = Int(clamping: version.number)
      }
    }
    return ranks
  }
}

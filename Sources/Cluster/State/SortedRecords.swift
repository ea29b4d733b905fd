// Records in the order of a key, found by it.

/// A map whose order is that of its keys, whatever was put in first.
struct SortedRecords<Key: Comparable & Sendable, Record: Sendable>: Sendable {
  private(set) var keys: [Key] = []
  private(set) var records: [Record] = []

  var count: Int { keys.count }

  /// The record of `key`; setting it replaces, adds or removes.
  subscript(key: Key) -> Record? {
    get {
      let place = place(of: key)
      return place < keys.count && keys[place] == key ? records[place] : nil
    }
    set {
      let place = place(of: key)
      let isThere = place < keys.count && keys[place] == key
      switch (newValue, isThere) {
      case (let record?, true): records[place] = record
      case (let record?, false):
        keys.insert(key, at: place)
        records.insert(record, at: place)
      case (nil, true):
        keys.remove(at: place)
        records.remove(at: place)
      case (nil, false): break
      }
    }
  }

  /// Where `key` is or would be.
  private func place(of key: Key) -> Int {
    var (low, high) = (0, keys.count)
    while low < high {
      let middle = (low + high) / 2
      if keys[middle] < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

// The smallest mergeable thing: a value with the time at which it was set.

package import Tables

/// A value of which the one that was set last stays.
package struct Register<Value: Equatable & Sendable>: Equatable, Sendable {
  package var timestamp: Timestamp
  package var value: Value

  package init(_ value: Value, at timestamp: Timestamp) {
    self.timestamp = timestamp
    self.value = value
  }

  /// Sets the value at a time later than the last one, whatever `now` says.
  mutating func set(_ value: Value, now: Timestamp) {
    timestamp = max(now, timestamp.next)
    self.value = value
  }

  /// The register that was set last; of two set at the same time the one that `isAbove` says is above.
  func merged(_ other: Self, isAbove: (Value, Value) -> Bool) -> Self {
    if timestamp != other.timestamp { return timestamp > other.timestamp ? self : other }
    return isAbove(other.value, value) ? other : self
  }
}

/// Registers by name, sorted, of which each is merged by itself.
package struct RegisterMap<Key: Comparable & Sendable, Value: Equatable & Sendable>: Equatable,
  Sendable
{
  /// A register with its name.
  package struct Entry: Equatable, Sendable {
    package var key: Key
    package var register: Register<Value>

    package static func == (left: Entry, right: Entry) -> Bool {
      left.key == right.key && left.register == right.register
    }
  }

  /// Sorted by key; no key occurs twice.
  package var entries: [Entry] = []

  package static func == (left: Self, right: Self) -> Bool { left.entries == right.entries }

  subscript(key: Key) -> Register<Value>? {
    let index = position(of: key)
    return index < entries.count && entries[index].key == key ? entries[index].register : nil
  }

  /// Sets the value of `key`.
  package mutating func set(_ key: Key, _ value: Value, now: Timestamp) {
    let index = position(of: key)
    if index < entries.count, entries[index].key == key {
      entries[index].register.set(value, now: now)
    } else {
      entries.insert(Entry(key: key, register: Register(value, at: now)), at: index)
    }
  }

  /// Both maps in one; entries of a key that both have are merged.
  func merged(_ other: Self, isAbove: (Value, Value) -> Bool) -> Self {
    var result = Self()
    result.entries.reserveCapacity(max(entries.count, other.entries.count))
    var left = entries[...]
    var right = other.entries[...]
    while let a = left.first, let b = right.first {
      if a.key < b.key {
        result.entries.append(left.removeFirst())
      } else if b.key < a.key {
        result.entries.append(right.removeFirst())
      } else {
        let register = a.register.merged(b.register, isAbove: isAbove)
        result.entries.append(Entry(key: a.key, register: register))
        left.removeFirst()
        right.removeFirst()
      }
    }
    result.entries += left
    result.entries += right
    return result
  }

  private func position(of key: Key) -> Int {
    var low = 0
    var high = entries.count
    while low < high {
      let middle = (low + high) / 2
      if entries[middle].key < key { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

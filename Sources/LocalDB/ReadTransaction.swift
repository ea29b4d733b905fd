// Reading trees within one snapshot.

private import CSQLite

/// One snapshot of the database.
///
/// It is valid only inside of the body that it was handed to.
///
/// Thread safety: belongs to the thread that runs the body.
public class ReadTransaction {
  let connection: Connection

  init(_ connection: Connection) { self.connection = connection }

  /// The value at `key`, or `nil`.
  package final func get(_ tree: Tree, _ key: [UInt8]) throws -> [UInt8]? {
    try get(tree, key) { [UInt8]($0) }
  }

  /// What `body` makes of the value at `key`, or `nil` when there is none.
  ///
  /// The bytes are valid only in `body`.
  package final func get<Result>(
    _ tree: Tree, _ key: [UInt8], body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    guard tree.gathers else { return try key.withUnsafeBytes { try stored(tree, $0, body) } }
    let value = try gatheredValue(tree, key) {
      try key.withUnsafeBytes { try stored(tree, $0) { [UInt8]($0) } }
    }
    return try value?.withUnsafeBytes(body)
  }

  /// What `body` makes of the value at `key`, or `nil` when there is none.
  ///
  /// The bytes are valid only in `body`.
  package final func get<Result>(
    _ tree: Tree, _ key: UnsafeRawBufferPointer, body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    tree.gathers ? try get(tree, [UInt8](key), body: body) : try stored(tree, key, body)
  }

  /// The value of a tree that gathers, as this transaction sees it.
  ///
  /// - Parameter load: Reads it from the database, where only a writer's view can differ.
  func gatheredValue(
    _ tree: Tree, _ key: [UInt8], load: () throws -> [UInt8]?
  ) throws -> [UInt8]? { try load() }

  /// Called before a scan, which sees what is in the database.
  func willScan(_ tree: Tree) throws {}

  private func stored<Result>(
    _ tree: Tree, _ key: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) throws -> Result
  ) throws -> Result? {
    let statement = try connection.take(.get, tree)
    defer { connection.giveBack(statement, .get, tree) }
    try connection.bind(statement, 1, key)
    guard try connection.step(statement) else { return nil }
    return try body(connection.column(statement, 0))
  }

  /// Hands the pairs with `from <= key < to` to `body`, in the order of keys or the reverse, until
  /// it returns false, `limit` pairs are seen, or there are no more.
  ///
  /// The body may read any tree. It must not change this one: collect first, then change.
  ///
  /// - Parameter to: The first key that no longer belongs to the range; `nil` for none.
  package final func scan(
    _ tree: Tree, from: [UInt8] = [], to: [UInt8]? = nil, limit: Int = .max, reversed: Bool = false,
    body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Bool
  ) throws {
    guard limit > 0 else { return }
    try willScan(tree)
    let kind: Connection.Kind =
      switch (reversed, to) {
      case (false, nil): .forward
      case (false, _): .forwardBounded
      case (true, nil): .backward
      case (true, _): .backwardBounded
      }
    let statement = try connection.take(kind, tree)
    defer { connection.giveBack(statement, kind, tree) }
    try from.withUnsafeBytes { from in
      try connection.bind(statement, 1, from)
      guard let to else { return try walk(statement, limit, body) }
      try to.withUnsafeBytes { to in
        try connection.bind(statement, 2, to)
        try walk(statement, limit, body)
      }
    }
  }

  private func walk(
    _ statement: OpaquePointer, _ limit: Int,
    _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Bool
  ) throws {
    var left = limit
    while left > 0, try connection.step(statement) {
      left -= 1
      guard try body(connection.column(statement, 0), connection.column(statement, 1)) else {
        return
      }
    }
  }
}

// What a mixed load is mixed of.

/// Of a hundred requests, how many of each kind.
struct Mix: CustomStringConvertible {
  /// Reads lead, as they do in most stores; more puts than deletes, so that a store under it grows.
  static let usual = Mix(weights: [
    (.get, 60), (.put, 25), (.head, 5), (.list, 5), (.delete, 5),
  ])

  let weights: [(operation: Operation, weight: Int)]

  private init(weights: [(Operation, Int)]) { self.weights = weights }

  /// Reads `get=60,put=40`.
  init(_ text: String) throws(OptionError) {
    var weights: [(Operation, Int)] = []
    for word in text.split(separator: ",") {
      let parts = word.split(separator: "=")
      guard parts.count == 2, let operation = Operation(rawValue: String(parts[0])),
        Mix.usual.weights.contains(where: { $0.operation == operation }),
        let weight = Int(parts[1]), (0...1000).contains(weight)
      else { throw OptionError(message: "--mix is as \(Mix.usual)") }
      weights.append((operation, weight))
    }
    self.init(weights: weights)
    guard !wheel.isEmpty else { throw OptionError(message: "--mix is as \(Mix.usual)") }
  }

  /// Each operation as often as it weighs: a random element of it is a choice.
  var wheel: [Operation] {
    weights.flatMap { Array(repeating: $0.operation, count: $0.weight) }
  }

  var description: String {
    weights.map { "\($0.operation.rawValue)=\($0.weight)" }.joined(separator: ",")
  }
}

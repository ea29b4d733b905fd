import Base
import SimulatedWorld

/// Random choices that a seed repeats.
struct Seeded {
  let source: SeededRandom

  init(seed: UInt64) { source = SeededRandom(seed: seed) }

  func next() -> UInt64 { source.next() }
  func below(_ bound: Int) -> Int { source.below(bound) }
  func element<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}

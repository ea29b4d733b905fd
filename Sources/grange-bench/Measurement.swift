// A run, or for a fill as many as the heads of its requests need.

/// Heads are signed and kept for so many keys at a time: 100 MB, and at 10,000 a second a fifteenth of the time that a
/// signature is good for.
private let headsMax = 200_000
/// The puts of a mixed run are a fraction of it; should they be used up, the run ends early.
private let mixedPutsMax = 100_000

func measure(_ options: BenchmarkOptions) throws(OptionError) -> Summary {
  let bytes = ObjectBytes(prefix: options.prefix, sizeBytes: options.sizeBytes)
  var whole = Summary()
  for keys in batches(options) {
    var loop = LoadLoop(options, Workload(options, keys: keys), bytes)
    whole.add(try loop.run())
  }
  return whole
}

private func batches(_ options: BenchmarkOptions) -> [Range<Int>] {
  let count = options.objectCount
  switch options.operation {
  case .mixed: return [count..<(count + mixedPutsMax)]
  case .fill:
    return stride(from: 0, to: count, by: headsMax).map { $0..<min($0 + headsMax, count) }
  default: return [0..<min(count, headsMax)]
  }
}

// A run, or to go through all keys as many as the heads of its requests need.

/// A run's keys: 100 MB of heads.
private let headsMax = 200_000
/// So many at a time where there is no limit of keys: at 100 a second half the time that a signature is good for.
private let headsAtATimeMax = 50_000
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
  case .fill, .verify:
    return stride(from: 0, to: count, by: headsAtATimeMax).map {
      $0..<min($0 + headsAtATimeMax, count)
    }
  default: return [0..<min(count, headsMax)]
  }
}

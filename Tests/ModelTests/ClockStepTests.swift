import Base
import Blocks
import Model
import SimulatedWorld
import Tables
import Testing

/// A machine whose wall clock is set, by years, while something waits.
@Suite struct ClockStepTests {
  private static let years: Int64 = 20 * 365 * 86_400_000

  private static func step(_ world: ModelWorld, by milliseconds: Int64) {
    world.runtime.wallStart.milliseconds += milliseconds
  }

  @Test(arguments: [-years, years])
  func aReleaseWaitsItsDelay(step: Int64) throws {
    let world = ModelWorld(seed: 1)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.put(bucket, "k", noise(10_000, 1))
      try await node.put(bucket, "k", [1])
      Self.step(world, by: step)
      try await node.runtime.sleep(for: .seconds(59))
      #expect(try await node.store.releaser.releaseDue() == 0)
      #expect(try node.liveReferences().count == 3)
      try await node.runtime.sleep(for: .seconds(2))
      #expect(try await node.store.releaser.releaseDue() == 1)
      #expect(try node.liveReferences().isEmpty)
    }
  }

  @Test(arguments: [-years, years])
  func aReleaseWaitsItsDelayOverARestart(step: Int64) throws {
    let world = ModelWorld(seed: 2)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.put(bucket, "k", noise(10_000, 1))
      try await node.runtime.sleep(for: .seconds(1000))
      try await node.put(bucket, "k", [1])
    }
    Self.step(world, by: step)
    try world.run { node in
      #expect(try await node.store.releaser.releaseDue() == 0)
      try await node.runtime.sleep(for: .seconds(61))
      #expect(try await node.store.releaser.releaseDue() == 1)
    }
  }

  @Test(arguments: [-years, years])
  func anUploadIsDeadAfterADay(step: Int64) throws {
    let world = ModelWorld(seed: 3)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
      Self.step(world, by: step)
      try await node.runtime.sleep(for: .seconds(86_000))
      #expect(try await node.store.reaper.reap() == 0)
      try await node.runtime.sleep(for: .seconds(500))
      #expect(try await node.store.reaper.reap() == 1)
    }
  }

  @Test(arguments: [-years, years])
  func aWriteThatIsRenewedLives(step: Int64) throws {
    let world = ModelWorld(seed: 4)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let bytes = noise(60 * 4096)
      let body = Body(bytes, pieceBytes: 4096)
      node.store.start()
      // Two and a half days, with the step in the first hours.
      var hour = 0
      try await writer.append(
        from: { buffer in
          hour += 1
          if hour == 5 { Self.step(world, by: step) }
          try await node.runtime.sleep(for: .seconds(3600))
          return body.read(into: buffer)
        }, observe: { _ in })
      _ = try await writer.commit(ObjectMetadata())
      await node.store.stop()
      #expect(try await node.get(bucket, "k") == bytes)
    }
  }

  /// A machine that is switched off every night never runs for a day.
  @Test func shortRunsAddUp() throws {
    let world = ModelWorld(seed: 5)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let writer = node.store.objects.writer(bucket: bucket, key: try ObjectKey("k"))
      let body = Body(noise(9000), pieceBytes: 4096)
      try await writer.append(from: { body.read(into: $0) }, observe: { _ in })
    }
    var runs = 0
    while runs < 10, try world.run({ try $0.keys(of: "model_open").count }) == 1 {
      runs += 1
      // Every other run ends without a stop.
      let isStopped = runs % 2 == 0
      try world.run { node in
        node.store.start()
        try await node.runtime.sleep(for: .seconds(8 * 3600 + 60))
        if isStopped { await node.store.stop() }
      }
    }
    #expect(runs == 3 || runs == 4)
  }

  @Test func aDeletionBegunInTheFutureIsForgotten() throws {
    let world = ModelWorld(seed: 6)
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      try await node.store.buckets.parts.beginDeletion(of: bucket.id)
      Self.step(world, by: -Self.years)
      try await node.put(bucket, "k", [1])
      #expect(try await node.get(bucket, "k") == [1])
    }
  }

  /// Floors of partitions that lie years ahead, each at another time: rows of one batch cannot share a timestamp.
  @Test func blocksAreReferencedAndReleasedUnderFloorsAhead() throws {
    let world = ModelWorld(seed: 7, blockBytes: 512) { $0.partBytesMin = 1000 }
    let contents = (0..<6).map { noise(512, UInt64($0) + 1) }
    let bytes = contents.flatMap { $0 }
    try world.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      for content in contents {
        try await node.put(bucket, "floor", content)
        try await node.runtime.sleep(for: .seconds(3600))
      }
      _ = try await node.delete(bucket, "floor")
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      for partition in 0..<Partition.everywhere {
        _ = try await node.replica.collectTombstones(of: partition, upTo: .max)
      }

      Self.step(world, by: -Self.years)
      let id = try await node.store.uploads.create(
        bucket: bucket, key: ObjectKey("k"), metadata: ObjectMetadata())
      let part = try await node.putPart(bucket, "k", id, 1, bytes)
      _ = try await node.store.uploads.complete(
        bucket: bucket, key: ObjectKey("k"), id: id,
        parts: [CompletedPart(number: part.number, etag: part.etag)])
      try await node.settle()
      #expect(try await node.get(bucket, "k") == bytes)
      _ = try await node.delete(bucket, "k")
      try await node.settle()
      #expect(try node.liveReferences().isEmpty)
      #expect(try node.keys(of: "model_release").isEmpty)
    }
  }
}

// Many keys in folders that come and go, and clients that list them page by page through any node.

import Base
import SimulatedWorld

/// The workload of listings.
final class ListingWorkload: StorageWorkload, @unchecked Sendable {
  // Safe because only the world's one thread touches it.

  private static let bucket = "listings"
  private static let writerCount = 3
  private static let listerCount = 2
  /// Folders, one in another or with a name that begins as another's, and what sorts right before and behind them.
  private static let folders = ["", "a/", "a/b/", "a/b/c/", "a-", "a.b/", "a", "ab/", "z/"]
  private static let questions: [(prefix: String, delimiter: String)] = [
    ("", ""), ("", "/"), ("a", "/"), ("a/", "/"), ("a/b", "/"), ("a/b/", ""), ("", "b/"), ("z", ""),
    ("nothing", "/"), ("a", "."),
  ]
  /// Keys of one folder that are in use at a time; the listings stay short enough to be checked whole.
  private static let keysAFolder = 4

  private let cluster: StorageCluster
  private let random: SeededRandom
  private var history = ListingHistory()
  /// How often a key was given up for the next one: of one with an unknown change nothing is certain any more.
  private var generations: [String: Int] = [:]
  /// Changes under way.
  private var changing = 0
  private var values = 0

  init(_ cluster: StorageCluster) {
    self.cluster = cluster
    random = cluster.random(of: "listings")
  }

  func setUp() async throws {
    let client = cluster.makeClient(random)
    try await cluster.make(Self.bucket, client)
  }

  func start() {
    for _ in 0..<Self.writerCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) changes keys", client.random) { [self] in
        await change(client)
      }
    }
    for _ in 0..<Self.listerCount {
      let client = cluster.makeClient(random)
      cluster.client("\(client.name) lists", client.random) { [self] in
        try await list(client, on: nil)
      }
    }
  }

  // MARK: Changes

  private func change(_ client: SimulatedS3Client) async {
    let folder = Self.folders[client.random.below(Self.folders.count)]
    let place = "\(folder)\(client.random.below(Self.keysAFolder))"
    // "a0" is the first key that is not below "a/".
    let key = generations[place].map { "\(place).\($0)" } ?? place
    let node = cluster.anyNode(client.random)
    let isPut = client.random.below(3) > 0
    values += 1
    let value = "l\(values)"
    changing += 1
    let (outcome, span) = await cluster.observe(
      "\(client.name) at \(node.name) \(isPut ? "puts" : "deletes") \(key)"
    ) {
      isPut
        ? await client.put(value, Self.bucket, key, on: node)
        : await client.delete(Self.bucket, key, on: node)
    }
    changing -= 1
    switch outcome {
    case .refused: return
    case .unknown: generations[place, default: 0] += 1
    case .done: cluster.tally.count(isPut ? .puts : .deletes)
    }
    history.add(key, KeyChange(isPut: isPut, span: span))
  }

  // MARK: Listings

  /// Lists to the end, or until a page cannot be had; through any node for each page, unless one is given.
  private func list(_ client: SimulatedS3Client, on given: SimulatedNode?) async throws {
    let (prefix, delimiter) = Self.questions[client.random.below(Self.questions.count)]
    let question = ListingHistory.Question(
      prefix: prefix, delimiter: delimiter, keysMax: 1 + client.random.below(9))
    _ = try await list(client, question, on: given)
  }

  private func list(
    _ client: SimulatedS3Client, _ question: ListingHistory.Question, on given: SimulatedNode?
  ) async throws -> Bool {
    var (token, after): (String?, String?)
    repeat {
      let node = given ?? cluster.anyNode(client.random)
      let (asked, isBeside) = (token, changing > 0)
      let (outcome, span) = await cluster.observe(
        "\(client.name) at \(node.name) lists '\(question.prefix)' '\(question.delimiter)'"
      ) {
        await client.list(
          Self.bucket, prefix: question.prefix, delimiter: question.delimiter,
          keysMax: question.keysMax, token: asked, on: node)
      }
      guard let found = outcome.value else {
        cluster.tally.count(.brokenListings)
        return false
      }
      count(found, isContinued: token != nil, isBeside: isBeside)
      let page = ListingHistory.Page(
        question: question, after: after, keys: found.keys, commonPrefixes: found.commonPrefixes,
        isLast: found.next == nil, span: span)
      // Changes under way are noted when they end: the pages are judged in the end.
      pages.append(page)
      (token, after) = (found.next, page.entries.last ?? after)
    } while token != nil && pages.count < Self.pagesMax
    return true
  }

  private var pages: [ListingHistory.Page] = []
  /// Beyond it a listing goes in circles.
  private static let pagesMax = 20_000

  private func count(_ page: SimulatedS3Client.Page, isContinued: Bool, isBeside: Bool) {
    cluster.tally.count(.pages)
    if isContinued { cluster.tally.count(.continuedPages) }
    if isBeside { cluster.tally.count(.pagesBesideChanges) }
    cluster.tally.count(.commonPrefixes, by: page.commonPrefixes.count)
  }

  // MARK: End

  func check() async throws {
    let client = cluster.makeClient(random)
    for node in cluster.nodes {
      for (prefix, delimiter) in Self.questions {
        let question = ListingHistory.Question(prefix: prefix, delimiter: delimiter, keysMax: 7)
        try await cluster.insist("'\(prefix)' cannot be listed through \(node.name)") {
          let isWhole = (try? await list(client, question, on: node)) ?? false
          return isWhole ? S3Outcome<Void>.done(()) : .unknown("a page is missing")
        }
      }
    }
    for page in pages {
      if let violation = history.violation(of: page) {
        throw SimulationFailure("listing: \(violation)")
      }
    }
  }
}

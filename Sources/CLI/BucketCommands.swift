// `grange bucket ...`.

import Base
import Codecs

enum BucketCommands {
  private static let key = Option(
    "--key", "KEY", "the access key: its ID, its name, or how one of them begins")
  private static let read = Option("--read", nil, "reading and listing objects")
  private static let write = Option("--write", nil, "writing and deleting objects")
  private static let owner = Option("--owner", nil, "changing and deleting the bucket")
  private static let local = Option("--local", "KEY", "a name that only this access key sees")
  private static let maxSize = Option(
    "--max-size", "SIZE", "how much it may hold, such as 50G; none for no limit")
  private static let maxObjects = Option(
    "--max-objects", "N", "how many objects it may hold; none for no limit")
  private static let yes = Option("--yes", nil, "do not ask; accepted for scripts")

  static let all: [Command] = [
    Command("bucket list", [], [], "Lists the buckets", run: list),
    Command(
      "bucket info", ["BUCKET"], [], "Shows a bucket: its names, size and who may use it", run: info
    ),
    Command("bucket create", ["NAME"], [local], "Creates a bucket", run: create),
    Command("bucket delete", ["BUCKET"], [yes], "Deletes an empty bucket", run: delete),
    Command(
      "bucket allow", ["BUCKET"], [key, read, write, owner],
      "Gives an access key rights in a bucket"
    ) { try await change("AllowBucketKey", $0) },
    Command(
      "bucket deny", ["BUCKET"], [key, read, write, owner],
      "Takes rights in a bucket from an access key"
    ) { try await change("DenyBucketKey", $0) },
    Command(
      "bucket alias", ["BUCKET", "NAME"], [local], "Gives a bucket one more name", run: alias),
    Command("bucket unalias", ["NAME"], [local], "Takes a name from a bucket", run: unalias),
    Command(
      "bucket quota", ["BUCKET"], [maxSize, maxObjects], "Limits what a bucket may hold", run: quota
    ),
  ]

  private static func list(_ context: CommandContext) async throws -> Int32 {
    context.show(try await context.admin.get("ListBuckets")) { buckets in
      var table = TextTable(["ID", "CREATED", "NAMES", "NAMES OF KEYS"])
      for bucket in buckets.array ?? [] {
        let names = bucket["globalAliases"]?.array?.compactMap(\.string) ?? []
        let own = (bucket["localAliases"]?.array ?? []).map {
          "\($0["accessKeyId"]?.string ?? ""):\($0["alias"]?.string ?? "")"
        }
        table.add([
          String((bucket["id"]?.string ?? "").prefix(16)), day(bucket["created"]),
          names.joined(separator: ", "), own.joined(separator: ", "),
        ])
      }
      return table.text
    }
    return 0
  }

  private static func info(_ context: CommandContext) async throws -> Int32 {
    let bucket = try await find(context.operand(0), context)
    context.show(bucket, describe)
    return 0
  }

  private static func create(_ context: CommandContext) async throws -> Int32 {
    let name = JSON.string(context.operand(0))
    var body: JSON = ["globalAlias": name]
    if let local = context.arguments.value(local) {
      let key = try await KeyCommands.find(local, context)
      body = ["localAlias": ["accessKeyId": key["accessKeyId"] ?? .null, "alias": name]]
    }
    let bucket = try await context.admin.post("CreateBucket", [], body)
    context.show(bucket) { _ in "Created the bucket \(context.operand(0))." }
    return 0
  }

  private static func delete(_ context: CommandContext) async throws -> Int32 {
    let bucket = try await find(context.operand(0), context, isCertain: true)
    let id = bucket["id"]?.string ?? ""
    _ = try await context.admin.post("DeleteBucket", [FormField("id", id)])
    context.show(["id": .string(id)]) { _ in "Deleted the bucket \(context.operand(0))." }
    return 0
  }

  private static func quota(_ context: CommandContext) async throws -> Int32 {
    let size = context.arguments.value(maxSize)
    let objects = context.arguments.value(maxObjects)
    guard size != nil || objects != nil else {
      throw UsageError("say which limit: --max-size, --max-objects")
    }
    let newSize = try size.map { try limit($0, maxSize, ByteSize.parse) }
    let newObjects = try objects.map { try limit($0, maxObjects) { UInt64($0) } }
    let bucket = try await find(context.operand(0), context)
    let held = bucket["quotas"]
    let changed = try await context.admin.post(
      "UpdateBucket", [FormField("id", bucket["id"]?.string ?? "")],
      [
        "quotas": [
          "maxSize": newSize ?? held?["maxSize"] ?? .null,
          "maxObjects": newObjects ?? held?["maxObjects"] ?? .null,
        ]
      ])
    context.show(changed, describe)
    return 0
  }

  /// A limit as the admin interface takes it.
  private static func limit(
    _ text: String, _ option: Option, _ parse: (String) -> UInt64?
  ) throws(UsageError) -> JSON {
    if text == "none" { return .null }
    guard let count = parse(text), count <= Int64.max else {
      throw UsageError("\(option.name) takes \(option.value ?? "") or none, not '\(text)'")
    }
    return .count(count)
  }

  private static func change(_ operation: String, _ context: CommandContext) async throws -> Int32 {
    guard let name = context.arguments.value(key) else { throw UsageError("--key is missing") }
    let flags = [("read", read), ("write", write), ("owner", owner)].filter {
      context.arguments.has($0.1)
    }
    guard !flags.isEmpty else {
      throw UsageError("say which rights: --read, --write, --owner")
    }
    let bucket = try await find(context.operand(0), context)
    let key = try await KeyCommands.find(name, context)
    let changed = try await context.admin.post(
      operation, [],
      [
        "bucketId": bucket["id"] ?? .null, "accessKeyId": key["accessKeyId"] ?? .null,
        "permissions": .object(flags.map { JSON.Member($0.0, true) }),
      ])
    context.show(changed, describe)
    return 0
  }

  private static func alias(_ context: CommandContext) async throws -> Int32 {
    let bucket = try await find(context.operand(0), context)
    let changed = try await context.admin.post(
      "AddBucketAlias", [],
      try await aliasChange(bucket, name: context.operand(1), context))
    context.show(changed, describe)
    return 0
  }

  private static func unalias(_ context: CommandContext) async throws -> Int32 {
    let name = context.operand(0)
    var bucket = JSON.null
    if let local = context.arguments.value(local) {
      let key = try await KeyCommands.find(local, context)
      let buckets = key["buckets"]?.array ?? []
      bucket = buckets.first { $0["localAliases"]?.array?.contains(.string(name)) == true } ?? .null
      guard !bucket.isNull else {
        throw CommandFailure("the access key \(local) has no bucket of its own called \(name)")
      }
    } else {
      bucket = try await context.admin.get("GetBucketInfo", [FormField("globalAlias", name)])
    }
    let changed = try await context.admin.post(
      "RemoveBucketAlias", [], try await aliasChange(bucket, name: name, context))
    context.show(changed, describe)
    return 0
  }

  private static func aliasChange(
    _ bucket: JSON, name: String, _ context: CommandContext
  ) async throws -> JSON {
    let id = bucket["id"] ?? .null
    guard let local = context.arguments.value(local) else {
      return ["bucketId": id, "globalAlias": .string(name)]
    }
    let key = try await KeyCommands.find(local, context)
    return [
      "bucketId": id, "localAlias": .string(name), "accessKeyId": key["accessKeyId"] ?? .null,
    ]
  }

  private static func find(
    _ name: String, _ context: CommandContext, isCertain: Bool = false
  ) async throws -> JSON {
    try await context.admin.get(
      "GetBucketInfo", [FormField("search", name), FormField("certain", "\(isCertain)")])
  }

  private static func describe(_ bucket: JSON) -> String {
    let names = bucket["globalAliases"]?.array?.compactMap(\.string) ?? []
    let quotas = bucket["quotas"]
    let objectsMax = quotas?["maxObjects"]?.integer.map { " of at most \($0)" } ?? ""
    let bytesMax =
      quotas?["maxSize"]?.integer == nil ? "" : " of at most \(size(quotas?["maxSize"]))"
    let unfinishedBytes = bucket["unfinishedMultipartUploadBytes"]
    let unfinished =
      unfinishedBytes?.integer ?? 0 > 0 ? ", which hold \(size(unfinishedBytes))" : ""
    var text = """
      ID:                  \(bucket["id"]?.string ?? "")
      Names:               \(TextTable.harmless(names.joined(separator: ", ")))
      Created:             \(bucket["created"]?.string ?? "")
      Objects:             \(bucket["objects"]?.integer ?? 0)\(objectsMax)
      Size:                \(size(bucket["bytes"]))\(bytesMax)
      Unfinished uploads:  \(bucket["unfinishedUploads"]?.integer ?? 0)\(unfinished)
      """
    let keys = bucket["keys"]?.array ?? []
    guard !keys.isEmpty else { return text }
    var table = TextTable(["ACCESS KEY", "NAME", "RIGHTS", "OWN NAMES"])
    for key in keys {
      table.add([
        key["accessKeyId"]?.string ?? "", key["name"]?.string ?? "", rights(key["permissions"]),
        key["bucketLocalAliases"]?.array?.compactMap(\.string).joined(separator: ", ") ?? "",
      ])
    }
    text += "\n\n" + table.text
    return text
  }

  private static func size(_ bytes: JSON?) -> String {
    ByteSize.describe(UInt64(clamping: bytes?.integer ?? 0))
  }

  /// `read,write` or `-`.
  static func rights(_ permissions: JSON?) -> String {
    let held = ["read", "write", "owner"].filter { permissions?[$0]?.bool == true }
    return held.isEmpty ? "-" : held.joined(separator: ",")
  }

  /// The day of a date.
  static func day(_ date: JSON?) -> String { String((date?.string ?? "").prefix(10)) }
}

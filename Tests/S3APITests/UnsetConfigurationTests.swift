import Codecs
import HTTP
import Model
import S3API
import Testing

@Suite struct UnsetConfigurationTests {
  @Test(arguments: [
    ("policy", "NoSuchBucketPolicy"), ("policyStatus", "NoSuchBucketPolicy"),
    ("cors", "NoSuchCORSConfiguration"), ("lifecycle", "NoSuchLifecycleConfiguration"),
    ("encryption", "ServerSideEncryptionConfigurationNotFoundError"),
    ("tagging", "NoSuchTagSet"), ("object-lock", "ObjectLockConfigurationNotFoundError"),
    ("publicAccessBlock", "NoSuchPublicAccessBlockConfiguration"),
    ("replication", "ReplicationConfigurationNotFoundError"),
    ("website", "NoSuchWebsiteConfiguration"),
    ("ownershipControls", "OwnershipControlsNotFoundError"),
    ("metadataConfiguration", "MetadataConfigurationNotFound"),
    ("metadataTable", "MetadataConfigurationNotFound"), ("analytics&id=a", "NoSuchConfiguration"),
    ("inventory&id=a", "NoSuchConfiguration"), ("metrics&id=a", "NoSuchConfiguration"),
    ("intelligent-tiering&id=a", "NoSuchConfiguration"),
  ])
  func whatIsNotThereHasAnErrorOfItsOwn(query: String, code: String) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let answer = try await node.expect(404, "GET", "/bucket?" + query).xml()
      #expect(answer.text(of: "Code") == code)
      #expect(answer.text(of: "BucketName") == "bucket")
      #expect(try await node.expect(404, "GET", "/none?" + query).code == "NoSuchBucket")
    }
  }

  @Test(arguments: [
    ("accelerate", "AccelerateConfiguration", ""), ("logging", "BucketLoggingStatus", ""),
    ("notification", "NotificationConfiguration", ""),
    ("requestPayment", "RequestPaymentConfiguration", "Payer=BucketOwner"),
    ("abac", "AbacStatus", "Status=Disabled"),
    ("analytics", "ListBucketAnalyticsConfigurationResult", "IsTruncated=false"),
    ("inventory", "ListInventoryConfigurationsResult", "IsTruncated=false"),
    ("metrics", "ListMetricsConfigurationsResult", "IsTruncated=false"),
    (
      "intelligent-tiering", "ListBucketIntelligentTieringConfigurationsOutput",
      "IsTruncated=false"
    ),
  ])
  func whatHasADefaultIsADocument(query: String, root: String, content: String) throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      let answer = try await node.expect(200, "GET", "/bucket?" + query).xml()
      #expect(answer.name == root)
      #expect(answer.children.map { "\($0.name)=\($0.text)" }.joined() == content)
      #expect(try await node.expect(404, "GET", "/none?" + query).code == "NoSuchBucket")
    }
  }

  @Test func whatIsNotThereIsDeleted() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      for query in [
        "policy", "cors", "lifecycle", "encryption", "tagging", "publicAccessBlock", "replication",
        "website", "ownershipControls", "metadataConfiguration", "metadataTable",
      ] {
        try await node.expect(204, "DELETE", "/bucket?" + query)
        #expect(try await node.expect(404, "DELETE", "/none?" + query).code == "NoSuchBucket")
      }
      for query in ["analytics", "inventory", "metrics", "intelligent-tiering"] {
        let answer = try await node.expect(404, "DELETE", "/bucket?\(query)&id=a")
        #expect(answer.code == "NoSuchConfiguration")
      }
      try await node.expect(204, "DELETE", "/bucket/k?tagging")
      #expect(try await node.expect(404, "DELETE", "/bucket/none?tagging").code == "NoSuchKey")
      #expect(try await node.expect(200, "GET", "/bucket/k").body == [1])
    }
  }

  @Test func objectsHaveNoLocks() throws {
    try SimulatedS3.run { node in
      try await node.expect(200, "PUT", "/bucket")
      try await node.expect(200, "PUT", "/bucket/k", body: [1])
      for query in ["retention", "legal-hold"] {
        let answer = try await node.expect(400, "GET", "/bucket/k?" + query).xml()
        #expect(answer.text(of: "Code") == "InvalidRequest")
        #expect(answer.text(of: "Message") == "Bucket is missing Object Lock Configuration")
      }
    }
  }

  /// Who may only read sees what there is; only the owner deletes, though there is nothing.
  @Test func rightsAreChecked() throws {
    try SimulatedS3.run { node in
      let bucket = try await node.store.buckets.create("bucket")
      let id = SimulatedS3.accessKeyID
      #expect(try await node.expect(403, "GET", "/bucket?policy").code == "AccessDenied")
      _ = try await node.store.buckets.allow(.read, to: id, in: bucket.id)
      #expect(try await node.expect(404, "GET", "/bucket?policy").code == "NoSuchBucketPolicy")
      #expect(try await node.expect(403, "DELETE", "/bucket?policy").code == "AccessDenied")
      #expect(try await node.expect(403, "DELETE", "/bucket/k?tagging").code == "AccessDenied")
      _ = try await node.store.buckets.deny(.read, to: id, in: bucket.id)
      _ = try await node.store.buckets.allow(.write, to: id, in: bucket.id)
      // Whether there is such a key is not told to who may only write.
      try await node.expect(204, "DELETE", "/bucket/k?tagging")
      #expect(try await node.expect(403, "GET", "/bucket/k?retention").code == "AccessDenied")
      _ = try await node.store.buckets.allow(.owner, to: id, in: bucket.id)
      try await node.expect(204, "DELETE", "/bucket?policy")
    }
  }
}

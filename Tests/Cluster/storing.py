"""Nodes that store together: a layout of several, a key, a bucket, clients on each of them."""

import json

from Cluster.nodes import eventually, mesh
from harness.s3 import Client
from harness.signing import Credentials

EXPERIMENTAL = {"GRANGE_EXPERIMENTAL_CLUSTER": "1"}
BUCKET = "rows"
REGION = "grange"


def joined(nodes, names, **places):
    """Nodes that joined the first one, and store nothing yet; `places` are the options of each, by name."""
    everyone = [nodes.make(name, **places.get(name, {})) for name in names]
    first = everyone[0].start(**EXPERIMENTAL)
    if len(everyone) > 1:
        token = first.token("--uses", str(len(everyone) - 1))
        for node in everyone[1:]:
            node.start("--join", token, **EXPERIMENTAL)
        for node in everyone[1:]:
            node.wait_joined()
    mesh(everyone, 30)
    return everyone


def assigned(everyone, storing=3):
    """Gives the first of them a role, each in a zone of its own, and waits until all serve."""
    for node in everyone[:storing]:
        everyone[0].command("layout", "assign", node.name, "--zone", node.name, "--capacity", "1G")
    everyone[0].command("layout", "apply")
    for node in everyone:
        eventually(lambda: serves(node), 15)
    return everyone


def serves(node):
    """it serves clients"""
    code, _ = node.admin("GET", "/v2/ListKeys")
    return code == 200


def storing(nodes, names=("one", "two", "three"), gateways=(), **places):
    return assigned(joined(nodes, [*names, *gateways], **places), len(names))


def health(node):
    return node.status()["health"]


def wait_healthy(everyone, limit=30):
    """Waits until all are healthy in each other's eyes; returns the seconds."""
    return eventually(lambda: all(health(node) == "healthy" for node in everyone), limit)[1]


class Tenant:
    """A key with a bucket, and a client on each node."""

    def __init__(self, node, bucket=BUCKET, name="tenant"):
        key = node.command_json("key", "create", name)
        self.bucket, self.access_key = bucket, key["accessKeyId"]
        self.credentials = Credentials(key["accessKeyId"], key["secretAccessKey"], REGION)
        node.command("bucket", "create", bucket)
        node.command("bucket", "allow", bucket, "--key", self.access_key, "--read", "--write", "--owner")

    def client(self, node, timeout=30):
        return Client(node.s3_host, node.port, self.credentials, timeout=timeout)

    def put(self, node, key, body):
        return self._ask(node, "PUT", key, body=body)

    def get(self, node, key):
        return self._ask(node, "GET", key)

    def delete(self, node, key):
        return self._ask(node, "DELETE", key)

    def keys(self, node, prefix=""):
        """All keys, by pages of 100."""
        client, found, token = self.client(node), [], None
        while True:
            query = [("list-type", "2"), ("max-keys", "100"), ("prefix", prefix)]
            query += [("continuation-token", token)] if token else []
            answer = client.request("GET", self.bucket, query=sorted(query))
            assert answer.status == 200, answer.body
            found += [entry.text for entry in answer.xml.findall("Contents/Key")]
            token = answer.xml.findtext("NextContinuationToken")
            if not token:
                client.close()
                return found

    def _ask(self, node, method, key, body=b""):
        client = self.client(node)
        try:
            return client.request(method, self.bucket, key, body=body)
        finally:
            client.close()


def document(node, *arguments):
    return json.loads(node.command(*arguments, "--json").stdout)

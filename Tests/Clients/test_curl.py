"""curl, as a person at a shell uses it: presigned links, and its own signature."""

import hashlib
import subprocess

import pytest

from harness import names
from harness.server import ACCESS_KEY, REGION, SECRET_KEY

LIMIT = 60


def curl(*words, data=None):
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "50", *words],
        input=data, capture_output=True, timeout=LIMIT)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_presigned_links_work(scheme, endpoints, tmp_path):
    from Clients import boto
    server = endpoints(scheme)
    trust = ["--cacert", str(server.tls[2])] if server.tls else []
    s3 = boto.client(server)
    s3.create_bucket(Bucket="curl-presigned")
    data = names.content(2 * names.MEBIBYTE + 3, "curl")
    (tmp_path / "file").write_bytes(data)
    place = {"Bucket": "curl-presigned", "Key": "a key + \u00e9 %"}
    link = s3.generate_presigned_url("put_object", Params=place, ExpiresIn=60)
    code, out, errors = curl(*trust, "--upload-file", str(tmp_path / "file"), link)
    assert code == 0, (out, errors)
    link = s3.generate_presigned_url("get_object", Params=place, ExpiresIn=60)
    assert curl(*trust, link)[:2] == (0, data)
    assert curl(*trust, "--range", "100-199", link)[:2] == (0, data[100:200])
    # The link is good for this one request only.
    code, out, _ = curl(*trust, "--request", "DELETE", link)
    assert code == 22 and b"SignatureDoesNotMatch" in out
    code, out, _ = curl(*trust, link.replace("a%20key", "another"))
    assert code == 22


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_signs_by_itself(scheme, endpoints, tmp_path):
    server = endpoints(scheme)
    trust = ["--cacert", str(server.tls[2])] if server.tls else []
    sign = [*trust, "--aws-sigv4", f"aws:amz:{REGION}:s3", "--user", f"{ACCESS_KEY}:{SECRET_KEY}"]
    url = f"{server.endpoint}/curl-signed"

    # S3 wants the body's digest in a header, which curl adds by itself from version 8 on.
    def digest(body=b""):
        return ["--header", f"x-amz-content-sha256: {hashlib.sha256(body).hexdigest()}"]

    code, out, errors = curl(*sign, *digest(), "--request", "PUT", url)
    assert code == 0, (out, errors)
    data = names.content(100_000, "curl signed")
    (tmp_path / "file").write_bytes(data)
    # curl 7.88 signs a body that it knows beforehand, not one that it streams.
    code, out, errors = curl(
        *sign, *digest(data), "--request", "PUT", "--header", "Content-Type: text/plain",
        "--data-binary", f"@{tmp_path}/file", f"{url}/file")
    assert code == 0, (out, errors)
    assert curl(*sign, *digest(), f"{url}/file")[:2] == (0, data)
    code, out, _ = curl(*sign, *digest(), url)
    assert code == 0 and b"<Key>file</Key>" in out
    assert curl(*sign, *digest(), "--request", "DELETE", f"{url}/file")[0] == 0
    assert curl(*sign, *digest(), "--request", "DELETE", url)[0] == 0


def test_curl_uses_a_connection_again(server):
    link = f"{server.endpoint}/nothing-here"
    done = subprocess.run(
        ["curl", "--silent", "--verbose", "--max-time", "10", link, link], capture_output=True,
        timeout=LIMIT)
    assert b"Re-using existing connection" in done.stderr

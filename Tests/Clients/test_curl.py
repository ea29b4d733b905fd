"""curl, as a person at a shell uses it: presigned links, and its own signature."""

import hashlib
import subprocess
import time

import pytest

from Clients import boto
from harness import names
from harness.server import ACCESS_KEY, REGION, SECRET_KEY

LIMIT = 60


def curl(*words, data=None):
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "50", *words],
        input=data, capture_output=True, timeout=LIMIT)
    return done.returncode, done.stdout, done.stderr


PLACE = {"Bucket": "curl-presigned", "Key": "a key + \u00e9 %"}


@pytest.fixture(params=["http", "https"])
def signer(request, endpoints):
    """A server's client, which signs links, and what curl needs to trust that server."""
    server = endpoints(request.param)
    s3 = boto.client(server)
    s3.create_bucket(Bucket=PLACE["Bucket"])
    yield s3, ["--cacert", str(server.tls[2])] if server.tls else []
    s3.delete_object(**PLACE)
    s3.delete_bucket(Bucket=PLACE["Bucket"])


def link(s3, operation, expires=60, **more):
    return s3.generate_presigned_url(operation, Params={**PLACE, **more}, ExpiresIn=expires)


def wrongly_signed(link):
    start, _, rest = link.partition("X-Amz-Signature=")
    return f"{start}X-Amz-Signature={'1' if rest[0] == '0' else '0'}{rest[1:]}"


def refused(code, *words):
    """curl ends as for an error of HTTP, and the answer has the S3 error `code`."""
    status, out, _ = curl(*words)
    assert status == 22 and f"<Code>{code}</Code>".encode() in out, out


def test_presigned_links_work(signer, tmp_path):
    s3, trust = signer
    data = names.content(2 * names.MEBIBYTE + 3, "curl")
    (tmp_path / "file").write_bytes(data)
    code, out, errors = curl(*trust, "--upload-file", str(tmp_path / "file"), link(s3, "put_object"))
    assert code == 0, (out, errors)
    assert s3.get_object(**PLACE)["Body"].read() == data
    get = link(s3, "get_object")
    assert curl(*trust, get)[:2] == (0, data)
    assert curl(*trust, "--range", "100-199", get)[:2] == (0, data[100:200])
    code, head, _ = curl(*trust, "--head", link(s3, "head_object"))
    lines = head.decode().lower().splitlines()
    assert (code, lines[0].split()[1]) == (0, "200")
    assert {f"content-length: {len(data)}", f'etag: "{hashlib.md5(data).hexdigest()}"'} <= set(lines)
    shown = link(s3, "get_object", ResponseContentType="text/x-test",
                 ResponseContentDisposition='attachment; filename="a b"')
    code, out, _ = curl(*trust, "--include", shown)
    assert code == 0 and out.endswith(data)
    assert b"content-type: text/x-test\r\n" in out
    assert b'content-disposition: attachment; filename="a b"\r\n' in out
    assert curl(*trust, "--request", "DELETE", link(s3, "delete_object"))[0] == 0
    refused("NoSuchKey", *trust, get)


def test_a_presigned_link_is_good_for_one_request_only(signer, tmp_path):
    s3, trust = signer
    s3.put_object(**PLACE, Body=b"before")
    (tmp_path / "file").write_bytes(b"after")
    get = link(s3, "get_object")
    refused("SignatureDoesNotMatch", *trust, "--request", "DELETE", get)
    refused("SignatureDoesNotMatch", *trust, "--upload-file", str(tmp_path / "file"), get)
    refused("SignatureDoesNotMatch", *trust, get.replace("a%20key", "another"))
    refused("SignatureDoesNotMatch", *trust, get + "&response-content-type=text/html")
    refused("SignatureDoesNotMatch", *trust, get.replace("X-Amz-Expires=60", "X-Amz-Expires=61"))
    refused("SignatureDoesNotMatch", *trust, wrongly_signed(get))
    put, head = (wrongly_signed(link(s3, name)) for name in ("put_object", "head_object"))
    refused("SignatureDoesNotMatch", *trust, "--upload-file", str(tmp_path / "file"), put)
    code, out, _ = curl(*trust, "--head", head)
    assert code == 22 and out.startswith(b"HTTP/1.1 403")
    assert s3.get_object(**PLACE)["Body"].read() == b"before"


def test_a_presigned_link_ends(signer, tmp_path):
    s3, trust = signer
    s3.put_object(**PLACE, Body=b"before")
    (tmp_path / "file").write_bytes(b"after")
    short = {operation: link(s3, operation, expires=1)
             for operation in ("get_object", "put_object", "head_object")}
    time.sleep(2.1)
    refused("AccessDenied", *trust, short["get_object"])
    refused("AccessDenied", *trust, "--upload-file", str(tmp_path / "file"), short["put_object"])
    code, out, _ = curl(*trust, "--head", short["head_object"])
    assert code == 22 and out.startswith(b"HTTP/1.1 403")
    # A week is the most that may be asked for.
    assert curl(*trust, link(s3, "get_object", expires=604_800))[:2] == (0, b"before")
    refused("AuthorizationQueryParametersError", *trust, link(s3, "get_object", expires=604_801))
    assert s3.get_object(**PLACE)["Body"].read() == b"before"


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

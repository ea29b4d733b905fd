"""Nothing secret is in what the server says to strangers, operators and logs, whatever it is asked and however."""

import base64
import hashlib
import hmac
import http.client
import json
from pathlib import Path

import pytest

from Clients.wire import Wire
from harness.server import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, Server
from harness.signing import Credentials, timestamp

ADMIN_TOKEN = "admin-token-5f0c9d1e7a"
METRICS_TOKEN = "metrics-token-83b1f6c2d4"
IMPORTED_ID = "GK00000000000000000000abcd"
IMPORTED_SECRET = "imported-secret-6a1b9c0d2e3f4a5b"
# What a client should not have sent, but has: in a header, a query or a body of a request that is refused.
STRAY = {
    "password": "stray-password-19c2", "session token": "stray-session-token-77aa",
    "customer key": base64.b64encode(b"stray customer key of 32 bytes!!").decode(),
    "cookie": "stray-cookie-0b1c", "bearer": "stray-bearer-token-4d5e", "form": "stray-form-field-aa01",
}


class Recorder(Credentials):
    """Signs, and remembers the signatures: whoever learns one can send its request again."""

    def __init__(self, *arguments, signatures):
        super().__init__(*arguments)
        self.signatures = signatures

    def signature(self, *arguments):
        code, scope, names = super().signature(*arguments)
        self.signatures.add(code)
        return code, scope, names


def derived(secret):
    """The keys that are made of a secret on the way to a signature, in hexadecimal."""
    key, day = f"AWS4{secret}".encode(), timestamp()[:8]
    for part in (day, REGION, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        yield key.hex()


class Scene:
    """A server with all its secrets, and everything that it has said."""

    def __init__(self, folder):
        self.server = Server(
            folder, extra_configuration='log_level = "trace"',
            environment={"GRANGE_ADMIN_TOKEN": ADMIN_TOKEN, "GRANGE_S3_ACCESS_LOG": "true"})
        self.metrics_file = Path(folder) / "metrics-token"
        self.metrics_file.write_text(METRICS_TOKEN)
        self.metrics_file.chmod(0o600)
        self.server.environment["GRANGE_ADMIN_METRICS_TOKEN_FILE"] = str(self.metrics_file)
        self.signatures = set()
        self.said = {}
        self.server.start()
        self.secrets = {
            "the default secret": SECRET_KEY, "the admin token": ADMIN_TOKEN,
            "the metrics token": METRICS_TOKEN, "the imported secret": IMPORTED_SECRET, **STRAY}

    def note(self, what, text):
        self.said[what] = self.said.get(what, b"") + (text.encode() if isinstance(text, str) else text)

    def credentials(self, key=ACCESS_KEY, secret=SECRET_KEY):
        return Recorder(key, secret, REGION, signatures=self.signatures)

    def command(self, *arguments, shows_secret=False, input=None):
        done = self.server.command(*arguments, check=False, input=input)
        self.note(f"grange {' '.join(arguments[:2])}, errors", done.stderr)
        if not shows_secret:
            self.note(f"grange {' '.join(arguments[:2])}", done.stdout)
        return done.stdout

    def admin(self, method, path, token=None, body=None):
        connection = http.client.HTTPConnection(self.server.host, self.server.admin_port, timeout=10)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        text = response.read()
        self.note(f"{method} {path.split('?')[0]}, headers", str(response.headers))
        connection.close()
        return response.status, text

    def found(self):
        """What must not be where it is."""
        places = {**self.said, "the log": self.server.log_path.read_bytes()}
        names = {secret: name for name, secret in self.secrets.items()}
        for name, secret in list(self.secrets.items()):
            names.update({key: f"a signing key of {name}" for key in derived(secret)})
        names.update({code: "a signature" for code in self.signatures})
        return [(place, name) for place, text in places.items()
                for secret, name in names.items() if secret.encode() in text.lower()
                or secret.encode() in text]


@pytest.fixture(scope="module")
def scene(run_folder):
    scene = Scene(run_folder / "secrets")
    try:
        yield scene
    finally:
        scene.server.kill()


def keys(scene):
    """Every way to make, import, show and change an access key."""
    created = json.loads(scene.command("key", "create", "shown", "--json", shows_secret=True))
    scene.secrets["a created secret"] = created["secretAccessKey"]
    scene.command("key", "import", IMPORTED_ID, "-", "--name", "imported", "--yes", input=IMPORTED_SECRET)
    # Refused: the name is taken, the form is wrong, nothing is confirmed.
    scene.command("key", "import", IMPORTED_ID, IMPORTED_SECRET + "0", "--yes")
    scene.command("key", "import", "a/b", IMPORTED_SECRET, "--yes")
    scene.command("key", "import", "GK111111111111111111111111", IMPORTED_SECRET)
    scene.command("key", "import", "GK111111111111111111111111", IMPORTED_SECRET + "/", "--yes")
    scene.command("key", "import", "GK222222222222222222222222", IMPORTED_SECRET + " ", "--yes")
    for arguments in (["list"], ["info", "shown"], ["info", "imported", "--json"], ["list", "--json"],
                      ["update", "shown", "--expires", "30d"], ["allow", "shown", "--create-bucket"],
                      ["rename", "shown", "other"], ["info", "no-such-key"]):
        scene.command("key", *arguments)
    shown = scene.command("key", "info", "other", "--show-secret", shows_secret=True)
    assert created["secretAccessKey"] in shown
    scene.command("bucket", "allow", BUCKET, "--key", IMPORTED_ID, "--read")
    for arguments in (["bucket", "info", BUCKET], ["bucket", "list", "--json"], ["status"],
                      ["status", "--json"], ["config", "check"], ["config", "check", "--json"],
                      ["config", "docs"], ["repair", "blocks", "--check"], ["help"]):
        scene.command(*arguments)
    scene.command("key", "delete", "other", "--yes")


def admin_interface(scene):
    """Tokens that are right, wrong, and in the wrong place."""
    assert scene.admin("GET", "/metrics")[0] == 403
    for token in (METRICS_TOKEN, ADMIN_TOKEN):
        status, text = scene.admin("GET", "/metrics", token)
        assert status == 200
        scene.note("/metrics", text)
    scene.note("/health", scene.admin("GET", "/health")[1])
    for path in ("/v2/ListKeys", "/v2/GetClusterStatus", "/v2/ListBuckets", "/nothing",
                 f"/v2/GetKeyInfo?id={IMPORTED_ID}", f"/v2/ListKeys?token={ADMIN_TOKEN}",
                 f"/v2/GetKeyInfo?id={IMPORTED_SECRET}", f"/v2/%zz?password={STRAY['password']}"):
        for token in (ADMIN_TOKEN, METRICS_TOKEN, ADMIN_TOKEN + "x", STRAY["bearer"], None):
            status, text = scene.admin("GET", path, token)
            if IMPORTED_SECRET not in path:
                scene.note(f"admin {path}", text)
    for body in (f'{{"accessKeyId": "x/y", "secretAccessKey": "{IMPORTED_SECRET}"}}',
                 f'{{"accessKeyId": "{IMPORTED_ID}", "secretAccessKey": "{IMPORTED_SECRET}"}}',
                 f'{{"secretAccessKey": "{IMPORTED_SECRET}"', f'{{"password": "{STRAY["password"]}"}}', "[]"):
        for name in ("ImportKey", "CreateKey", "UpdateKey?id=" + IMPORTED_ID, "CreateBucket"):
            status, text = scene.admin("POST", f"/v2/{name}", ADMIN_TOKEN, body)
            if name == "CreateKey" and status == 200:
                scene.secrets[f"one more secret {len(scene.secrets)}"] = json.loads(text)["secretAccessKey"]
            else:
                scene.note(f"admin {name}", text)


def s3(scene):
    """Requests that are answered, and requests that are refused in every way there is."""
    server = scene.server
    good = scene.credentials()
    client = server.client(credentials=good)

    def ask(*arguments, **options):
        response = client.request(*arguments, **options)
        scene.note("S3, bodies", response.body)
        scene.note("S3, headers", json.dumps(response.headers))
        return response.status

    assert ask("PUT", BUCKET, "object", body=b"content") == 200
    assert ask("GET", BUCKET, "object") == 200
    assert ask("GET", BUCKET, query=[("list-type", "2")]) == 200
    assert ask("GET", BUCKET, "nothing") == 404
    assert ask("GET", BUCKET, "object", date=timestamp(-7200)) == 403
    assert ask("GET", BUCKET, "object", credentials=scene.credentials(secret="f" * 64)) == 403
    assert ask("GET", BUCKET, "object", credentials=scene.credentials(key="GKno" + "0" * 22)) == 403
    assert ask("PUT", BUCKET, "object", body=b"other", payload_hash="0" * 64) == 400
    assert ask("GET", BUCKET, "object", credentials=Recorder(
        ACCESS_KEY, SECRET_KEY, "elsewhere", signatures=scene.signatures)) in (400, 403)
    assert ask("PUT", BUCKET, "o", credentials=scene.credentials(IMPORTED_ID, IMPORTED_SECRET)) == 403
    assert ask("PUT", BUCKET, "sse", headers={
        "x-amz-server-side-encryption-customer-algorithm": "AES256",
        "x-amz-server-side-encryption-customer-key": STRAY["customer key"]}) in (400, 501)
    ask("GET", BUCKET, "object", headers={
        "cookie": STRAY["cookie"], "x-amz-security-token": STRAY["session token"]})
    ask("POST", BUCKET, body=f"secret={STRAY['form']}".encode())
    ask("POST", BUCKET, query=[("delete", "")], body=f"<{STRAY['form']}".encode())
    ask("GET", BUCKET, query=[("list-type", "2"), ("password", STRAY["password"])])
    client.close()


def on_the_wire(scene):
    """Presigned requests, and heads that are broken right where the secrets are."""
    server, credentials = scene.server, scene.credentials()
    host, path = f"{server.host}:{server.port}", f"/{BUCKET}/object"
    right = credentials.presign("GET", host, path)
    signed = credentials.sign("GET", path, [], {"host": host})["authorization"]
    lines = [
        f"GET {path}?{right} HTTP/1.1\r\nHost: {host}",
        f"GET {path}?{right}&x=y HTTP/1.1\r\nHost: {host}",
        f"GET {path}?{credentials.presign('GET', host, path, date=timestamp(-9000))} HTTP/1.1\r\nHost: {host}",
        f"GET {path}?{right}&X-Amz-Security-Token={STRAY['session token']} HTTP/1.1\r\nHost: {host}",
        f"GET {path}?{right} HTTP/9.9\r\nHost: {host}",
        f"GET {path}?{right}%zz HTTP/1.1\r\nHost: {host}",
        f"GET {path}%00?{right} HTTP/1.1\r\nHost: {host}",
        f"BREW {path}?{right} HTTP/1.1\r\nHost: {host}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}, {signed}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}\r\nAuthorization: {signed}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed.replace('AWS4', 'AWS3')}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed.replace('/s3/', '/s4/')}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed.replace('Signature=', 'Signature=g')}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Basic {STRAY['bearer']}",
        f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization : {signed}",
        f"GET {path}?{right} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {signed}",
        f"GET {path}?AWSAccessKeyId={ACCESS_KEY}&Signature={STRAY['password']}&Expires=9999999999 HTTP/1.1"
        f"\r\nHost: {host}",
        f"POST {path}?{right} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: {STRAY['form']}",
        f"{STRAY['password']}",
    ]
    for line in lines:
        answer = Wire(server).send(f"{line}\r\n\r\n".encode()).answer(quiet=0.05)
        assert answer.statuses, line
        scene.note("the wire", answer.data.replace(b"content", b""))
    assert Wire(server).send(f"{lines[0]}\r\n\r\n".encode()).answer(quiet=0.05).statuses == [200]


def what_others_see(scene):
    """What `ps` and `/proc` show of the process to other users of the machine."""
    process = Path(f"/proc/{scene.server.process.pid}")
    scene.note("the command line", (process / "cmdline").read_bytes())
    scene.note("its name", (process / "comm").read_bytes())
    assert (process / "environ").stat().st_mode & 0o077 == 0
    for path in (scene.server.folder / "meta").rglob("*"):
        assert path.stat().st_mode & 0o007 == 0, f"{path} is open to everybody"


def test_nothing_secret_is_said(scene):
    for part in (keys, admin_interface, s3, on_the_wire, what_others_see):
        part(scene)
    assert scene.server.stop() == 0
    log = scene.server.log_path.read_text()
    # The log is as talkative as it gets, or the test would prove nothing.
    assert "debug" in log and "s3.access" in log and "request refused" in log
    assert not scene.found(), sorted(set(scene.found()))

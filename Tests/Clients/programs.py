"""Client programs as their users set them up: keys, a configuration file, and the endpoint."""

import subprocess
import sys
from pathlib import Path

from harness import hosts
from harness.fuse import mounted
from harness.server import ACCESS_KEY, REGION, SECRET_KEY

# The longest command moves 250 MB on a machine that is busy with other work.
LIMIT = 240


def make_bucket(server, name):
    assert server.client().request("PUT", name).status == 200


def endpoint_for(server, style):
    if style == "path":
        return server.endpoint
    return f"{server.scheme}://s3.grange.localhost:{server.port}"


class Program:
    """A program set up for one server; `folder` holds its configuration."""

    def __init__(self, server, environment, folder, style="path"):
        self.server, self.folder, self.style = server, folder, style
        self.endpoint = endpoint_for(server, style)
        self.environment = dict(environment)
        self.words = self.set_up()

    def set_up(self):
        """Writes the configuration; returns the words that every command begins with."""
        raise NotImplementedError

    def command(self, words, bucket=None):
        """The whole command line; a virtual host's name is made to resolve for it."""
        words = [*self.words, *words]
        if self.style == "virtual":
            names = ["s3.grange.localhost", f"{bucket}.s3.grange.localhost"]
            words = hosts.command(words, names, self.folder)
        return list(map(str, words))

    def attempt(self, *words, data=None, cwd=None, bucket=None):
        return subprocess.run(
            self.command(words, bucket), env=self.environment, capture_output=True, input=data,
            cwd=cwd, timeout=LIMIT)

    def __call__(self, *words, **options):
        """What the command prints; it must succeed."""
        done = self.attempt(*words, **options)
        assert done.returncode == 0, (
            f"{words} ended with {done.returncode}\n{done.stdout[-2000:].decode(errors='replace')}"
            f"\n{done.stderr[-4000:].decode(errors='replace')}")
        return done.stdout


class Awscli(Program):
    """awscli of requirements.txt, with the settings of a fresh installation."""

    def set_up(self):
        (self.folder / "aws-config").write_text(
            f"[default]\ns3 =\n    addressing_style = {self.style}\n")
        if self.server.tls:
            self.environment["AWS_CA_BUNDLE"] = str(self.server.tls[2])
        return [Path(sys.executable).parent / "aws", "--endpoint-url", self.endpoint]

    def up(self, tree, bucket):
        return self("s3", "sync", "--no-progress", tree, f"s3://{bucket}", bucket=bucket)

    def down(self, bucket, tree):
        return self("s3", "sync", "--no-progress", f"s3://{bucket}", tree, bucket=bucket)


class Rclone(Program):
    """Debian's rclone; the remote `grange:` has the buckets as its folders."""

    def set_up(self):
        (self.folder / "rclone.conf").write_text(f"""\
[grange]
type = s3
provider = Other
access_key_id = {ACCESS_KEY}
secret_access_key = {SECRET_KEY}
region = {REGION}
endpoint = {self.endpoint}
list_url_encode = true
force_path_style = {"true" if self.style == "path" else "false"}
""")
        trust = ["--ca-cert", self.server.tls[2]] if self.server.tls else []
        # Two names of the tree differ only in their Unicode normal form.
        return ["rclone", "--config", self.folder / "rclone.conf", "--retries", "1",
                "--no-unicode-normalization", *trust]

    def up(self, tree, bucket):
        return self("sync", "--checksum", tree, f"grange:{bucket}", bucket=bucket)

    def down(self, bucket, tree):
        return self("sync", "--checksum", f"grange:{bucket}", tree, bucket=bucket)

    def mounted(self, bucket, place):
        """Files are uploaded when they are closed: by default that is 5 s later, or at the next mount."""
        return mounted(
            self.command(["mount", f"grange:{bucket}", place, "--vfs-cache-mode", "writes",
                          "--vfs-write-back", "0s", "--cache-dir", self.folder / "rclone-cache"]),
            place, self.environment)


class Restic(Program):
    """Debian's restic, with a repository below a prefix of a bucket that it makes itself."""

    def set_up(self):
        self.environment.update(
            RESTIC_REPOSITORY=f"s3:{self.endpoint}/restic-{self.server.scheme}/a/prefix",
            RESTIC_PASSWORD="a password")
        trust = ["--cacert", self.server.tls[2]] if self.server.tls else []
        return ["restic", "--no-cache", *trust]


class S3cmd(Program):
    """Debian's s3cmd, with what `s3cmd --configure` would write, but small parts of copies (1 GB)."""

    def set_up(self):
        place = self.endpoint.partition("://")[2]
        trust = f"ca_certs_file = {self.server.tls[2]}\n" if self.server.tls else ""
        (self.folder / "s3cfg").write_text(f"""\
[default]
access_key = {ACCESS_KEY}
secret_key = {SECRET_KEY}
host_base = {place}
host_bucket = {place}
bucket_location = {REGION}
use_https = {bool(self.server.tls)}
multipart_copy_chunk_size_mb = 5
{trust}""")
        return ["s3cmd", "--config", self.folder / "s3cfg", "--no-progress"]


class S3fs(Program):
    """Debian's s3fs, in the foreground so that the test is its parent."""

    def set_up(self):
        if self.server.tls:
            self.environment["CURL_CA_BUNDLE"] = str(self.server.tls[2])
        return ["s3fs"]

    def mounted(self, bucket, place, *options):
        settings = [
            f"url={self.endpoint}", "use_path_request_style", f"endpoint={REGION}", "dbglevel=warn",
            f"tmpdir={self.folder}", *options]
        words = [word for setting in settings for word in ("-o", setting)]
        return mounted(self.command([bucket, place, "-f", *words]), place, self.environment)

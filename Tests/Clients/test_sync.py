"""A tree of difficult names and sizes goes to the server and comes back byte for byte.

With each client a person would use, over HTTP and HTTPS, path style and virtual-host style.
"""

import subprocess

import pytest

from harness import hosts, names
from harness.server import ACCESS_KEY, REGION, SECRET_KEY

MATRIX = [
    pytest.param("http", "path", True, id="http-path", marks=pytest.mark.big),
    pytest.param("https", "virtual", True, id="https-virtual", marks=pytest.mark.big),
    pytest.param("http", "virtual", False, id="http-virtual"),
    pytest.param("https", "path", False, id="https-path"),
]
LIMIT = 240


def endpoint_for(server, style):
    return f"{server.scheme}://s3.grange.localhost:{server.port}" if style == "virtual" else server.endpoint


def run(words, environment, style, bucket, folder):
    if style == "virtual":
        names_needed = ["s3.grange.localhost", f"{bucket}.s3.grange.localhost"]
        words = hosts.command(words, names_needed, folder)
    done = subprocess.run(
        list(map(str, words)), env=environment, capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 0, f"{words}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done


def make_bucket(server, name):
    assert server.client().request("PUT", name).status == 200


class Awscli:
    """`aws s3 sync`, with the settings of a fresh installation."""

    def __init__(self, server, style, environment, tools, folder):
        self.words = [f"{tools}/aws", "--endpoint-url", endpoint_for(server, style)]
        (folder / "aws-config").write_text(
            f"[default]\ns3 =\n    addressing_style = {style}\n")
        self.environment = dict(environment)
        if server.tls:
            self.environment["AWS_CA_BUNDLE"] = str(server.tls[2])

    def up(self, tree, bucket):
        return [*self.words, "s3", "sync", "--no-progress", tree, f"s3://{bucket}"]

    def down(self, bucket, tree):
        return [*self.words, "s3", "sync", "--no-progress", f"s3://{bucket}", tree]


class Rclone:
    """`rclone sync`, Debian's version, with its checksum comparison."""

    def __init__(self, server, style, environment, tools, folder):
        # Two names of the tree differ only in their Unicode normal form.
        self.words = [
            "rclone", "--config", str(folder / "rclone.conf"), "--retries", "1",
            "--no-unicode-normalization"]
        (folder / "rclone.conf").write_text(f"""\
[grange]
type = s3
provider = Other
access_key_id = {ACCESS_KEY}
secret_access_key = {SECRET_KEY}
region = {REGION}
endpoint = {endpoint_for(server, style)}
force_path_style = {"true" if style == "path" else "false"}
""")
        self.environment = dict(environment)
        if server.tls:
            self.words += ["--ca-cert", str(server.tls[2])]

    def up(self, tree, bucket):
        return [*self.words, "sync", "--checksum", tree, f"grange:{bucket}"]

    def down(self, bucket, tree):
        return [*self.words, "sync", "--checksum", f"grange:{bucket}", tree]


@pytest.mark.parametrize("program", [Awscli, Rclone])
@pytest.mark.parametrize("scheme, style, big", MATRIX)
def test_a_tree_comes_back_unchanged(
        program, scheme, style, big, endpoints, client_environment, tools, tmp_path, request):
    if style == "virtual":
        request.getfixturevalue("needs_hosts")
    server = endpoints(scheme)
    bucket = f"sync-{program.__name__.lower()}-{scheme}-{style}"
    make_bucket(server, bucket)
    client = program(server, style, client_environment, tools, tmp_path)
    tree, back = tmp_path / "tree", tmp_path / "back"
    expected = names.make_tree(tree, big=big)

    run(client.up(tree, bucket), client.environment, style, bucket, tmp_path)
    back.mkdir()
    run(client.down(bucket, back), client.environment, style, bucket, tmp_path)
    assert names.hashes(back) == expected

    # A second run finds nothing to do: sizes, times and checksums agree with what was stored.
    again = run(client.up(tree, bucket), client.environment, style, bucket, tmp_path)
    assert "upload:" not in again.stdout


def test_awscli_lists_copies_and_removes(server, client_environment, tools, tmp_path):
    def aws(*words):
        return run(
            [f"{tools}/aws", "--endpoint-url", server.endpoint, "s3", *words], client_environment,
            "path", "", tmp_path).stdout

    data = names.content(3 * names.MEBIBYTE, "awscli")
    (tmp_path / "file").write_bytes(data)
    assert "make_bucket" in aws("mb", "s3://awscli-commands")
    aws("cp", tmp_path / "file", "s3://awscli-commands/folder/a file")
    assert "folder/a file" in aws("ls", "--recursive", "s3://awscli-commands")
    assert "PRE folder/" in aws("ls", "s3://awscli-commands/")
    assert "awscli-commands" in aws("ls")
    aws("cp", "s3://awscli-commands/folder/a file", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data
    aws("rm", "--recursive", "s3://awscli-commands")
    assert aws("ls", "--recursive", "s3://awscli-commands") == ""
    assert "remove_bucket" in aws("rb", "s3://awscli-commands")


def test_rclone_streams_and_removes(server, client_environment, tools, tmp_path):
    make_bucket(server, "rclone-commands")
    client = Rclone(server, "path", client_environment, tools, tmp_path)

    def rclone(*words, data=None):
        done = subprocess.run(
            [*client.words, *words], env=client.environment, capture_output=True, input=data,
            timeout=LIMIT)
        assert done.returncode == 0, done.stderr
        return done.stdout

    data = names.content(7 * names.MEBIBYTE, "rclone")
    rclone("rcat", "grange:rclone-commands/streamed", data=data)
    assert rclone("cat", "grange:rclone-commands/streamed") == data
    assert rclone("lsf", "grange:rclone-commands").decode() == "streamed\n"
    rclone("deletefile", "grange:rclone-commands/streamed")
    assert rclone("lsf", "grange:rclone-commands") == b""
    rclone("rmdir", "grange:rclone-commands")

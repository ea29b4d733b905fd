"""awscli: the commands of `aws s3`."""

from Clients.programs import Awscli
from harness import names
from harness.names import MEBIBYTE


def test_files_are_copied_listed_and_removed(server, set_up, tmp_path):
    program = set_up(Awscli, server)

    def aws(*words):
        return program("s3", *words).decode()

    data = names.content(3 * MEBIBYTE, "awscli")
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

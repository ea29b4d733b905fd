"""restic: backups that come back byte for byte, also after old ones are forgotten and pruned."""

import pytest

from Clients.programs import Restic
from harness import names


@pytest.mark.parametrize("scheme, sizes", [
    pytest.param("http", names.SIZES, id="http"), pytest.param("https", names.SIZES[:-4], id="https")])
def test_backups_come_back(scheme, sizes, endpoints, set_up, tmp_path):
    restic = set_up(Restic, endpoints(scheme))
    tree = tmp_path / "tree"
    first = names.make_tree(tree, sizes=sizes)
    assert b"created restic repository" in restic("init")
    restic("backup", ".", cwd=tree)
    assert restic.attempt("init").returncode != 0

    changed = tree / "sizes" / f"{5 * names.MEBIBYTE}.bin"
    changed.write_bytes(names.content(names.MEBIBYTE, "at the front") + changed.read_bytes())
    (tree / "names" / "plain.txt").unlink()
    names.write(tree / "new" / "file", names.content(100_000, "new"))
    second = names.hashes(tree)
    done = restic("backup", ".", cwd=tree).decode()
    assert "1 new" in done and "1 changed" in done, done

    snapshots = restic("snapshots", "--compact").decode()
    assert "2 snapshots" in snapshots
    oldest = next(line.split()[0] for line in snapshots.splitlines() if line[:1].isalnum()
                  and not line.startswith("ID"))
    for snapshot, expected in ((oldest, first), ("latest", second)):
        restic("restore", snapshot, "--target", tmp_path / snapshot)
        assert names.hashes(tmp_path / snapshot) == expected
    assert b"no errors were found" in restic("check", "--read-data")

    assert b"1 snapshots have been removed" in restic("forget", "--keep-last", "1", "--prune")
    assert b"no errors were found" in restic("check", "--read-data")
    restic("restore", "latest", "--target", tmp_path / "after")
    assert names.hashes(tmp_path / "after") == second

"""Data directories that are not there: nothing is written where they were, and all comes back with them."""

import subprocess

import pytest

from harness.names import MEBIBYTE, content
from harness.server import BUCKET, DidNotStart


def fill(server, count=12):
    client = server.client()
    stored = {f"object {number}": content(MEBIBYTE, number) for number in range(count)}
    for key, data in stored.items():
        assert client.request("PUT", BUCKET, key, body=data).status == 200
    return stored


def read_all(server, stored):
    """Reads everything: right, or refused. Returns the keys that were refused."""
    client = server.client()
    refused = []
    for key, data in stored.items():
        response = client.request("GET", BUCKET, key)
        if response.status == 200:
            assert response.body == data, key
        else:
            assert (response.status, response.code) == (500, "InternalError")
            refused.append(key)
    return refused


def contents(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("instead", ["nothing", "an empty folder"])
def test_a_node_does_not_start_without_its_only_data_directory(node, instead):
    server = node().start()
    stored = fill(server, 3)
    server.stop()
    data = server.folder / "data"
    away = data.rename(server.folder / "away")
    if instead == "an empty folder":
        data.mkdir()
    before = contents(server.folder)
    with pytest.raises(DidNotStart):
        server.start()
    assert f"the data directory {data} is not there: mount its disk" in server.log_tail(3)
    assert contents(server.folder) == before
    if instead == "an empty folder":
        data.rmdir()
    away.rename(data)
    server.start()
    assert read_all(server, stored) == []
    assert server.stop() == 0


def test_one_of_several_may_be_lost_at_the_start(node, disk_of):
    disks = [disk_of("96M", "one"), disk_of("96M", "two")]
    places = [disk.place for disk in disks]
    server = node(data=places).start()
    stored = fill(server)
    server.stop()
    disks[1].unmount()
    server.start()
    status = server.command_json("status")
    assert status["health"] == "degraded"
    assert any(str(places[1]) in line and "mount" in line for line in status["attention"])
    refused = read_all(server, stored)
    assert 0 < len(refused) < len(stored)
    stored["later"] = content(MEBIBYTE, "later")
    assert server.client().request("PUT", BUCKET, "later", body=stored["later"]).status == 200
    # A deletion whose block may be over there waits for it; the object is gone at once.
    assert server.client().request("DELETE", BUCKET, refused[0]).status == 204
    del stored[refused[0]]
    assert contents(places[1]) == []
    server.stop()
    disks[1].mount()
    server.start()
    assert read_all(server, stored) == []
    assert server.command_json("status")["health"] == "healthy"
    assert server.stop() == 0


@pytest.mark.parametrize("noticed_by", ["a read", "a write"])
def test_an_empty_disk_that_is_mounted_over_a_running_directory_gets_nothing(
        node, disk_of, noticed_by):
    places = [disk_of("96M", name).place for name in ("one", "two")]
    server = node(data=places).start()
    stored = fill(server)
    later = {f"later {number}": content(MEBIBYTE, f"later {number}") for number in range(4)}

    def read():
        assert 0 < len(read_all(server, stored)) < len(stored)

    def write():
        for key, data in later.items():
            assert server.client().request("PUT", BUCKET, key, body=data).status == 200

    # With the most room, so that it would be written to first.
    cover = disk_of("160M", "cover")
    subprocess.run(["mount", "--bind", cover.place, places[1]], check=True)
    try:
        for step in (read, write) if noticed_by == "a read" else (write, read):
            step()
            assert "A data directory has gone away" in server.log_tail()
        status = server.command_json("status")
        assert status["health"] == "degraded"
        assert any(str(places[1]) in line for line in status["attention"])
        assert contents(cover.place) == ["lost+found"]
    finally:
        subprocess.run(["umount", places[1]], check=True)
    # It is noticed when it is looked for: by a read that would fail, or a write.
    assert read_all(server, {**stored, **later}) == []
    assert server.stop() == 0
    assert server.start().stop() == 0

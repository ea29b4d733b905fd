"""Containers that join: `docker run -e GRANGE_JOIN=TOKEN`, as docker/Dockerfile says (scripts/container-campaign)."""

import json
import subprocess
import uuid

import pytest

from Cluster.nodes import eventually

DOCKER, IMAGE = "/usr/bin/docker", "grange-test"
JOIN_LIMIT = 30
# The image's first health check comes after its interval of 15 s.
HEALTHY_LIMIT = 40
STOP_LIMIT = 10


def docker(*arguments, check=True):
    done = subprocess.run(
        [DOCKER, *map(str, arguments)], capture_output=True, text=True, timeout=120)
    assert not check or done.returncode == 0, (arguments, done.stdout, done.stderr)
    return done


class Engine:
    """Containers, volumes and a network of one test, and their end."""

    def __init__(self):
        self.mark = uuid.uuid4().hex[:8]
        self.containers, self.volumes = [], set()
        self.network = f"net-{self.mark}"
        docker("network", "create", self.network)

    def run(self, name, *command, volume=None, options=()):
        """A container whose data are in `volume`."""
        volume = f"{volume or name}-{self.mark}"
        self.volumes.add(volume)
        container = Container(f"{name}-{self.mark}")
        self.containers.append(container)
        docker("run", "--detach", "--name", container.name, "--hostname", name, "--network",
               self.network, "--volume", f"{volume}:/var/lib/grange", *options, IMAGE, *command)
        return container

    def end(self):
        for container in self.containers:
            docker("rm", "--force", container.name, check=False)
        for volume in self.volumes:
            docker("volume", "rm", "--force", volume, check=False)
        docker("network", "rm", self.network, check=False)


class Container:
    def __init__(self, name):
        self.name = name

    def grange(self, *arguments, check=True):
        return docker("exec", self.name, "grange", *arguments, check=check).stdout

    def status(self):
        said = self.grange("status", "--json", check=False)
        return json.loads(said) if said.startswith("{") else None

    def own(self):
        return eventually(self.status, JOIN_LIMIT)[0]["nodes"][0]

    def wait_until_it_sees(self, *names):
        def seen():
            """all are seen"""
            status = self.status()
            return status and {n["hostname"] for n in status["nodes"] if n["isUp"]} == set(names)
        try:
            return eventually(seen, JOIN_LIMIT, pause=0.2)[1]
        except AssertionError:
            raise AssertionError(f"{self.name}: {self.status()}\n{self.log()}") from None

    def waits(self, *words):
        def said():
            """it says why it waits"""
            text = "\n".join((self.status() or {}).get("attention", []))
            return text if all(word in text for word in words) else None
        try:
            return eventually(said, JOIN_LIMIT, pause=0.2)[0]
        except AssertionError:
            raise AssertionError(f"{self.name}: {self.status()}\n{self.log()}") from None

    def log(self):
        done = docker("logs", "--tail", "40", self.name, check=False)
        return done.stdout + done.stderr

    def inspect(self, form):
        return docker("inspect", "--format", form, self.name).stdout.strip()

    def remove(self):
        """Stops it as Docker does, and forgets it; its volume stays."""
        docker("stop", "--time", STOP_LIMIT, self.name)
        assert self.inspect("{{.State.ExitCode}}") == "0", self.log()
        docker("rm", self.name)


@pytest.fixture
def engine():
    engine = Engine()
    try:
        yield engine
    finally:
        engine.end()


@pytest.fixture
def founder(engine):
    founder = engine.run("founder", "server", "--quickstart")
    founder.wait_until_it_sees("founder")
    return founder


def test_a_container_joins_and_stays(engine, founder):
    token = founder.grange("invite").strip()
    join = ["--env", f"GRANGE_JOIN={token}"]
    friend = engine.run("friend", options=join)
    friend.wait_until_it_sees("founder", "friend")
    founder.wait_until_it_sees("founder", "friend")
    table = friend.grange("status")
    assert "founder" in table and "friend" in table and "healthy" in table
    identity = friend.own()["id"]
    assert len(identity) == 64 and friend.inspect("{{.Config.User}}") == "grange"
    eventually(lambda: friend.inspect("{{.State.Health.Status}}") == "healthy", HEALTHY_LIMIT, 0.5)

    # The token stays in its environment, and is used by now.
    assert [i["state"] for i in json.loads(founder.grange("invites", "--json"))] == ["used"]
    docker("restart", "--time", STOP_LIMIT, friend.name)
    friend.wait_until_it_sees("founder", "friend")
    assert friend.own()["id"] == identity
    assert "token" not in "\n".join(friend.status()["attention"])

    # An update of the image: another container over the same volume.
    friend.remove()
    friend = engine.run("friend", options=join)
    friend.wait_until_it_sees("founder", "friend")
    assert friend.own()["id"] == identity
    assert len(founder.status()["nodes"]) == 2

    # A volume that was not kept.
    friend.remove()
    empty = engine.run("friend", volume="another", options=join)
    empty.waits("not joined yet", "was used (1 of 1)", "ask for a new one",
                "its folder may not be persistent")
    assert empty.own()["id"] != identity and empty.own()["state"] == "joining"
    assert founder.status()["health"] == "degraded"
    # It is up, and says that it serves nothing: a restart would not help it.
    assert empty.inspect("{{.State.Running}}") == "true"
    assert docker("exec", empty.name, "grange", "status", "--health", check=False).returncode == 1
    # A new token, typed into the waiting container, lets it in.
    empty.grange("join", founder.grange("invite").strip())
    empty.wait_until_it_sees("founder", "friend")


def test_a_token_from_a_secret_file(engine, founder, tmp_path):
    """As Docker hands secrets over: everybody may read the file, and in a container there is nobody else."""
    file = tmp_path / "token"
    file.write_text(founder.grange("invite"))
    file.chmod(0o444)
    friend = engine.run("friend", options=[
        "--volume", f"{file}:/run/secrets/token:ro", "--env",
        "GRANGE_JOIN_FILE=/run/secrets/token"])
    friend.wait_until_it_sees("founder", "friend")
    # Who may inspect the container does not see it.
    assert "GRANGE1" not in friend.log() + docker("inspect", friend.name).stdout

"""Writers and deleters beside a listing, in a process of their own, that remember when they did what."""

import multiprocessing
import random
import threading
import time

from .listings import Change
from .s3 import Client

THREADS = 8


class Churn:
    """Keys that come and go until `stop`, which returns {key: its changes in the order of time}."""

    def __init__(self, server, bucket, keys, present, seed):
        spawning = multiprocessing.get_context("spawn")
        self.stopping = spawning.Event()
        self.pipe, other = spawning.Pipe()
        self.process = spawning.Process(target=run, daemon=True, args=(
            server.host, server.port, server.credentials, bucket, keys,
            {key for key in keys if key in present}, seed, self.stopping, other))
        self.process.start()
        other.close()
        if self.pipe.recv() != "started":
            raise AssertionError("the writers did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()

    def stop(self):
        self.stopping.set()
        changes = self.pipe.recv()
        self.process.join(60)
        if isinstance(changes, str):
            raise AssertionError(changes)
        return changes


def run(host, port, credentials, bucket, keys, present, seed, stopping, pipe):
    changes, failures = {}, []

    def work(number):
        source = random.Random(f"churn {seed} {number}")
        client = Client(host, port, credentials)
        own = keys[number::THREADS]
        there = {key for key in own if key in present}
        try:
            while not stopping.is_set():
                key = source.choice(own)
                change = apply(client, bucket, key, key not in there)
                changes.setdefault(key, []).append(change)
                (there.add if change.is_put else there.discard)(key)
        except Exception as error:
            failures.append(f"a writer beside the listing: {error!r}")

    threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    pipe.send("started")
    for thread in threads:
        thread.join()
    pipe.send(failures[0] if failures else changes)


def apply(client, bucket, key, is_put):
    """Puts or deletes one key."""
    began = time.monotonic()
    response = client.request("PUT" if is_put else "DELETE", bucket, key, body=b"x" if is_put else b"")
    if response.status != (200 if is_put else 204):
        raise AssertionError(f"{response.status} for {key!r}: {response.body[:300]!r}")
    return Change(began, time.monotonic(), is_put)

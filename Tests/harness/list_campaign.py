"""list_campaign.py [KEYS] [--seed N] [--folder F]: listings of a bucket with many keys, alone and beside writers.

Every page of every listing is checked against the known keys (listings.py): complete, in the order of UTF-8,
nothing twice, nothing that is not there. Prints what was read, how fast, and the server's memory. The first
wrong page ends it with exit code 1.
"""

import argparse
import functools
import os
import random
import shutil
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from harness import listings, many_keys, state  # noqa: E402
from harness.churn import Churn, apply  # noqa: E402
from harness.listings import History, Question  # noqa: E402
from harness.server import BUCKET, Server  # noqa: E402

# Pages a second are measured with this many keys and with all of them, page by page in turn from two servers,
# so that both see the same machine.
FEW = 20_000
MEASURED_SECONDS = 5

# Of all keys: how many more are absent at first, and which parts come and go.
ABSENT_PART, CHURNED_PART, OWN_PART = 0.05, 0.1, 0.2

ARROW = "\u2192".encode()


class Campaign:
    """One bucket and all that is known about its keys."""

    def __init__(self, server, bucket, count, seed, report=functools.partial(print, flush=True)):
        self.server = server
        self.bucket = bucket
        self.report = report
        self.seed = seed
        self.source = random.Random(f"campaign {seed}")
        keys = many_keys.make_keys(count + int(count * ABSENT_PART), seed)
        self.filling, absent = keys[:count], keys[count:]
        churned = int(count * CHURNED_PART)
        # In random order, so all these lie between each other.
        self.churned = self.filling[:churned] + absent
        self.own = set(self.filling[churned:churned + int(count * OWN_PART)])
        self.history = History(sorted(keys), set(self.filling))
        self.client = server.client()
        self.pages = 0

    def say(self, text):
        memory = getattr(self.server, "resident_bytes", lambda: 0)() / 1e6
        self.report(f"[{memory:,.0f} MB] {text}")

    def fill(self):
        seconds = many_keys.put_all(self.server, self.bucket, self.filling)
        count = len(self.filling)
        self.say(f"{count:,} keys written in {seconds:.1f} s, {count / seconds:,.0f}/s")

    def alone(self):
        """Every kind of listing while nothing changes."""
        self.say("alone:")
        for question in self.questions():
            self.check(question)
        self.recurse(b"")

    def questions(self):
        keys = self.history.keys
        middle = keys[len(keys) // 2]
        yield Question()
        yield Question(max_keys=997)
        yield Question(delimiter=b"/")
        yield Question(delimiter=b"/", max_keys=997)
        yield Question(delimiter=b"::")
        yield Question(delimiter=ARROW)
        yield Question(b"family/", b"/", 7)
        yield Question(b"paths/", max_keys=333)
        yield Question(after=middle)
        yield Question(after=middle, delimiter=b"/")
        yield Question(after=middle + b"0", max_keys=997)
        yield Question(b"paths/", kind="v1")
        yield Question(b"paths/", b"/", 3, kind="v1")
        yield Question(after=middle, kind="v1")
        yield Question(b"paths/", kind="versions")
        yield Question(b"family/", b"::", kind="versions")
        for key in self.source.sample(keys, 20):
            text = key.decode()
            prefix = text[:self.source.randint(1, len(text))].encode()
            kind = self.source.choice(["v2", "v1", "versions"])
            yield Question(prefix, self.source.choice([b"", b"/", b"::", ARROW, b"a"]), kind=kind)

    def questions_beside_writers(self):
        yield Question()
        yield Question(max_keys=997)
        yield Question(max_keys=997, kind="v1")
        yield Question(delimiter=b"/")
        yield Question(delimiter=ARROW, max_keys=997)
        yield Question(b"paths/", max_keys=7)
        yield Question(b"family/", b"/", 3, kind="v1")
        yield Question(b"family/", kind="versions")

    def ask(self, question, after_page=None):
        listing = listings.read(self.client, self.bucket, question, after_page)
        self.pages += len(listing.pages)
        return listing

    def check(self, question):
        listing = self.history.check(self.ask(question))
        self.tell(question, [listing])

    def tell(self, question, asked):
        pages, seconds = sum(len(one.pages) for one in asked), sum(one.seconds for one in asked)
        self.say(f"  {question}: {sum(len(one.keys) for one in asked):,} keys, "
                 f"{sum(len(one.prefixes) for one in asked):,} common prefixes, {pages:,} pages "
                 f"in {seconds:.1f} s, {pages / max(seconds, 1e-9):,.1f}/s")

    def folders(self, prefix):
        """A listing of each folder below `prefix`, as a file browser would find them."""
        waiting = [prefix]
        while waiting:
            listing = self.ask(Question(waiting.pop(), b"/"))
            waiting += listing.prefixes
            yield listing

    def recurse(self, prefix):
        asked = [self.history.check(listing) for listing in self.folders(prefix)]
        found = sorted(key for listing in asked for key in listing.keys)
        if found != [key for key in self.history.keys
                     if key in self.history.present and key.startswith(prefix)]:
            raise listings.Wrong(f"the folders below {prefix!r} do not hold each key once")
        self.tell(f"each of {len(asked):,} folders below {prefix!r}", asked)

    def beside_writers(self):
        """Listings while keys before, between and behind those shown come and go."""
        own_changes = {}

        def change_last(page):
            """The key that the next page begins behind vanishes, or one that did comes back."""
            key = page.entries[-1] if page.entries else None
            if key in self.own:
                changes = own_changes.setdefault(key, [])
                is_put = bool(changes) and not changes[-1].is_put
                changes.append(apply(self.client, self.bucket, key, is_put))
            elif own_changes and self.source.random() < 0.2:
                key = self.source.choice(list(own_changes))
                is_put = not own_changes[key][-1].is_put
                own_changes[key].append(apply(self.client, self.bucket, key, is_put))

        with Churn(
                self.server, self.bucket, self.churned, self.history.present, self.seed) as churn:
            began = time.monotonic()
            groups = [(question, [self.ask(question, change_last)])
                      for question in self.questions_beside_writers()]
            asked = list(self.folders(b"paths/"))
            groups.append((f"each of {len(asked):,} folders below b'paths/'", asked))
            seconds = time.monotonic() - began
            self.history.changes = churn.stop() | own_changes
        count = sum(len(changes) for changes in self.history.changes.values())
        own = sum(len(changes) for changes in own_changes.values())
        self.say(f"beside writers: {count:,} changes in {seconds:.1f} s, {count / seconds:,.0f}/s, "
                 f"{own} of them at the end of a page")
        for question, asked in groups:
            for listing in asked:
                self.history.check(listing)
            self.tell(question, asked)

    def afterwards(self):
        """Once the writers are gone the listing shows what they left, and nothing else."""
        self.say("afterwards:")
        self.history = History(self.history.keys, self.history.settled())
        self.check(Question())
        self.check(Question(delimiter=b"/"))


def measure(campaigns):
    """Pages a second over one connection each, from request to last byte, one page of each in turn."""
    for text, delimiter in (("flat", b""), ("by /", b"/")):
        streams = [endless(campaign, Question(delimiter=delimiter)) for campaign in campaigns]
        seconds = [[] for _ in campaigns]
        while sum(map(sum, seconds)) < MEASURED_SECONDS * len(campaigns):
            for stream, times in zip(streams, seconds):
                page = next(stream)
                times.append(page.ended - page.began)
        for campaign, times in zip(campaigns, seconds):
            campaign.say(f"{text}, {len(campaign.filling):,} keys: {len(times) / sum(times):,.1f} pages/s, "
                         f"median {sorted(times)[len(times) // 2] * 1e3:.1f} ms")


def endless(campaign, question):
    """Pages of a listing that begins anew at its end; of several only the full ones."""
    while True:
        for number, page in enumerate(listings.pages(campaign.client, campaign.bucket, question)):
            if number == 0 or page.is_truncated:
                yield page


def main():
    options = argparse.ArgumentParser()
    options.add_argument("keys", type=int, nargs="?", default=1_000_000)
    options.add_argument("--seed", type=int, default=int(time.time()))
    options.add_argument(
        "--folder", type=Path, help="keep the servers' files here; a run with the same keys and seed goes on "
        "from the full bucket unless writers have changed it")
    options = options.parse_args()
    print(f"{options.keys:,} keys, seed {options.seed}", flush=True)
    began = time.monotonic()
    folder = options.folder or state.folder("run", f"list-{os.getpid()}")
    servers = [Server(folder / "few"), Server(folder / "many")]
    filled = folder / f"filled-{options.keys}-{options.seed}"
    try:
        few, many = (
            Campaign(server.start(), BUCKET, count, options.seed)
            for server, count in zip(servers, (FEW, options.keys)))
        if not filled.exists():
            few.fill()
            many.fill()
            filled.touch()
        measure([few, many])
        servers[0].stop()
        many.alone()
        filled.unlink()
        many.beside_writers()
        many.afterwards()
    except listings.Wrong as wrong:
        sys.exit(f"WRONG, seed {options.seed}: {wrong}")
    finally:
        for server in servers:
            server.stop()
        if not options.folder:
            shutil.rmtree(folder, ignore_errors=True)
    print(f"{many.pages:,} pages, all right, {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()

"""Listings read page by page, and what each page must show while keys come and go.

A page is checked against the time of its own request: a key that was there during all of it must be shown, one
that was absent during all of it must not be, one that changed meanwhile may be either. That is stricter than the
same for the whole listing. Keys and common prefixes are bytes.
"""

import bisect
import html
import re
import time
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

ABSENT, MAYBE, PRESENT = 0, 1, 2


class Wrong(AssertionError):
    """A listing that cannot be."""


@dataclass
class Page:
    began: float
    ended: float
    keys: list
    prefixes: list
    is_truncated: bool

    @property
    def entries(self):
        return sorted(self.keys + self.prefixes)


@dataclass
class Question:
    """What is asked: of which kind ("v2", "v1", "versions"), and where it begins."""

    prefix: bytes = b""
    delimiter: bytes = b""
    max_keys: int = 1000
    after: bytes = b""
    kind: str = "v2"

    def __str__(self):
        words = [self.kind, f"{self.max_keys} a page"]
        words += [f"prefix {ascii(self.prefix.decode())}"] if self.prefix else []
        words += [f"delimiter {ascii(self.delimiter.decode())}"] if self.delimiter else []
        words += [f"behind {ascii(self.after.decode())}"] if self.after else []
        return ", ".join(words)


class Listing:
    """All pages of a question."""

    def __init__(self, question):
        self.question = question
        self.pages = []

    @property
    def keys(self):
        return [key for page in self.pages for key in page.keys]

    @property
    def prefixes(self):
        return [prefix for page in self.pages for prefix in page.prefixes]

    @property
    def seconds(self):
        """From each request to the last byte of its answer; what the client does between is left out."""
        return sum(page.ended - page.began for page in self.pages)


def read(client, bucket, question, after_page=None):
    """Reads all pages. `after_page` is called with each before the next is asked for."""
    listing = Listing(question)
    for page in pages(client, bucket, question):
        listing.pages.append(page)
        if after_page:
            after_page(page)
    return listing


def pages(client, bucket, question):
    position = first_position(question)
    while True:
        page, following = read_page(client, bucket, question, position)
        yield page
        if not page.is_truncated:
            return
        if not page.keys and not page.prefixes:
            raise Wrong(f"{question}: an empty page says that more follow")
        if following == position:
            raise Wrong(f"{question}: the next page is this one, {position}")
        position = following


def first_position(question):
    names = {"v2": "start-after", "v1": "marker", "versions": "key-marker"}
    return [(names[question.kind], question.after)] if question.after else []


def read_page(client, bucket, question, position):
    """One page, and where the next begins as parameters of the query."""
    query = [("encoding-type", "url"), ("max-keys", str(question.max_keys)), *position]
    query += {"v2": [("list-type", "2")], "v1": [], "versions": [("versions", "")]}[question.kind]
    if question.prefix:
        query.append(("prefix", question.prefix))
    if question.delimiter:
        query.append(("delimiter", question.delimiter))
    began = time.monotonic()
    response = client.request("GET", bucket, query=query)
    ended = time.monotonic()
    if response.status != 200:
        raise Wrong(f"{question} at {position}: {response.status} {response.body[:300]!r}")
    body = response.body
    entry = b"Version" if question.kind == "versions" else b"Contents"
    page = Page(
        began, ended, [name(text) for text in re.findall(b"<%s><Key>([^<]*)<" % entry, body)],
        [name(text) for text in re.findall(b"<CommonPrefixes><Prefix>([^<]*)<", body)],
        b"<IsTruncated>true<" in body)
    if len(page.keys) + len(page.prefixes) > question.max_keys:
        raise Wrong(f"{question} at {position}: more than {question.max_keys}")
    return page, next_position(question.kind, page, body) if page.is_truncated else None


def next_position(kind, page, body):
    if kind == "v2":
        return [("continuation-token", html.unescape(element(body, b"NextContinuationToken").decode()))]
    if kind == "v1":
        # Amazon names the next marker only with a delimiter; else the last key is it.
        return [("marker", name(element(body, b"NextMarker") or b"") or page.keys[-1])]
    # Behind a common prefix there is no version to name.
    version = element(body, b"NextVersionIdMarker")
    return [("key-marker", name(element(body, b"NextKeyMarker"))),
            *([("version-id-marker", name(version))] if version else [])]


def element(body, tag):
    match = re.search(b"<%s>([^<]*)<" % tag, body)
    return match and match.group(1)


def name(text):
    return unquote_to_bytes(html.unescape(text.decode()).replace("+", " "))


@dataclass
class Change:
    began: float
    ended: float
    is_put: bool


@dataclass
class History:
    """All keys that ever were, in order; which were there at first; and what happened to some, key by key in
    the order of time."""

    keys: list
    present: set
    changes: dict = field(default_factory=dict)

    def state(self, key, began, ended):
        """Whether `key` was there between two moments."""
        is_there = key in self.present
        for change in self.changes.get(key, ()):
            if change.began >= ended:
                break
            if change.ended > began:
                return MAYBE
            is_there = change.is_put
        return PRESENT if is_there else ABSENT

    def settled(self):
        """The keys that are there once nothing changes any more."""
        end = time.monotonic()
        return {key for key in self.keys if self.state(key, end, end) == PRESENT}

    def expected(self, question, first, last, began, ended):
        """What a page may show, {key or common prefix: its state}, from index `first` up to the entry `last`,
        or to the end when that is None. The work follows what is shown, not what a common prefix hides."""
        found = {}
        index = first
        while index < len(self.keys):
            key = self.keys[index]
            if not key.startswith(question.prefix):
                break
            cut = key.find(question.delimiter, len(question.prefix)) if question.delimiter else -1
            entry = key if cut < 0 else key[:cut + len(question.delimiter)]
            if last is not None and entry > last:
                break
            state = self.state(key, began, ended)
            if state:
                found[entry] = max(state, found.get(entry, ABSENT))
            if cut >= 0 and state == PRESENT:
                index = bisect.bisect_left(self.keys, successor(entry), index)
            else:
                index += 1
        return found

    def check(self, listing):
        """Raises `Wrong` unless each page shows what it must, in order, behind the page before."""
        question = listing.question
        index = bisect.bisect_left(self.keys, question.prefix)
        if question.after:
            index = max(index, bisect.bisect_right(self.keys, question.after))
        before = None
        for number, page in enumerate(listing.pages):
            where = f"{question}, page {number}"
            entries = page.entries
            for names in (page.keys, page.prefixes, entries):
                for one, two in zip(names, names[1:]):
                    if one >= two:
                        raise Wrong(f"{where}: {two!r} comes behind {one!r}")
            if before is not None and entries and entries[0] <= before:
                raise Wrong(f"{where} overlaps the page before: {entries[0]!r} after {before!r}")
            last = entries[-1] if page.is_truncated else None
            expected = self.expected(question, index, last, page.began, page.ended)
            shown = set(entries)
            lost = [entry for entry, state in expected.items()
                    if state == PRESENT and entry not in shown]
            if lost:
                raise Wrong(f"{where} lacks {len(lost)}, the first {lost[0]!r}")
            foreign = [entry for entry in entries if entry not in expected]
            if foreign:
                raise Wrong(f"{where} shows {len(foreign)} that are not there, the first {foreign[0]!r}")
            for names, are_prefixes in ((page.keys, False), (page.prefixes, True)):
                for entry in names:
                    rest = entry[len(question.prefix):]
                    if are_prefixes != bool(question.delimiter and question.delimiter in rest):
                        raise Wrong(f"{where}: {entry!r} as a {'prefix' if are_prefixes else 'key'}")
            if page.is_truncated:
                before = last
                index = (bisect.bisect_left(self.keys, successor(last)) if last in page.prefixes
                         else bisect.bisect_right(self.keys, last))
        return listing


def successor(entry):
    """The least bytes above all that begin with `entry`, whose last byte, being of UTF-8, is not FF."""
    return entry[:-1] + bytes([entry[-1] + 1])

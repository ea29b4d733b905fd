"""A bucket with many keys: every page of all kinds of listings, alone and beside writers and deleters."""

import random

import pytest

from harness import many_keys
from harness.list_campaign import Campaign
from harness.listings import Change, History, Listing, Page, Question, Wrong
from harness.server import BUCKET, Server

COUNT = 20_000


@pytest.fixture
def own_server(run_folder):
    """Among the keys are some that XML cannot hold, which no test that lists all buckets should meet."""
    server = Server(run_folder / "many-keys")
    server.start()
    try:
        yield server
        assert server.stop() == 0
    finally:
        server.kill()


def test_every_page_of_20_000_keys_is_right_also_beside_writers(own_server, request):
    seed = request.config.getoption("seed") or random.randrange(1 << 32)
    print(f"seed {seed}")  # shown by a failure
    campaign = Campaign(own_server, BUCKET, COUNT, seed)
    campaign.fill()
    campaign.alone()
    campaign.beside_writers()
    campaign.afterwards()


KEYS = sorted(many_keys.make_keys(400, 1))


def listing(question, keys):
    """What a server that holds `keys` would answer in the second from 10 to 11, by the slow way."""
    result = Listing(question)
    entries = []
    for key in keys:
        cut = key.find(question.delimiter) if question.delimiter else -1
        entry = (key if cut < 0 else key[:cut + len(question.delimiter)], cut >= 0)
        if entry not in entries[-1:]:
            entries.append(entry)
    for start in range(0, len(entries), question.max_keys):
        shown = entries[start:start + question.max_keys]
        result.pages.append(Page(
            10, 11, [name for name, is_prefix in shown if not is_prefix],
            [name for name, is_prefix in shown if is_prefix],
            start + question.max_keys < len(entries)))
    return result


@pytest.mark.parametrize("delimiter", [b"", b"/", b"::", "\u2192".encode()], ids=ascii)
def test_the_check_accepts_what_is_right(delimiter):
    question = Question(delimiter=delimiter, max_keys=7)
    History(KEYS, set(KEYS)).check(listing(question, KEYS))


def lose(pages):
    pages[3].keys.pop(2)


def lose_the_last_of_a_page(pages):
    pages[3].keys.pop()


def lose_a_page(pages):
    pages.pop(3)


def lose_the_end(pages):
    pages.pop()
    pages[-1].is_truncated = False


def double(pages):
    pages[4].keys.insert(0, pages[3].keys[-1])


def swap(pages):
    keys = pages[3].keys
    keys[1], keys[2] = keys[2], keys[1]


def invent(pages):
    pages[3].keys.insert(2, pages[3].keys[1] + b"-not-there")


@pytest.mark.parametrize(
    "damage", [lose, lose_the_last_of_a_page, lose_a_page, lose_the_end, double, swap, invent])
def test_the_check_finds_a_damage(damage):
    damaged = listing(Question(max_keys=7), KEYS)
    damage(damaged.pages)
    with pytest.raises(Wrong):
        History(KEYS, set(KEYS)).check(damaged)


def test_the_check_finds_a_common_prefix_that_is_lost_or_shown_as_a_key():
    question = Question(delimiter=b"/", max_keys=1000)
    lost = listing(question, KEYS)
    lost.pages[0].prefixes.pop(0)
    shown = listing(question, KEYS)
    shown.pages[0].keys = sorted([*shown.pages[0].keys, shown.pages[0].prefixes.pop(0)])
    for wrong in (lost, shown):
        with pytest.raises(Wrong):
            History(KEYS, set(KEYS)).check(wrong)


@pytest.mark.parametrize("was_there", [False, True])
@pytest.mark.parametrize("began, ended, is_put, may_be_shown, may_be_lost", [
    (1, 2, True, True, False), (1, 2, False, False, True),  # before the page
    (1, 10.5, True, True, True), (10.2, 10.5, False, True, True), (10.5, 12, True, True, True),
    (11, 12, True, None, None), (11.5, 12, False, None, None),  # behind it: as it was
])
def test_the_check_knows_when_a_key_changed(
        began, ended, is_put, may_be_shown, may_be_lost, was_there):
    key = KEYS[50]
    rest = [other for other in KEYS if other != key]
    present = set(KEYS) if was_there else set(rest)
    history = History(KEYS, present, {key: [Change(began, ended, is_put)]})
    question = Question(max_keys=7)
    for keys, is_right in (
        (KEYS, was_there if may_be_shown is None else may_be_shown),
        (rest, not was_there if may_be_lost is None else may_be_lost),
    ):
        if is_right:
            history.check(listing(question, keys))
        else:
            with pytest.raises(Wrong):
                history.check(listing(question, keys))

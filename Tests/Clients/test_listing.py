"""Listings equal a reference computed from the keys, page by page, for both versions of the call."""

import random

import pytest

from Clients import boto, listing
from harness import names

SEED = 20


@pytest.fixture(scope="module")
def filled(server):
    """A bucket with keys that share prefixes."""
    s3 = boto.client(server)
    bucket = "listing"
    s3.create_bucket(Bucket=bucket)
    keys = names.random_keys(300, SEED)
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return s3, bucket, keys


def pages_v2(s3, **query):
    """All pages: (keys, prefixes) in the order of the answers."""
    keys, prefixes, token, count = [], [], {}, 0
    while True:
        page = s3.list_objects_v2(**query, **token)
        shown = [entry["Key"] for entry in page.get("Contents", [])]
        groups = [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        assert page["KeyCount"] == len(shown) + len(groups) <= query.get("MaxKeys", 1000)
        keys += shown
        prefixes += groups
        count += 1
        if not page["IsTruncated"]:
            return keys, prefixes, count
        assert shown or groups, "an empty page that says more follow"
        token = {"ContinuationToken": page["NextContinuationToken"]}


def pages_v1(s3, **query):
    keys, prefixes, marker = [], [], {}
    while True:
        page = s3.list_objects(**query, **marker)
        shown = [entry["Key"] for entry in page.get("Contents", [])]
        groups = [entry["Prefix"] for entry in page.get("CommonPrefixes", [])]
        keys += shown
        prefixes += groups
        if not page["IsTruncated"]:
            return keys, prefixes
        # Amazon names the next marker only with a delimiter; else the last key is it.
        marker = {"Marker": page.get("NextMarker") or shown[-1]}


QUERIES = [
    ("", ""), ("", "/"), ("a", ""), ("a", "/"), ("a/", "/"), ("", "a"), ("a b", "/"), ("", "//"),
    ("\u00e9", "/"), ("", "\U0001f600"), ("none", "/"), ("/", "/"), ("", "ab"), ("ab", "b"),
]


@pytest.mark.parametrize("limit", [1, 2, 7, 100, 1000])
@pytest.mark.parametrize("prefix, delimiter", QUERIES, ids=ascii)
def test_every_page_together_is_the_reference(filled, prefix, delimiter, limit):
    s3, bucket, keys = filled
    expected = listing.everything(keys, prefix, delimiter)
    query = {"Bucket": bucket, "Prefix": prefix, "Delimiter": delimiter, "MaxKeys": limit}
    got_keys, got_prefixes, _ = pages_v2(s3, **query)
    assert (got_keys, got_prefixes) == expected
    assert pages_v1(s3, **query) == expected


@pytest.mark.parametrize("delimiter", ["", "/", "b"])
def test_start_after_and_marker_begin_behind_it(filled, delimiter):
    s3, bucket, keys = filled
    source = random.Random(SEED)
    starts = source.sample(keys, 12) + ["a", "b/", "\u00e9\u00e9", "zzz", "0", "\U0001f600/"]
    for start in starts:
        contents, prefixes, more = listing.page(keys, "", delimiter, start)
        assert not more
        got = s3.list_objects_v2(Bucket=bucket, StartAfter=start, Delimiter=delimiter)
        assert [entry["Key"] for entry in got.get("Contents", [])] == contents, start
        assert [entry["Prefix"] for entry in got.get("CommonPrefixes", [])] == prefixes, start
        contents, prefixes, _ = listing.page(keys, "", delimiter, start, is_marker=True)
        got = s3.list_objects(Bucket=bucket, Marker=start, Delimiter=delimiter)
        assert [entry["Key"] for entry in got.get("Contents", [])] == contents, start
        assert [entry["Prefix"] for entry in got.get("CommonPrefixes", [])] == prefixes, start


def test_an_entry_says_size_time_and_etag(filled):
    s3, bucket, keys = filled
    for entry in s3.list_objects_v2(Bucket=bucket, MaxKeys=20)["Contents"]:
        head = s3.head_object(Bucket=bucket, Key=entry["Key"])
        assert entry["Size"] == head["ContentLength"] == len(entry["Key"].encode())
        assert entry["ETag"] == head["ETag"]
        assert entry["LastModified"] == head["LastModified"]


def test_a_limit_of_zero_shows_nothing(filled):
    s3, bucket, _ = filled
    page = s3.list_objects_v2(Bucket=bucket, MaxKeys=0)
    assert (page["KeyCount"], page["IsTruncated"]) == (0, False)


def test_a_limit_above_a_thousand_is_a_thousand(server, filled):
    _, bucket, _ = filled
    response = server.client().request(
        "GET", bucket, query=[("list-type", "2"), ("max-keys", "100000")])
    assert (response.status, response.xml.findtext("MaxKeys")) == (200, "1000")


@pytest.mark.parametrize(
    "query", [("max-keys", "-1"), ("max-keys", "x"), ("continuation-token", "not ours!"),
              ("continuation-token", ""), ("encoding-type", ""), ("list-type", "1")])
def test_nonsense_is_refused(server, filled, query):
    _, bucket, _ = filled
    query = [query] if query[0] == "list-type" else [("list-type", "2"), query]
    response = server.client().request("GET", bucket, query=query)
    assert (response.status, response.code) == (400, "InvalidArgument")


def test_the_url_encoding_of_names_is_only_on_request(server, s3, bucket):
    s3.put_object(Bucket=bucket, Key="a b&<\u00e9/+", Body=b"x")
    client = server.client()
    plain = client.request("GET", bucket, query=[("list-type", "2")])
    assert plain.xml.findtext("Contents/Key") == "a b&<\u00e9/+"
    assert plain.xml.find("EncodingType") is None
    coded = client.request("GET", bucket, query=[("list-type", "2"), ("encoding-type", "url")])
    assert coded.xml.findtext("Contents/Key") in ("a%20b%26%3C%C3%A9/%2B", "a+b%26%3C%C3%A9/%2B")
    assert coded.xml.findtext("EncodingType") == "url"

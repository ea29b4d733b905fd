"""User metadata that is not ASCII: boto3 refuses to send it, other clients send it raw or in encoded words."""

import base64
import email.header

import pytest

from Clients import boto

TEXT = "Grüße aus Köln, “日本” 📈"
LATIN = "Grüße"


def decoded(value):
    """As a client decodes RFC 2047."""
    return str(email.header.make_header(email.header.decode_header(value)))


def word(text, charset="utf-8", encoding="b"):
    kind = email.header.Header(text, charset, maxlinelen=10_000)
    kind._charset.header_encoding = {
        "b": email.charset.BASE64, "q": email.charset.QP}[encoding]
    return kind.encode(maxlinelen=0)


@pytest.fixture
def put(server, bucket):
    """Stores an object with the metadata `note`, given as bytes, and returns its status."""
    client = server.client()

    def put(key, note, **headers):
        text = note.decode(errors="surrogateescape")
        signed = client.credentials.sign(
            "PUT", f"/{bucket}/{key}", [], {"host": client.host, "x-amz-meta-note": text, **headers})
        signed["x-amz-meta-note"] = note
        signed["content-length"] = "1"
        return client.send("PUT", f"/{bucket}/{key}", "", signed, b"x").status

    return put


@pytest.mark.parametrize("note, text", [
    (TEXT.encode(), TEXT), (LATIN.encode(), LATIN), (LATIN.encode("latin-1"), LATIN),
    (word(TEXT).encode(), TEXT), (word(TEXT, encoding="q").encode(), TEXT),
    (word(LATIN, "iso-8859-1", "q").encode(), LATIN), (word("plain").encode(), "plain"),
    # A text of many words.
    ((TEXT * 20).encode(), TEXT * 20), (word(TEXT * 20).encode(), TEXT * 20),
])
def test_text_comes_back_in_encoded_words(s3, server, bucket, put, note, text):
    assert put("object", note) == 200
    s3.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "object"})
    for key in "object", "copy":
        for call in s3.head_object, s3.get_object:
            value = call(Bucket=bucket, Key=key)["Metadata"]["note"]
            # Programs in Rust take nothing else in a header.
            assert value.isascii() and value.isprintable()
            assert all(len(part) <= 75 for part in value.split(" "))
            assert decoded(value) == text
    # What was given back can be sent again, as a client does that copies metadata.
    value = s3.head_object(Bucket=bucket, Key="object")["Metadata"]["note"]
    s3.put_object(Bucket=bucket, Key="again", Body=b"x", Metadata={"note": value})
    assert s3.head_object(Bucket=bucket, Key="again")["Metadata"]["note"] == value


@pytest.mark.parametrize("note", [
    "plain text", "a=b; c=\"d\" 100%", "=?UTF-8?B?w4?=", "=?UTF-8?Q?=C3?=", "=?koi8-r?B?8NLJ?=",
    "=?UTF-8?Q?open", "x=?UTF-8?Q?=C3=A9?=", "rl0YNDkPTwexOMfpKP6sBg==",
])
def test_other_text_comes_back_as_it_is(s3, bucket, note):
    s3.put_object(Bucket=bucket, Key="object", Body=b"x", Metadata={"note": note})
    assert s3.head_object(Bucket=bucket, Key="object")["Metadata"] == {"note": note}


def test_no_text_becomes_a_header(s3, server, bucket):
    text = "a\r\nx-amz-meta-b: c\r\n\r\n<html>"
    hostile = f"=?utf-8?b?{base64.b64encode(text.encode()).decode()}?="
    s3.put_object(Bucket=bucket, Key="object", Body=b"x", Metadata={"note": hostile})
    response = server.client().request("HEAD", bucket, "object")
    assert decoded(response.headers["x-amz-meta-note"]) == text
    assert "x-amz-meta-b" not in response.headers


def test_the_limit_counts_the_text(put):
    """S3's 2 KiB are the bytes of names and values in UTF-8, however they travel."""
    fits = "é" * 1022  # 2,044 bytes, and 4 of the name
    assert put("object", fits.encode()) == 200
    assert put("object", fits.encode("latin-1")) == 200
    assert put("object", word(fits).encode()) == 200
    for note in ((fits + "a").encode(), (fits + "a").encode("latin-1"), word(fits + "a").encode()):
        assert put("object", note) == 400


def test_other_headers_come_back_byte_for_byte(server, bucket):
    """Browsers read UTF-8 in a Content-Disposition, and no encoded words around all of it."""
    client = server.client()
    disposition = "attachment; filename=\"Grüße.txt\""
    signed = client.credentials.sign(
        "PUT", f"/{bucket}/object", [], {"host": client.host, "content-disposition": disposition})
    signed["content-disposition"] = disposition.encode()
    signed["content-length"] = "1"
    assert client.send("PUT", f"/{bucket}/object", "", signed, b"x").status == 200
    value = client.request("HEAD", bucket, "object").headers["content-disposition"]
    assert value.encode("latin-1") == disposition.encode()


def test_presigned_metadata_is_text_too(s3, server, bucket):
    url = boto.client(server).generate_presigned_url(
        "put_object", Params={"Bucket": bucket, "Key": "object", "Metadata": {"note": word(TEXT)}})
    path = url.removeprefix(server.endpoint).split("?")
    response = server.client().send(
        "PUT", path[0], path[1],
        {"host": server.client().host, "content-length": "1", "x-amz-meta-note": word(TEXT)}, b"x")
    assert response.status == 200, response.body
    assert decoded(s3.head_object(Bucket=bucket, Key="object")["Metadata"]["note"]) == TEXT

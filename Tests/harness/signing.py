"""AWS Signature Version 4, written from the specification, so that a test can also sign wrongly."""

import datetime
import functools
import hashlib
import hmac
import re
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"


def encode(text, keep="-._~"):
    """Percent-coding of a name or value as S3 signs it."""
    return quote(text, safe=keep)


def encode_key(key):
    return quote(key, safe="-._~/")


def timestamp(shift=0):
    now = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=shift)
    return now.strftime("%Y%m%dT%H%M%SZ")


def canonical_query(query):
    pairs = sorted((encode(name), encode(value)) for name, value in query)
    return "&".join(f"{name}={value}" for name, value in pairs)


@functools.lru_cache(maxsize=64)
def signing_key(secret_key, day, region):
    key = f"AWS4{secret_key}".encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key


class Credentials:
    def __init__(self, access_key, secret_key, region="grange"):
        self.access_key = access_key
        self.secret_key = secret_key
        self.region = region
        # By how many seconds the clock that signs is off.
        self.clock_shift = 0

    def signing_key(self, day):
        return signing_key(self.secret_key, day, self.region)

    def signature(self, method, path, query, headers, payload_hash, date):
        names = ";".join(sorted(headers))
        # Trimall of the specification: a day below 10 has two spaces before it in an asctime date.
        values = {name: re.sub(r"[ \t]+", " ", headers[name].strip()) for name in headers}
        lines = "".join(f"{name}:{values[name]}\n" for name in sorted(headers))
        request = f"{method}\n{path}\n{canonical_query(query)}\n{lines}\n{names}\n{payload_hash}"
        scope = f"{date[:8]}/{self.region}/s3/aws4_request"
        # A header's bytes that are not UTF-8 stand in the text as Python keeps them in names of files.
        digest = hashlib.sha256(request.encode(errors="surrogateescape")).hexdigest()
        text = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        code = hmac.new(self.signing_key(date[:8]), text.encode(), hashlib.sha256).hexdigest()
        return code, scope, names

    def sign(self, method, path, query, headers, payload_hash=UNSIGNED, date=None):
        """Adds the signing headers to `headers` (lower-case names, `host` among them)."""
        date = date or timestamp(self.clock_shift)
        headers = {**headers, "x-amz-date": date, "x-amz-content-sha256": payload_hash}
        code, scope, names = self.signature(method, path, query, headers, payload_hash, date)
        headers["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, "
            f"SignedHeaders={names}, Signature={code}")
        return headers

    def presign(self, method, host, path, query=(), expires=600, date=None):
        """The query of a presigned request, ready to be put behind `path?`."""
        date = date or timestamp()
        scope = f"{date[:8]}/{self.region}/s3/aws4_request"
        query = list(query) + [
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", f"{self.access_key}/{scope}"),
            ("X-Amz-Date", date),
            ("X-Amz-Expires", str(expires)),
            ("X-Amz-SignedHeaders", "host"),
        ]
        code, _, _ = self.signature(method, path, query, {"host": host}, UNSIGNED, date)
        return f"{canonical_query(query)}&X-Amz-Signature={code}"

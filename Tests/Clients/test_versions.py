"""The clients are recent enough to behave as today's do: SDKs since January 2025 send CRC trailers."""

from importlib.metadata import version


def at_least(package, *minimum):
    return tuple(int(part) for part in version(package).split(".")[:2]) >= minimum


def test_awscli_is_recent():
    assert at_least("awscli", 1, 37)


def test_boto3_is_recent():
    assert at_least("boto3", 1, 36)

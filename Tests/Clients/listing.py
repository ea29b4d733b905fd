"""What a listing must answer, computed the slow way from the set of all keys."""


def utf8(key):
    return key.encode()


def prefix_of(key, prefix, delimiter):
    """The common prefix that `key` is rolled up to, if any."""
    rest = key[len(prefix):]
    if key.startswith(prefix) and delimiter and delimiter in rest:
        return prefix + rest[:rest.index(delimiter) + len(delimiter)]
    return None


def page(keys, prefix="", delimiter="", after="", limit=1000, is_marker=False):
    """One page behind `after`: keys, common prefixes, whether more follow.

    With `is_marker`, a common prefix that `after` is or lies in is not shown.
    """
    entries = []
    group = prefix_of(after, prefix, delimiter) if is_marker else None
    for key in sorted(keys, key=utf8):
        if not key.startswith(prefix):
            continue
        found = prefix_of(key, prefix, delimiter)
        entry = (found, True) if found else (key, False)
        if after and (utf8(key) <= utf8(after) or group and found == group):
            continue
        if entry not in entries[-1:]:
            entries.append(entry)
    shown = entries[:limit]
    return (
        [name for name, is_prefix in shown if not is_prefix],
        [name for name, is_prefix in shown if is_prefix],
        len(entries) > limit,
    )


def everything(keys, prefix="", delimiter=""):
    contents, prefixes, _ = page(keys, prefix, delimiter, limit=len(keys) + 1)
    return contents, prefixes

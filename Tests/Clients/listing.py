"""What a listing must answer, computed the slow way from the set of all keys."""


def utf8(key):
    return key.encode()


def page(keys, prefix="", delimiter="", after="", limit=1000):
    """One page: keys, common prefixes, whether more follow. `after` is the last entry of before."""
    entries = []
    for key in sorted(keys, key=utf8):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        if delimiter and delimiter in rest:
            entry = (prefix + rest[:rest.index(delimiter) + len(delimiter)], True)
        else:
            entry = (key, False)
        if not is_after(entry, key, after):
            continue
        if entry not in entries[-1:]:
            entries.append(entry)
    shown = entries[:limit]
    return (
        [name for name, is_prefix in shown if not is_prefix],
        [name for name, is_prefix in shown if is_prefix],
        len(entries) > limit,
    )


def is_after(entry, key, after):
    """A prefix that the marker lies in was already shown when the marker is that prefix itself."""
    name, is_prefix = entry
    if is_prefix and after and utf8(after).startswith(utf8(name)) and utf8(name) == utf8(after):
        return False
    return not after or utf8(key) > utf8(after)


def everything(keys, prefix="", delimiter=""):
    contents, prefixes, _ = page(keys, prefix, delimiter, limit=len(keys) + 1)
    return contents, prefixes

"""What a listing must answer, computed the slow way from the set of all keys."""


def utf8(key):
    return key.encode()


def page(keys, prefix="", delimiter="", after="", limit=1000, is_marker=False):
    """One page behind `after`: keys, common prefixes, whether more follow.

    With `is_marker`, `after` may be the last entry of a page before, and a common prefix is not shown twice.
    """
    entries = []
    for key in sorted(keys, key=utf8):
        if not key.startswith(prefix):
            continue
        rest = key[len(prefix):]
        if delimiter and delimiter in rest:
            entry = (prefix + rest[:rest.index(delimiter) + len(delimiter)], True)
        else:
            entry = (key, False)
        if after and (utf8(key) <= utf8(after) or is_marker and entry == (after, True)):
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

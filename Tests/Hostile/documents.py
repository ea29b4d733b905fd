"""XML that is not what it seems: it grows when it is read, or is much where little is expected."""

MEBIBYTE = 1 << 20
ROOT = "CompleteMultipartUpload"


def laughs(levels=12):
    """Ten times the one before, `levels` times: a billion laughs."""
    entities = '<!ENTITY e0 "ha">' + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, levels))
    return (f"<?xml version='1.0'?><!DOCTYPE x [{entities}]>"
            f"<{ROOT}><Part><ETag>&e{levels - 1};</ETag></Part></{ROOT}>")


def quadratic():
    """One long entity, used often."""
    return (f'<!DOCTYPE x [<!ENTITY a "{"a" * 100_000}">]><{ROOT}>{"&a;" * 10_000}</{ROOT}>')


def outside(path):
    """Asks for a file of the server's."""
    return f'<!DOCTYPE x [<!ENTITY f SYSTEM "file://{path}">]><{ROOT}>&f;</{ROOT}>'


def parameter_entities():
    return ('<!DOCTYPE x [<!ENTITY % a "<!ENTITY b SYSTEM \'http://127.0.0.1:1/\'>"> %a;]>'
            f"<{ROOT}>&b;</{ROOT}>")


def deep(levels=200_000):
    return f"<{ROOT}>" + "<a>" * levels + "</a>" * levels + f"</{ROOT}>"


def unclosed(levels=1_000_000):
    return f"<{ROOT}>" + "<a>" * levels


def attributes(count=300_000):
    return f"<{ROOT} " + " ".join(f'a{n}="{n}"' for n in range(count)) + f"/>"


def long_attribute(size=4 * MEBIBYTE - 100):
    return f'<{ROOT} a="{"x" * size}"/>'


def long_name(size=2 * MEBIBYTE - 100):
    return f"<{'a' * size}></{'a' * size}>"


def elements(count=900_000):
    return f"<{ROOT}>" + "<a/>" * count + f"</{ROOT}>"


def namespaces(count=20_000):
    return f"<{ROOT}>" + "".join(f'<n{n}:a xmlns:n{n}="{"u" * 100}"/>' for n in range(count)) + f"</{ROOT}>"


def comments():
    return f"<{ROOT}><!--" + "-x" * MEBIBYTE + f"--></{ROOT}>"


def parts(numbers, etag="0" * 32, spaces=""):
    return completion(((number, etag) for number in numbers), spaces)


def completion(named, spaces=""):
    """Of parts named by pairs of a number and an ETag."""
    return f"<{ROOT}>" + "".join(
        f"<Part>{spaces}<PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        for number, etag in named) + f"</{ROOT}>"


def bombs(secret_file):
    """Each of which must be refused, by name."""
    return {
        "entities of entities": laughs(),
        "one long entity": quadratic(),
        "an entity of a file": outside(secret_file),
        "parameter entities": parameter_entities(),
        "deep": deep(),
        "never closed": unclosed(),
        "attributes": attributes(),
        "a long attribute": long_attribute(),
        "a long name": long_name(),
        "elements": elements(),
        "namespaces": namespaces(),
        "a long comment": comments(),
        "10,001 parts": parts(range(1, 10_002)),
        "a part 10,000 times": parts([1] * 10_000),
        "parts that are none": parts(range(1, 10_001)),
        "parts backwards": parts(range(10_000, 0, -1)),
        "part numbers too large": parts(range(1 << 62, (1 << 62) + 10_000)),
        "long ETags": parts(range(1, 2000), etag="f" * 2000),
        "zero bytes": "\0" * MEBIBYTE,
        "no XML": "{" * MEBIBYTE,
    }

"""Ways in which a secret that is known may be written."""

import json
import re
from base64 import b64encode
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORTEST = 8
"""A value of fewer characters is as likely a word."""

_PERCENT = re.compile(rb"%([0-9A-Fa-f]{2})")


def ways(value: str) -> Iterator[str]:
    """How a value may be written."""
    value = str(value)  # a Secret hides itself where it is shown
    yield value
    yield quote(value, safe="", errors="surrogatepass")
    yield quote_plus(value, errors="surrogatepass")
    for is_plain in (True, False):
        yield json.dumps(value, ensure_ascii=is_plain)[1:-1]
    yield repr(value)[1:-1]
    for way in _in_base64(value.encode(errors="surrogatepass")):
        if len(way) >= SHORTEST:
            yield way
            yield way.translate(str.maketrans("+/", "-_"))
    if "\n" in value.strip():
        yield from (line.strip() for line in value.splitlines() if len(line.strip()) >= 2 * SHORTEST and not line.startswith("-----"))


def _in_base64(value: bytes) -> Iterator[str]:
    """Alone, and what of it is the same whatever stands before and behind."""
    alone = b64encode(value).decode()
    yield alone
    yield alone.rstrip("=")
    for before in range(3):
        coded = b64encode(b"\0" * before + value).decode()
        end = len(coded) if coded[-1:] != "=" else len(coded.rstrip("=")) - 1
        yield coded[(0, 2, 3)[before] : end]


def without_encoded(text: str, values: Iterable[str], instead: str) -> tuple[str, set[str]]:
    """The text without values of which any characters are percent-encoded, and which these were."""
    raw = text.encode(errors="surrogatepass")
    if "%" not in text or not _PERCENT.search(raw):
        return text, set()
    plain = _PERCENT.sub(lambda found: bytes((int(found[1], 16),)), raw)
    where = [found.start() for found in _PERCENT.finditer(raw)]
    shortened = [start - 2 * number for number, start in enumerate(where)]  # where those characters are in what is plain
    found, gone = set(), []
    for value in values:
        written = value.encode(errors="surrogatepass")
        at = plain.find(written)
        while written and at >= 0:
            found.add(value)
            gone.append((at, at + len(written)))
            at = plain.find(written, at + len(written))
    if not gone:
        return text, found
    return _cut(raw, [(_raw(start, shortened), _raw(end, shortened)) for start, end in sorted(gone)], instead), found


def _raw(at: int, shortened: list[int]) -> int:
    """Where a place in the plain text is in the encoded one."""
    return at + 2 * bisect_right(shortened, at - 1)


def _cut(raw: bytes, spans: list[tuple[int, int]], instead: str) -> str:
    parts, at = [], 0
    for start, end in spans:
        if start >= at:
            parts += [raw[at:start].decode(errors="replace"), instead]
        at = max(at, end)
    return "".join((*parts, raw[at:].decode(errors="replace")))

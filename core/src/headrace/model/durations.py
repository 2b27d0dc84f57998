"""Lengths of time as they are written, 2, 30s, 5m, 1h30m, 1d, 2w, and as they are told to people."""

import re
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise

LONGEST = timedelta(days=36_500)
"""A hundred years: what is longer is a slip, and no calendar holds it."""

_SECONDS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)([wdhms])")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_MICROSECONDS = 1_000_000


def duration(text: str) -> timedelta:
    """The length of time that a text says; a number alone is seconds. Raises ValueError with a sentence for what says none."""
    written = text.strip()
    if _NUMBER.fullmatch(written):
        parts = [(written, "s")]
    elif _WHOLE.fullmatch(written):
        parts = [(found[1], found[2]) for found in _PART.finditer(written)]
    else:
        raise ValueError(f"{text!r} is no length of time; write seconds, or numbers with w, d, h, m or s, as 30s or 5m or 1h30m")
    places = [tuple(_SECONDS).index(unit) for _, unit in parts]
    if any(one >= other for one, other in pairwise(places)):
        raise ValueError(f"{text!r} is no length of time; its units go from the greatest to the least, each once, as 30s or 5m or 1h30m")
    if any(len(number.partition(".")[0]) > len("3153600000") for number, _ in parts):  # longer than a hundred years in seconds
        raise ValueError(f"{text!r} is more than a hundred years")
    found = timedelta(microseconds=round(sum(Fraction(number[:40]) * _SECONDS[unit] for number, unit in parts) * _MICROSECONDS))
    if found > LONGEST:
        raise ValueError(f"{text!r} is more than a hundred years")
    return found


def written_duration(length: timedelta) -> str:
    """The shortest text that says a length of time of 0 or more."""
    left, texts = length // timedelta(microseconds=1), []
    for unit, seconds in _SECONDS.items():
        count, left = divmod(left, seconds * _MICROSECONDS)
        if unit == "s" and left:
            texts.append(f"{count}.{left:06}".rstrip("0") + unit)
        elif count:
            texts.append(f"{count}{unit}")
    return "".join(texts) or "0s"


def told_duration(seconds: float) -> str:
    """A length of time, as exactly as people care for: 0.09s, 12.3s, 3m 4s, 2h 5m, 4d 3h."""
    if seconds < 9.995:
        return f"{seconds:.2f}s"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for size, unit, small, small_unit in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "m")):
        if whole >= size:
            return f"{whole // size}{unit} {whole % size // small}{small_unit}"
    return f"{whole // 60}m {whole % 60}s"

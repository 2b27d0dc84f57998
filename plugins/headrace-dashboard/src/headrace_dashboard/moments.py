"""Moments and numbers as addresses and forms say them."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from headrace.errors import InvalidOption

MOST_DIGITS = 15


def whole_number(text: str) -> int | None:
    """What is written in digits, of which there are not too many; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def moment_of(name: str, text: str, zone: ZoneInfo) -> datetime | None:
    """The moment that is written; one without an offset is by the clocks of the zone; None where nothing is. Raises InvalidOption."""
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo is not None else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        why = "it is a day and a time such as 2026-03-02T09:30, with or without an offset"
        raise InvalidOption(where="the address of this page", option=name, value=text[:100], why=why) from None

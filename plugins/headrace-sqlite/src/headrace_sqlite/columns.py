"""Values as columns hold them."""

from datetime import datetime

from headrace.wire import plain


def moment_text(moment: datetime) -> str:
    """A moment in UTC, so that texts sort as moments do."""
    return plain.moment_text(moment)


def hour_text(moment: datetime) -> str:
    """The hour of a moment: how the text of every moment in it begins."""
    return moment_text(moment)[: len("2026-01-01T00")]


def storable(text: str) -> str:
    """The text, with halves of surrogate pairs (in names of files, say) written out, since no file can hold those.

    In JSON text they are written out as JSON would, and are read back as they were.
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")

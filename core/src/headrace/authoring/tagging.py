"""Tags for every run that begins inside."""

from collections.abc import Iterator
from contextlib import contextmanager

from headrace.engine.run_context import AMBIENT_TAGS
from headrace.model.tags import as_tags


@contextmanager
def tags(*given: str) -> Iterator[set[str]]:
    """Adds tags to all flow runs and task runs called inside; nested ones add up. Gives the tags in force."""
    token = AMBIENT_TAGS.set(as_tags((*AMBIENT_TAGS.get(), *given)))
    try:
        yield set(AMBIENT_TAGS.get())
    finally:
        AMBIENT_TAGS.reset(token)

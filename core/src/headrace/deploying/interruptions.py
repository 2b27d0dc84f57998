"""What user code raises in a child to be stopped, such as KeyboardInterrupt: a child has a session of its own, so nobody else interrupts it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from headrace.errors import CodeUnusable
from headrace.packaging.loading import said_by_user, users_frames


@contextmanager
def interruptions_told(what: str, root: Path | None) -> Iterator[None]:
    """Inside, what is no Exception is said as everything else is that user code raises. Raises CodeUnusable."""
    try:
        yield
    except Exception:
        raise
    except BaseException as error:
        raise CodeUnusable(what=what, why=said_by_user(error, root)) from error.with_traceback(users_frames(error))

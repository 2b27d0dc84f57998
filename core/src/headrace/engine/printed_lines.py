"""What is printed, a whole line at a time.

Python holds back what is printed into a pipe until there is enough of it: lines come late, and are lost when the process is killed. Told not to, it
writes every piece of a line for itself, and the lines of several threads get mixed. Here each thread completes its line, which is then written at once.
"""

import io
import os
import select
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

from headrace.engine.output import LONGEST

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_BY_LINES = 1  # _IOLBF of C


class _Begun:
    """A line that a thread has begun; it is written as far as it got when the thread ends."""

    def __init__(self, lines: "Lines") -> None:
        self.content = bytearray()
        self._lines = lines
        self._process = os.getpid()

    def __del__(self) -> None:
        if self.content and self._process == os.getpid():  # in a forked child, it is the parent's to write
            self._lines.write_begun((self,))


class Lines(io.BufferedIOBase):
    """A binary stream to a descriptor, which stays open when this is closed. `flush` writes what the calling thread has begun."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.raw = io.FileIO(descriptor, "w", closefd=False)
        self.name, self.mode = name, "wb"
        self.begin_anew()

    def begin_anew(self) -> None:
        """Forgets which lines were begun, as a forked child does."""
        self._lock = threading.RLock()  # a signal handler may print while its thread does
        self._own = threading.local()
        self._begun: WeakSet[_Begun] = WeakSet()

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.raw.fileno()

    def isatty(self) -> bool:
        return self.raw.isatty()

    def write(self, content: "ReadableBuffer", /) -> int:
        if self.closed:
            raise ValueError("write to closed file")
        data = bytes(memoryview(content))
        with self._lock:
            begun = self._of_this_thread().content
            begun += data
            end = begun.rfind(b"\n", len(begun) - len(data)) + 1
            if len(begun) - end >= LONGEST:
                end = len(begun)
            if end:
                ready = bytes(begun[:end])
                del begun[:end]
                self._write_out(ready)
        return len(data)

    def flush(self) -> None:
        super().flush()
        self.write_begun((self._of_this_thread(),))

    def flush_all(self) -> None:
        """Writes what any thread has begun."""
        with self._lock:
            self.write_begun(tuple(self._begun))

    def write_begun(self, lines: Iterable[_Begun]) -> None:
        """Writes lines as far as they got."""
        with self._lock:
            for begun in lines:
                ready = bytes(begun.content)
                begun.content.clear()
                self._write_out(ready)

    def _of_this_thread(self) -> _Begun:
        try:
            return self._own.begun  # type: ignore[no-any-return]
        except AttributeError:
            begun = self._own.begun = _Begun(self)
            self._begun.add(begun)
            return begun

    def _write_out(self, content: bytes) -> None:
        left = memoryview(content)
        while left:
            written = self.raw.write(left)
            if written is None:  # another process that has this descriptor has made it one that does not wait
                select.select([], [self.raw], [])
                continue
            left = left[written:]


class Printed:
    """The standard output and the standard error of this process, by whole lines; those of C too, where it is known how."""

    def __init__(self) -> None:
        self._lines = [Lines(1, "<stdout>"), Lines(2, "<stderr>")]
        self._of_c = _c_stdout()
        if self._of_c is not None:
            library, stream = self._of_c
            library.setvbuf(stream, None, _BY_LINES, 0)

    def install(self) -> None:
        """Makes them what `print` and others write to."""
        out, err = map(_text, self._lines)
        sys.stdout = sys.__stdout__ = out  # type: ignore[misc]
        sys.stderr = sys.__stderr__ = err  # type: ignore[misc]
        for lines in self._lines:
            os.register_at_fork(after_in_child=lines.begin_anew)

    def flush(self) -> None:
        """Writes all that was printed until now."""
        for stream in (sys.stdout, sys.stderr):  # users may have put others in their place
            with suppress(Exception):
                stream.flush()
        if self._of_c is not None:
            library, c_stream = self._of_c
            library.fflush(c_stream)
        for lines in self._lines:
            with suppress(OSError):
                lines.flush_all()


def print_by_lines() -> Printed:
    """From now on, what this process prints is written by whole lines."""
    printed = Printed()
    printed.install()
    return printed


def _text(lines: Lines) -> io.TextIOWrapper:
    """As UTF-8, since that is how it is read; a text that cannot be written so is no reason to fail."""
    stream = io.TextIOWrapper(lines, encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True)
    stream.mode = "w"  # type: ignore[misc]  # as that of Python's own
    return stream


def _c_stdout() -> tuple[Any, Any] | None:
    """The library of C, and its standard output; None where that has another name."""
    import ctypes  # takes long to import

    library = ctypes.CDLL(None)
    with suppress(ValueError):
        return library, ctypes.c_void_p.in_dll(library, "stdout")
    return None

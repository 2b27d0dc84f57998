"""What a child process does: it takes a pickled call, runs it and answers with its pickled outcome, until nobody is there to ask."""

import pickle
import sys
from contextlib import suppress
from io import TextIOWrapper
from typing import BinaryIO

import cloudpickle  # type: ignore[import-untyped]

from headrace.errors import NotSerializable
from headrace.model.texts import said_by


def serve(stream: BinaryIO) -> None:
    """Serves until the other side is gone. An interrupt from the keyboard, which reaches every process, ends a call or else the serving."""
    _print_by_lines()
    with suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            answer = outcome(pickle.load(stream))
            _show_what_was_printed()
            pickle.dump(answer, stream, protocol=pickle.HIGHEST_PROTOCOL)
            stream.flush()


def outcome(call: bytes) -> bytes:
    """What the call returned, and None; or None, and its exception. What cannot travel back is replaced by an exception that says so."""
    try:
        result = cloudpickle.loads(call)()
    except BaseException as error:
        return _failed(error)
    try:
        return _dumped((result, None))
    except Exception as error:
        why = f"{said_by(error)}; return what can be pickled, or choose a task runner without processes"
        return _dumped((None, NotSerializable(what="what a task call returned", serializer="cloudpickle", why=why)))


def _failed(error: BaseException) -> bytes:
    try:
        content = _dumped((None, error))
        pickle.loads(content)  # exceptions with an `__init__` of their own often cannot be made again
        return content
    except Exception as problem:
        why = said_by(problem)
        what = f"the exception of a task call ({said_by(error)})"
        return _dumped((None, NotSerializable(what=what, serializer="cloudpickle", why=why)))


def _dumped(content: object) -> bytes:
    return bytes(cloudpickle.dumps(content, protocol=pickle.HIGHEST_PROTOCOL))


def _print_by_lines() -> None:
    """Lines are then seen when they are printed, whole among those of other processes, and before a call ends this one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(line_buffering=True, write_through=False)


def _show_what_was_printed() -> None:
    """Now, since a later call may take this process with it."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):  # no stream, nobody reads it any more, closed by the call
            stream.flush()

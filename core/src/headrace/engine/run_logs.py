"""Logs of runs: through the standard library's logging, to the console and to the journal.

The handlers sit on the logger `headrace` and on the extra loggers that settings name. They are put there by the first flow run of the process and
stay; which run a record belongs to is read from the record or from the context that it was made in.
"""

import builtins
import logging
import sys
import time
from collections.abc import Iterable, Iterator, MutableMapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from headrace.engine.run_context import CURRENT, RunContext, TaskRunContext
from headrace.engine.voice import Voice
from headrace.errors import NotInRun

FLOW_RUNS = "headrace.flow_runs"
TASK_RUNS = "headrace.task_runs"


class RunLogger(logging.LoggerAdapter[logging.Logger]):
    """A logger whose lines belong to one run, wherever they are said."""

    def __init__(self, logger: logging.Logger, voice: Voice) -> None:
        super().__init__(logger, {})
        self._voice = voice

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        kwargs["extra"] = {**(kwargs.get("extra") or {}), "voice": self._voice}
        return msg, kwargs


def run_logger(context: RunContext) -> RunLogger:
    """The logger of a run."""
    return RunLogger(logging.getLogger(TASK_RUNS if isinstance(context, TaskRunContext) else FLOW_RUNS), context.voice)


def get_run_logger() -> RunLogger:
    """The logger of the run that this code belongs to. Raises NotInRun elsewhere."""
    context = CURRENT.get()
    if context is None:
        raise NotInRun(what="get_run_logger()", needed="flow run or task run")
    return run_logger(context)


def _voice_of(record: logging.LogRecord) -> Voice | None:
    voice: Voice | None = record.__dict__.get("voice")
    if voice is not None:
        return voice
    context = CURRENT.get()
    return context.voice if context is not None else None


class ConsoleHandler(logging.Handler):
    """Shows lines as people read them, on the standard error of the moment; a reader that went away is no reason to fail."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            voice = _voice_of(record)
            title = voice.title if voice is not None else record.name
            clock = time.strftime("%H:%M:%S", time.localtime(record.created))
            message = self.format(record)
            sys.stderr.write(f"{clock}.{int(record.msecs):03d} | {record.levelname:<7} | {title} - {message}\n")
        except (OSError, ValueError):
            return
        except Exception:
            self.handleError(record)


class JournalHandler(logging.Handler):
    """Gives the lines of runs to their journals; others are only shown."""

    def emit(self, record: logging.LogRecord) -> None:
        voice = _voice_of(record)
        if voice is None:
            return
        try:
            moment = datetime.fromtimestamp(record.created, UTC)
            voice.line(moment, record.levelno, record.name, self.format(record))
        except Exception:
            self.handleError(record)


def install(level: str, extra_loggers: Iterable[str] = (), *, console: bool = True) -> None:
    """Puts the handlers in place, once; the level is set each time."""
    headrace = logging.getLogger("headrace")
    headrace.setLevel(level)
    headrace.propagate = False
    kinds: tuple[type[logging.Handler], ...] = (ConsoleHandler, JournalHandler) if console else (JournalHandler,)
    for logger in (headrace, *map(logging.getLogger, extra_loggers)):
        for kind in kinds:
            if not any(type(handler) is kind for handler in logger.handlers):
                logger.addHandler(kind())
        if logger.level == logging.NOTSET:
            logger.setLevel(level)


def _logged_print(*values: Any, sep: str | None = " ", end: str | None = "\n", file: Any = None, flush: bool = False) -> None:
    context = CURRENT.get()
    if context is None or file not in (None, sys.stdout) or not _prints_are_logged(context):
        _plain_print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    run_logger(context).info("%s", (" " if sep is None else sep).join(map(str, values)))


def _prints_are_logged(context: RunContext) -> bool:
    definition = context.task if isinstance(context, TaskRunContext) else context.flow
    return definition.log_prints


_plain_print = builtins.print


@contextmanager
def printing_logged() -> Iterator[None]:
    """Inside, `print` in a run that asked for it is a log line. The function is replaced once; which run prints is read from the context."""
    if builtins.print is not _logged_print:
        global _plain_print
        _plain_print, builtins.print = builtins.print, _logged_print
    yield

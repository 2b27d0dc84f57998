"""What a script says in the end that did not get what headrace needs of its machine: a line, as the command line does, and no traceback.

Such an error has no cause in the script, and its traceback would lead through headrace only. The script may catch it all the same; only what nobody
catches is said so, and only where nothing else was put in the place of Python's own way of saying it.
"""

import os
import sys
from types import TracebackType

from headrace.errors import (
    DoubleProvider,
    MayPass,
    NoRunStore,
    NoThread,
    NotInstalled,
    ProviderUnusable,
    StorageUnusable,
    StoreTooNew,
    StoreUnusable,
    UnknownProfile,
    UnknownSetting,
    WrongSetting,
    WrongSettingsFile,
)
from headrace.instance import is_opened_here

OF_THE_MACHINE = (
    MayPass,
    StoreUnusable,
    StoreTooNew,
    NoRunStore,
    NotInstalled,
    NoThread,
    StorageUnusable,
    DoubleProvider,
    ProviderUnusable,
    WrongSetting,
    UnknownSetting,
    WrongSettingsFile,
    UnknownProfile,
)

DEBUG = "HEADRACE_DEBUG"


class SaidInALine:
    """Within the block a flow is called."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if isinstance(error, OF_THE_MACHINE) and sys.excepthook is sys.__excepthook__ and not is_opened_here():
            sys.excepthook = say


def say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Says what nobody caught."""
    if not isinstance(error, OF_THE_MACHINE) or os.environ.get(DEBUG):
        sys.__excepthook__(kind, error, trace)
    elif sys.stderr is not None:
        print(f"error: {error}{_where(trace)}", file=sys.stderr)


def _where(trace: TracebackType | None) -> str:
    """The line of the script that called headrace, perhaps through Python's own modules."""
    where = ""
    while trace is not None and (package := _package(trace)) != "headrace":
        if package not in sys.stdlib_module_names:
            where = f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
        trace = trace.tb_next
    return where


def _package(trace: TracebackType) -> str:
    return str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0]

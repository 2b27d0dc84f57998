"""Loading: user code is imported into this process by its real name, and the flow in it is found.

While code is loaded, a flow that it calls does not run: the call says where it stands and gives None. Whoever deploys a script that ends by calling its
flow, or runs its deployment, would otherwise run it once more.
"""

import importlib
import importlib.util
import inspect
import logging
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from opcode import opmap
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

import attrs

from headrace.errors import CodeUnusable, HeadraceError
from headrace.model.definitions import FlowDefinition
from headrace.ports.serializer import Serializer

ADVICE = "install it where the flow runs, or if it is your own, give as project_root the folder that it lies in"

LOADING = "headrace.loading"

logger = logging.getLogger(LOADING)

_IS_LOADING: ContextVar[bool] = ContextVar("headrace_is_loading", default=False)
_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_IMPORTING = f"{Path(importlib.__file__).parent}{os.sep}"


@contextmanager
def calls_skipped() -> Iterator[None]:
    """Inside, flows that are called do not run."""
    token = _IS_LOADING.set(True)
    try:
        yield
    finally:
        _IS_LOADING.reset(token)


def is_skipped(flow: str) -> bool:
    """Whether a flow that is called here is not to run; if so, it is said where the call stands."""
    if not _IS_LOADING.get():
        return False
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        frame = frame.f_back
    place = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
    logger.warning("%s calls flow %r while it is loaded; the call is skipped and gives None", place, flow)
    return True


def loaded_flow(root: Path | None, entrypoint: str, *, what: str, flow_name: str | None = None) -> Any:
    """The flow at `module:name`, or of a `module` alone the one that is called `flow_name`, or the only one; a flow's own name does for `name` too.

    `root` is where the module lies, and goes first on the path of modules; None: it is installed. Raises CodeUnusable, its cause the error of the
    user's code, with the user's own frames.
    """
    module_name, _, attribute = entrypoint.partition(":")
    module = loaded_module(root, module_name, what=what)
    if attribute:
        return _named(module, attribute, what)
    return flow_in(vars(module), module_name, what=what, where=_file_of(module), flow_name=flow_name)


def read_flow(file: Path, serializer: Serializer, *, what: str) -> Any:
    """A flow that a serializer has written. Raises CodeUnusable."""
    try:
        with calls_skipped(), open(file, "rb") as content:
            flow = serializer.load(content)
    except (HeadraceError, OSError) as error:
        raise CodeUnusable(what=what, why=str(error)) from error
    if not is_flow(flow):
        raise CodeUnusable(what=what, why="what was written is no flow")
    return flow


def flow_in(names: Mapping[str, Any], module_name: str, *, what: str, where: str, flow_name: str | None) -> Any:
    """The flow among what a module defines; flows that it only imports count if it defines none. Raises CodeUnusable."""
    everything = _flows(names)
    own = [flow for flow in everything if flow.definition.function.__module__ == module_name]
    fitting = own or everything
    found = ", ".join(sorted({flow.name for flow in fitting}))
    if flow_name is not None:
        fitting = [flow for flow in fitting if flow.name == flow_name] or [flow for flow in everything if flow.name == flow_name]
        if not fitting:
            raise CodeUnusable(what=what, why=f"flow {flow_name!r} not found in {where}; found: {found or 'none'}")
    if not fitting:
        raise CodeUnusable(what=what, why=f"no flows found in {where}; decorate a function with @flow")
    if len(fitting) > 1 and flow_name is None:
        raise CodeUnusable(what=what, why=f"found {len(fitting)} flows in {where}: {found}; say which with flow_name")
    if len(fitting) > 1:
        raise CodeUnusable(what=what, why=f"found {len(fitting)} flows called {flow_name!r} in {where}; give each a name of its own")
    return fitting[0]


def _flows(names: Mapping[str, Any]) -> list[Any]:
    return list({id(value): value for value in names.values() if is_flow(value)}.values())


def is_flow(value: Any) -> bool:
    """Whether it is what `@flow` makes; nothing of the value itself is run to see that."""
    return isinstance(inspect.getattr_static(value, "definition", None), FlowDefinition)


def entrypoint_of(flow: Any, module: str) -> str:
    """`module:name` of a flow that was loaded from the module."""
    return f"{module}:{name_in(vars(sys.modules[module]), flow)}"


def name_in(names: Mapping[str, Any], flow: Any) -> str | None:
    """The name under which this very flow is there."""
    return next((name for name, value in names.items() if value is flow), None)


def loaded_module(root: Path | None, name: str, *, what: str) -> ModuleType:
    """A module of user code, imported; `root` as for flows. Raises CodeUnusable."""
    if root is not None:
        _put_first(root)
    try:
        module = _imported(lambda: importlib.import_module(name), name, root, what)
    except CodeUnusable as error:
        if isinstance(error.__cause__, ModuleNotFoundError):
            raise attrs.evolve(error, why=f"{error.why}; {ADVICE}") from error.__cause__
        raise
    if root is not None and not _lies_in(module, root):
        why = f"the name of its module, {name!r}, is taken by {_file_of(module)}; give its file another name"
        raise CodeUnusable(what=what, why=why)
    return module


def loaded_file(file: Path, *, what: str) -> ModuleType:
    """A file of user code as a module, whatever its name; it may import what lies beside it. Raises CodeUnusable."""
    _put_first(file.parent)
    name = file.stem if file.stem.isidentifier() and file.stem not in sys.modules else f"headrace file {file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None, "the file's name ends with .py"
    assert spec.loader is not None, "what is made of a file has a loader"
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    execute = spec.loader.exec_module

    def run() -> ModuleType:
        execute(module)
        return module

    return _imported(run, name, file.parent, what)


def _put_first(root: Path) -> None:
    sys.path[:] = [str(root), *(place for place in sys.path if place != str(root))]
    importlib.invalidate_caches()


def _imported(run: Callable[[], ModuleType], name: str, root: Path | None, what: str) -> ModuleType:
    with calls_skipped():
        try:
            return run()
        except BaseException as error:
            if not isinstance(error, (Exception, SystemExit)) and not _is_raised_by_user(error):
                raise
            if isinstance(error, ModuleNotFoundError) and f"{name}.".startswith(f"{error.name}.") and users_frames(error) is None:
                place = "among the files that travel" if root else "installed here"
                raise CodeUnusable(what=what, why=f"there is no module {error.name!r} {place}") from None
            raise CodeUnusable(what=what, why=said_by_user(error, root)) from error.with_traceback(users_frames(error))


def _is_raised_by_user(error: BaseException) -> bool:
    """Whether user code says `raise`, as some does with KeyboardInterrupt; what a signal raises, no statement does, or one of headrace's."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or _is_foreign(trace.tb_frame.f_code.co_filename):
        return False
    return trace.tb_frame.f_code.co_code[trace.tb_lasti] == opmap["RAISE_VARARGS"]


def _named(module: ModuleType, attribute: str, what: str) -> Any:
    flow: Any = module
    for name in attribute.split("."):
        flow = getattr(flow, name, None)
    if is_flow(flow):
        return flow
    called_so = [flow for flow in _flows(vars(module)) if flow.name == attribute]
    if len(called_so) == 1:
        return called_so[0]
    found = ", ".join(sorted(name for name, value in vars(module).items() if is_flow(value)))
    raise CodeUnusable(what=what, why=f"flow {attribute!r} not found in {_file_of(module)}; found: {found or 'none'}")


def _lies_in(module: ModuleType, root: Path) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else list(getattr(module, "__path__", []))
    return any(Path(place or "").resolve().is_relative_to(root.resolve()) for place in places)


def _file_of(module: ModuleType) -> str:
    name = Path(getattr(module, "__file__", None) or module.__name__).name
    return f"{module.__name__}/{name}" if name == "__init__.py" else name


def users_frames(error: BaseException) -> TracebackType | None:
    """The traceback of an error from the user's first line on; None where none of it is the user's."""
    trace = error.__traceback__
    while trace is not None and _is_foreign(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def users_traceback(error: BaseException, root: str | None) -> str:
    """The traceback as Python shows it, of the user's own lines alone; empty where there are none. Files in `root` are named as they are there."""
    if users_frames(error) is None:
        return ""
    shown = traceback.TracebackException.from_exception(error)
    _without_foreign_frames(shown)
    text = "".join(shown.format())
    return text.replace(f"{root}{os.sep}", "") if root else text


def _without_foreign_frames(shown: traceback.TracebackException) -> None:
    others = [shown]
    while others:
        each = others.pop()
        each.stack[:] = [frame for frame in each.stack if not _is_foreign(frame.filename)]
        others += [other for other in (each.__cause__, each.__context__, *(getattr(each, "exceptions", None) or ())) if other is not None]


def said_by_user(error: BaseException, root: Path | None) -> str:
    """An error of user code in a sentence: where in `root`, else where at all, and what."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_place(error.filename, root)}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    text = str(error) if isinstance(error, HeadraceError) else "".join(traceback.format_exception_only(error)[-1:]).strip()
    if isinstance(error, SystemExit):
        text = f"it ends the process ({text})"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_foreign(frame.filename)]
    own = [frame for frame in frames if root is not None and Path(frame.filename).is_relative_to(root)] or frames
    return f"{_place(own[-1].filename, root)}, line {own[-1].lineno}: {text}" if own else text


def _place(file: str, root: Path | None) -> str:
    path = Path(file)
    return path.relative_to(root).as_posix() if root is not None and path.is_relative_to(root) else path.name


def _is_foreign(file: str) -> bool:
    return file.startswith((_OURS, _IMPORTING, "<frozen ", "<attrs "))

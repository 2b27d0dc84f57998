"""Loading: user code is imported into this process by its real name, and the flow in it is found.

While code is loaded, a flow that it calls does not run: the call says where it stands and gives None. Whoever deploys a script that ends by calling its
flow, or runs its deployment, would otherwise run it once more.
"""

import importlib
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from headrace.errors import CodeUnusable, HeadraceError
from headrace.model.definitions import FlowDefinition
from headrace.ports.serializer import Serializer

_IS_LOADING: ContextVar[bool] = ContextVar("headrace_is_loading", default=False)
_OURS = str(Path(__file__).parents[1])


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
    message = f"flow {flow!r} is called while its code is loaded; the call is skipped and gives None"
    warnings.warn_explicit(message, UserWarning, Path(frame.f_code.co_filename).name, frame.f_lineno)
    return True


def loaded_flow(root: Path | None, entrypoint: str, *, what: str, flow_name: str | None = None) -> Any:
    """The flow at `module:name`, or of a `module` alone the one that is called `flow_name`, or the only one.

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


def flow_in(names: dict[str, Any], module_name: str, *, what: str, where: str, flow_name: str | None) -> Any:
    """The flow among what a module defines; flows that it only imports count if it defines none. Raises CodeUnusable."""
    everything = {id(value): value for value in names.values() if is_flow(value)}
    own = [flow for flow in everything.values() if flow.definition.function.__module__ == module_name]
    flows = {flow.name: flow for flow in own or everything.values()}
    found = ", ".join(sorted(flows))
    if flow_name is not None:
        flows |= {flow.name: flow for flow in everything.values()}
        if flow_name not in flows:
            raise CodeUnusable(what=what, why=f"no flow {flow_name!r} is in {where}; found: {found or 'none'}")
        return flows[flow_name]
    if not flows:
        raise CodeUnusable(what=what, why=f"no flow is in {where}; decorate a function with @flow")
    if len(flows) > 1:
        raise CodeUnusable(what=what, why=f"{len(flows)} flows are in {where}: {found}; say which by flow_name")
    return next(iter(flows.values()))


def is_flow(value: Any) -> bool:
    """Whether it is what `@flow` makes."""
    return isinstance(getattr(value, "definition", None), FlowDefinition)


def entrypoint_of(flow: Any, module: str) -> str:
    """`module:name` of a flow that was loaded from the module."""
    names = vars(sys.modules[module])
    return f"{module}:{next(name for name, value in names.items() if value is flow)}"


def loaded_module(root: Path | None, name: str, *, what: str) -> ModuleType:
    """A module of user code, imported; `root` as for flows. Raises CodeUnusable."""
    if root is not None:
        sys.path.insert(0, str(root))
        importlib.invalidate_caches()
    with calls_skipped():
        try:
            module = importlib.import_module(name)
        except (Exception, SystemExit) as error:
            if isinstance(error, ModuleNotFoundError) and error.name == name:
                raise CodeUnusable(what=what, why=f"there is no module {name!r}{'' if root else ' installed here'}") from None
            raise CodeUnusable(what=what, why=said_by_user(error)) from error.with_traceback(users_frames(error))
    if root is not None and not _lies_in(module, root):
        why = f"the name of its module, {name!r}, is taken by {_file_of(module)}; give its file another name"
        raise CodeUnusable(what=what, why=why)
    return module


def _named(module: ModuleType, attribute: str, what: str) -> Any:
    flow: Any = module
    for name in attribute.split("."):
        flow = getattr(flow, name, None)
    if not is_flow(flow):
        found = ", ".join(sorted(name for name, value in vars(module).items() if is_flow(value)))
        raise CodeUnusable(what=what, why=f"{attribute!r} in {_file_of(module)} is no flow; flows there: {found or 'none'}")
    return flow


def _lies_in(module: ModuleType, root: Path) -> bool:
    places = [module.__file__] if getattr(module, "__file__", None) else list(getattr(module, "__path__", []))
    return any(Path(place or "").resolve().is_relative_to(root.resolve()) for place in places)


def _file_of(module: ModuleType) -> str:
    return Path(getattr(module, "__file__", None) or module.__name__).name


def users_frames(error: BaseException) -> TracebackType | None:
    """The traceback of an error from the user's first line on; None where none of it is the user's."""
    trace = error.__traceback__
    while trace is not None and _is_foreign(trace.tb_frame.f_code.co_filename):
        trace = trace.tb_next
    return trace


def said_by_user(error: BaseException) -> str:
    """An error of user code in a sentence: where, and what."""
    text = "".join(traceback.format_exception_only(error)[-1:]).strip()
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}, line {error.lineno}: {text}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _is_foreign(frame.filename)]
    return f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}: {text}" if frames else text


def _is_foreign(file: str) -> bool:
    return file.startswith((_OURS, "<frozen ")) or file.startswith(str(Path(importlib.__file__).parent))

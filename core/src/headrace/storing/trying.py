"""Trying a storage: whether what is written there is read back, listed and deleted, and how long that takes."""

from collections.abc import Callable, Iterator
from time import perf_counter

import attrs

from headrace.errors import HeadraceError, NotStored
from headrace.ports.storage import OpenStorage, Storage

VALUE = b"headrace was here\n"


@attrs.frozen(kw_only=True)
class Step:
    """One thing that was tried; `fault` is why it did not work, in a sentence."""

    name: str
    seconds: float
    fault: str | None = None


class _Wrong(Exception):
    """What came back is not what was to come."""


def tried(storage: Storage, key: str) -> Iterator[Step]:
    """Writes under a key that nobody uses, and what follows; ends with the first fault, and leaves nothing behind if it can."""
    try:
        with storage.open() as opened:
            is_written = False
            for name, act in (("put", _put), ("read back", _read_back), ("list", _list), ("delete", _delete)):
                step = _timed(name, lambda act=act: act(opened, key))  # type: ignore[misc]
                is_written = is_written or (name == "put" and step.fault is None)
                yield step
                if step.fault is not None:
                    break
            else:
                return
            if is_written:
                _timed("tidy", lambda: opened.delete(key))
    except HeadraceError as error:
        yield Step(name="open", seconds=0.0, fault=str(error))


def said(step: Step) -> str:
    """Why a step did not work."""
    return str(step.fault) if step.name == "open" else f"{step.name}: {step.fault}"


def _timed(name: str, act: Callable[[], None]) -> Step:
    start = perf_counter()
    try:
        act()
    except (HeadraceError, _Wrong) as error:
        return Step(name=name, seconds=perf_counter() - start, fault=str(error))
    return Step(name=name, seconds=perf_counter() - start)


def _put(storage: OpenStorage, key: str) -> None:
    storage.write(key, [VALUE])


def _read_back(storage: OpenStorage, key: str) -> None:
    try:
        with storage.open(key) as file:
            value = file.read()
    except NotStored:
        raise _Wrong("what was written is not there: another server may have answered") from None
    if value != VALUE:
        raise _Wrong(f"what was written came back as something else, {len(value)} bytes instead of {len(VALUE)}")


def _list(storage: OpenStorage, key: str) -> None:
    if key not in storage.keys(key.rpartition("/")[0] + "/"):
        raise _Wrong("what was written is not listed")


def _delete(storage: OpenStorage, key: str) -> None:
    storage.delete(key)
    if storage.exists(key):
        raise _Wrong("what was deleted is there still; see whether the key may delete, and whether the bucket keeps old versions")

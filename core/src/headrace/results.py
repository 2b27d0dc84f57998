"""Results: kept, and read back.

Where they go: plain data up to 4 KiB lies inline in an embedded store; the rest lies in a storage, written in chunks and named by the run. How they
become bytes: JSON where it loses nothing, else pickle where that is installed. What is read back is held against its size and sha256.
"""

import hashlib
import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, cast

from headrace.errors import (
    CodeNotAllowedHere,
    HeadraceError,
    NotFound,
    NotInstalled,
    NotSerializable,
    NotStored,
    ProviderUnusable,
    ResultNotKept,
    ResultUnreadable,
    SecretUnresolved,
    StorageUnusable,
)
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.results import ResultReference
from headrace.model.states import MISSING, State
from headrace.model.storages import StoragePlace, is_harmless, storage_name
from headrace.places import Places
from headrace.ports.serializer import Serializer
from headrace.ports.storage import OpenStorage

FOLDER = "results"
"""Under which results are kept, by root run and run."""

INLINE_BYTES = 4096
IN_MEMORY_BYTES = 8 * 1024 * 1024
CHUNK = 1024 * 1024
MOST_REMEMBERED = 256
"""Of how many root runs it is remembered where their results go."""

CODE_READER = "pickle"

NOT_KEPT = (NotSerializable, StorageUnusable, NotFound, NotInstalled, ProviderUnusable, SecretUnresolved)
"""Why a result may not be kept, though its run has it."""

logger = logging.getLogger("headrace.results")


class Results:
    """Keeps results and reads them; `inline` allows small ones inside the store."""

    def __init__(self, registry: Registry, places: Places, *, serializer: str = "", inline: bool = True) -> None:
        self._registry = registry
        self._places = places
        self._serializer = serializer
        self._inline = inline
        self._open: dict[str, OpenStorage] = {}
        self._reserved: dict[tuple[str, str], StoragePlace] = {}
        self._closing = ExitStack()

    def close(self) -> None:
        """Closes the storages that were used."""
        self._open.clear()
        self._closing.close()

    def keep(self, value: Any, *, root_id: str, run_id: str, what: str, storage: Choice | None = None) -> ResultReference:
        """Keeps the result of a run, in the storage where that is usual or in another. Raises NotSerializable, and whatever the storage raises."""
        with _spool() as file:
            serializer = self._dump(value, file, f"the result of {what}")
            size = file.tell()
            file.seek(0)
            if self._inline and serializer == "json" and size <= INLINE_BYTES:
                content = file.read()
                digest = hashlib.sha256(content).hexdigest()
                return ResultReference(serializer=serializer, size=size, sha256=digest, storage=self._places.own, inline=content.decode())
            place = self._place(root_id, storage)
            assert place.storage is not None, "what was reserved is somewhere"
            key = place.key(f"{FOLDER}/{root_id}/{run_id}")
            with self._used(place.storage) as opened:
                written = opened.write(key, _chunks(file))
        return ResultReference(serializer=serializer, size=written.size, sha256=written.sha256, storage=place.storage, key=key)

    def _place(self, root_id: str, storage: Choice | None) -> StoragePlace:
        """Where results of a root run go; the orchestration is told once that they are there."""
        asked = (root_id, repr(storage))
        if asked not in self._reserved:
            place = self._places.of_results(root_id, storage)
            while len(self._reserved) >= MOST_REMEMBERED:
                self._reserved.pop(next(iter(self._reserved)), None)
            self._reserved[asked] = place
        return self._reserved[asked]

    def read(self, reference: ResultReference) -> Any:
        """The value behind a reference. Raises ResultUnreadable where it is gone or changed."""
        if reference.inline is not None:
            content: BinaryIO = io.BytesIO(reference.inline.encode())
            return self._load(reference.serializer, content)
        assert reference.key is not None, "a result that is not inline has a key"
        if not (is_harmless(reference.storage) or self._registry.runs_code):
            why = "its run says itself how to reach it, and that is believed in runs only; read it there, or give the storage a name"
            raise self._unreadable(reference, why)
        try:
            with self._used(reference.storage) as storage, storage.open(reference.key) as stored, _spool() as file:
                digest = hashlib.sha256()
                for chunk in _chunks(stored):
                    digest.update(chunk)
                    file.write(chunk)
                if file.tell() != reference.size or digest.hexdigest() != reference.sha256:
                    raise self._unreadable(reference, "it was changed after it was written")
                file.seek(0)
                return self._load(reference.serializer, file)
        except NotStored as error:
            raise self._unreadable(reference, "it is gone") from error

    def of(self, state: State, *, what: str = "this run") -> Any:
        """The result of a state: its live data, or what its reference points to; failures are raised as by `State.result`."""
        if state.is_completed() and state.data is MISSING:
            if state.reference is None:
                raise ResultNotKept(what=what)
            return self.read(state.reference)
        return state.result()

    def remove(self, choice: Choice, keys: Iterable[str]) -> None:
        """Deletes keys from a storage, and, of one that ends in /, all that begin so. Raises what the storage raises."""
        with self._used(choice) as storage:
            for key in keys:
                for each in list(storage.keys(key)) if key.endswith("/") else [key]:
                    storage.delete(each)

    def fingerprint(self, value: Any) -> str | None:
        """A sha256 that equal values share, in this process and in others; None where there is none to be had."""
        with _spool() as file:
            try:
                self._dump(value, file, "inputs")
            except (HeadraceError, RecursionError):
                return None
            file.seek(0)
            digest = hashlib.sha256()
            for chunk in _chunks(file):
                digest.update(chunk)
            return digest.hexdigest()

    def _dump(self, value: Any, file: BinaryIO, what: str) -> str:
        """Writes the value with the first serializer that can; answers with its name."""
        names = [self._serializer] if self._serializer else ["json", CODE_READER]
        refusal: HeadraceError | None = None
        for name in names:
            try:
                serializer: Serializer = self._registry.make("serializer", Choice(name))
                serializer.dump(value, file)
                return name
            except NotSerializable as error:
                refusal = error
                file.seek(0)
                file.truncate()
            except (NotInstalled, CodeNotAllowedHere) as error:
                if refusal is None:
                    raise
                how = "install headrace-pickle" if isinstance(error, NotInstalled) else "open headrace with runs_code=True"
                raise NotSerializable(what=what, serializer="json", why=f"{_why(refusal)}; {how} to keep it pickled") from error
        assert refusal is not None, "a value that no serializer took was refused"
        why = f"{_why(refusal)}; return something that can be, or do not keep it (persist_result=False)"
        raise NotSerializable(what=what, serializer=names[-1], why=why)

    def _load(self, name: str, file: BinaryIO) -> Any:
        serializer: Serializer = self._registry.make("serializer", Choice(name))
        return serializer.load(file)

    @contextmanager
    def _used(self, choice: Choice) -> Iterator[OpenStorage]:
        """The storage of a choice, which stays open; one that fails is opened anew next time, since its options may be others by then."""
        name = repr(choice)
        if name not in self._open:
            self._open[name] = self._closing.enter_context(self._places.storage(choice).open())
        try:
            yield self._open[name]
        except StorageUnusable:
            self._open.pop(name, None)
            raise

    def _unreadable(self, reference: ResultReference, why: str) -> ResultUnreadable:
        return ResultUnreadable(storage=storage_name(reference.storage), key=reference.key or "", why=why)


class _Spool(SpooledTemporaryFile[bytes]):
    """A file in memory that goes to disk before it grows too large; the library's own takes a large piece into memory first."""

    def __init__(self) -> None:
        super().__init__(max_size=IN_MEMORY_BYTES)

    def write(self, piece: Any) -> int:
        if self.tell() + memoryview(piece).nbytes > IN_MEMORY_BYTES:
            self.rollover()
        return super().write(piece)


def _spool() -> BinaryIO:
    return cast(BinaryIO, _Spool())


def _why(error: HeadraceError | None) -> str:
    return error.why if isinstance(error, NotSerializable) else str(error)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk

"""Storages that have a name, and the keys that were reserved in storages.

A secret in a storage's options is kept as a reference: one that somebody wrote, or, of what was written out, one that holds it encrypted. The latter are
opened here alone, where the key is; all others stand for something that is found where the storage is used.

A key is reserved before it is written, so that what nobody needs any more can be removed later, and nothing else, whoever writes into the same bucket.
"""

import logging
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import attrs

from headrace.clock import Clock
from headrace.errors import (
    AlreadyThere,
    ChangedMeanwhile,
    HeadraceError,
    KeyRemoved,
    NotFound,
    NothingSeals,
    SecretUnresolved,
    StillNeeded,
    StorageUnusable,
    WrongData,
)
from headrace.hooks.secrets import is_reference, names_secret
from headrace.ids import Ids
from headrace.model.choices import Choice
from headrace.model.events import Event
from headrace.model.names import checked_name
from headrace.model.results import RESULTS
from headrace.model.storages import LASTS_HOURS, NAMED, SEALED, NamedStorage, Reserved, StoragePlace, is_harmless, name_in, named
from headrace.ports.run_store import OpenRunStore, Reading
from headrace.ports.storage import checked_key

MOST_STORAGES = 1000
MOST_KEYS = 1000
MOST_COUNTED = 1000

STORE_ID = "store id"
"""The mark under which a store remembers what it is called in the storages that it shares with others."""

LASTS = timedelta(hours=LASTS_HOURS)
REFRESHED_AFTER = timedelta(hours=1)
"""How old a reservation is before it is written anew."""

REMOVED_WITHIN = timedelta(minutes=10)
"""How long who began to remove a key may take; then it is taken that they died over it."""

CODE = "code/"

logger = logging.getLogger("headrace.storages")


def _seals_nothing(_secret: str) -> str:
    raise NothingSeals()


def _knows_none(reference: str) -> str:
    raise SecretUnresolved(reference=reference, why="this orchestration was opened without any plugins")


def _reaches_none(choice: Choice, _keys: Iterable[str]) -> None:
    raise StorageUnusable(where=choice.name, why="this orchestration was opened without storages")


@attrs.frozen(kw_only=True)
class Around:
    """What is installed around an orchestration, as far as storages need it. `seal` encrypts a secret into a reference, `secret` tells what one stands for,
    `is_type` whether a kind of storage has a name; `secrets_of` tells which options of a kind are secrets, and `places_of` which say where it is, as far as
    that is known here; `remove` deletes keys from a storage."""

    seal: Callable[[str], str] = _seals_nothing
    secret: Callable[[str], str] = _knows_none
    is_type: Callable[[str], bool] = lambda name: False
    secrets_of: Callable[[str], Collection[str]] = lambda name: ()
    places_of: Callable[[str], Collection[str]] = lambda name: ()
    remove: Callable[[Choice, Iterable[str]], None] = _reaches_none


@attrs.frozen(kw_only=True)
class Storages:
    """Keeps storages."""

    store: OpenRunStore
    clock: Clock
    ids: Ids
    around: Around
    tell: Callable[[Event], None]

    # Storages

    def put(self, storage: NamedStorage, secrets: Mapping[str, Any]) -> NamedStorage:
        """Makes or changes a storage."""
        self._check(storage, secrets)
        self._check_text(storage, secrets)
        hidden = self.around.secrets_of(storage.choice.name)
        options = {
            name: _each_text(value, self._sealed) if name in secrets or name in hidden or names_secret(name) else value
            for name, value in {**storage.choice.options, **secrets}.items()
        }
        with self.store.writing() as writing:
            known, now = _by_id(writing, storage.id), self.clock.now()
            if known is None and len(writing.storages()) >= MOST_STORAGES:
                raise WrongData(
                    where=f"storage {storage.name!r}", why=f"there are {MOST_STORAGES} storages, which is as many as there may be"
                )
            options = _as_before(options, known.choice.options if known is not None else {}, f"storage {storage.name!r}")
            choice = Choice(storage.choice.name, options)
            if known is None:
                kept = attrs.evolve(storage, choice=choice, is_default=False, revision=0, created=now, updated=now)
            elif choice == known.choice and storage.name == known.name:
                return _shown(known)
            else:
                self._check_change(storage, known)
                places = self.around.places_of(choice.name)
                if any(choice.options.get(name) != known.choice.options.get(name) for name in places):
                    _check_unused(writing, known)
                kept = attrs.evolve(known, choice=choice, revision=known.revision + 1, updated=now)
            if not writing.put_storage(kept):
                raise AlreadyThere(what="storage", name=storage.name, command="storage update")
            event = writing.append_event(self._event(kept, "storage.changed"))
        self.tell(event)
        return _shown(kept)

    def _check(self, storage: NamedStorage, secrets: Mapping[str, Any]) -> None:
        name = checked_name("storage", storage.name)
        if name == NAMED or self.around.is_type(name):
            why = "that is a type of storage; a name of a storage must not be one, since either may be written where a storage is chosen"
            raise WrongData(where=f"storage {name!r}", why=why)
        if storage.choice.name == NAMED:
            raise WrongData(where=f"storage {name!r}", why="a storage with a name is of a type, and not another one by its name")
        if any(map(_is_sealed, _texts([storage.choice.options, secrets]))):
            why = f"a reference that begins with {SEALED}/ is made here alone; write the secret itself"
            raise WrongData(where=f"storage {name!r}", why=why)

    def _check_change(self, storage: NamedStorage, known: NamedStorage) -> None:
        if storage.name != known.name:
            why = f"its name stays {known.name!r}, since deployments and results name it so; make another one"
            raise WrongData(where=f"storage {known.name!r}", why=why)
        if storage.choice.name != known.choice.name:
            why = f"its type stays {known.choice.name!r}, since what was written is there; make another one"
            raise WrongData(where=f"storage {known.name!r}", why=why)
        if storage.revision != known.revision:
            raise ChangedMeanwhile(what="storage", name=known.name)

    def _check_text(self, storage: NamedStorage, secrets: Mapping[str, Any]) -> None:
        """A secret is a text: what is none could not be sealed."""
        for name, value in {**storage.choice.options, **secrets}.items():
            is_secret = names_secret(name) or name in secrets or name in self.around.secrets_of(storage.choice.name)
            if is_secret and (wrong := _no_text(value, name)):
                raise WrongData(
                    where=f"storage {storage.name!r}", why=f"{wrong} is a secret, and must be text; write it in quotation marks"
                )

    def _sealed(self, secret: str) -> str:
        return secret if is_reference(secret) or not secret else self.around.seal(secret)

    def all(self) -> list[NamedStorage]:
        """All of them, without a trace of what is sealed."""
        with self.store.reading() as reading:
            return [_shown(storage) for storage in reading.storages()]

    def set_default(self, storage_id: str) -> NamedStorage:
        """Makes one the default, in place of another."""
        self._choose(storage_id)
        with self.store.reading() as reading:
            return _shown(_found(reading, storage_id))

    def reset_default(self) -> None:
        """Lets none be the default."""
        self._choose(None)

    def _choose(self, storage_id: str | None) -> None:
        with self.store.writing() as writing:
            if storage_id is not None:
                _found(writing, storage_id)
            others = [each for each in writing.storages() if each.is_default != (each.id == storage_id)]
            changed = [attrs.evolve(each, is_default=not each.is_default) for each in others]
            for each in changed:
                writing.put_storage(each)
            events = [writing.append_event(self._event(each, "storage.changed")) for each in changed]
        for event in events:
            self.tell(event)

    def delete(self, storage_id: str) -> None:
        """Forgets one in which no key is known."""
        with self.store.writing() as writing:
            storage = _found(writing, storage_id)
            _check_unused(writing, storage)
            writing.delete_storage(storage_id)
            event = writing.append_event(self._event(storage, "storage.deleted"))
        self.tell(event)

    def abandon_keys(self, storage_id: str) -> None:
        """Forgets which keys in it are known."""
        with self.store.writing() as writing:
            writing.drop_reserved_in(named(_found(writing, storage_id).name))

    def reseal(self) -> int:
        """Encrypts anew what is sealed."""
        count = 0

        def anew(text: str) -> str:
            nonlocal count
            if not _is_sealed(text):
                return text
            count += 1
            return self.around.seal(self.around.secret(text))

        with self.store.writing() as writing:
            for storage in writing.storages():
                try:
                    choice = Choice(storage.choice.name, _each_text(storage.choice.options, anew))
                except SecretUnresolved as error:
                    raise SecretUnresolved(reference=error.reference, why=f"it is of storage {storage.name!r}; {error.why}") from error
                if choice != storage.choice:
                    writing.put_storage(attrs.evolve(storage, choice=choice))
        return count

    def open(self, name: str, user: str) -> Choice:
        """What is meant by a name, with what is sealed in its place."""
        with self.store.reading() as reading:
            storage = reading.storage(name)
        if storage is None:
            raise unknown_storage(name)
        options = _each_text(storage.choice.options, lambda text: str(self.around.secret(text)) if _is_sealed(text) else text)
        if options != storage.choice.options:
            with self.store.writing() as writing:
                event = writing.append_event(self._event(storage, "storage.opened", user=user))
            self.tell(event)
        return Choice(storage.choice.name, options)

    def _event(self, storage: NamedStorage, kind: str, **details: str) -> Event:
        return Event(moment=self.clock.now(), kind=kind, subject=storage.id, details={"name": storage.name, **details})

    # Keys

    def place(self) -> StoragePlace:
        """Where code and results go if nothing else is said."""
        with self.store.reading() as reading:
            default = next((storage for storage in reading.storages() if storage.is_default), None)
        return StoragePlace(storage=named(default.name) if default is not None else None, folder=self._folder())

    def _folder(self) -> str:
        with self.store.reading() as reading:
            known = reading.mark(STORE_ID)
        if known is not None:
            return known
        with self.store.writing() as writing:
            known = writing.mark(STORE_ID) or self.ids.new()
            writing.put_mark(STORE_ID, known)
        return known

    def reserve(self, storage: Choice, keys: tuple[str, ...]) -> StoragePlace:
        """Remembers keys that are about to be written."""
        for key in keys:
            checked_key(key.removesuffix("/"))
        if len(keys) > MOST_KEYS:
            raise WrongData(where="keys", why=f"at most {MOST_KEYS} keys are reserved at once")
        option = next((name for name in self.around.secrets_of(storage.name) if _is_written(storage.options.get(name))), None)
        if option is not None:
            raise WrongData(where=f"storage {storage.name!r}", why=f"its option {option!r} is a secret that is written out; refer to it")
        now = self.clock.now()
        place = StoragePlace(storage=storage, folder=self._folder())
        with self.store.reading() as reading:
            self._check_name(reading, storage)
            if not self._old(reading, storage, keys, since=now - REFRESHED_AFTER):
                return place
        with self.store.writing() as writing:
            self._check_name(writing, storage)
            old = self._old(writing, storage, keys, since=now - REFRESHED_AFTER)
            writing.put_reserved(Reserved(storage=storage, key=key, at=now) for key in old)
        return place

    def reserve_results(self, run_id: str, storage: Choice) -> StoragePlace:
        """Remembers that a root run keeps results in a storage; not in one that the run itself describes, since who removes them would do what it says."""
        if is_harmless(storage):
            return self.reserve(storage, (f"{RESULTS}{checked_key(run_id)}/",))
        return StoragePlace(storage=storage, folder=self._folder())

    def _check_name(self, reading: Reading, storage: Choice) -> None:
        name = name_in(storage)
        if name is not None and reading.storage(name) is None:
            raise unknown_storage(name)

    def _old(self, reading: Reading, storage: Choice, keys: Iterable[str], *, since: datetime) -> list[str]:
        """Those keys that are to be remembered anew. Raises KeyRemoved."""
        wanted = dict.fromkeys(keys)
        for known in reading.reserved(wanted):
            if known.storage != storage:
                continue
            if known.removing is not None and known.removing > self.clock.now() - REMOVED_WITHIN:
                raise KeyRemoved(key=known.key)
            if known.removing is None and known.at > since:
                del wanted[known.key]
        return list(wanted)

    def forget_results(self, run_ids: Iterable[str], *, are_under_way: bool = False) -> None:
        """Deletes what root runs have kept that are remembered no longer; what cannot be deleted now is unneeded some time, and so is what runs write yet
        that are under way."""
        with self.store.reading() as reading:
            known = [each for each in reading.reserved(f"{RESULTS}{run_id}/" for run_id in run_ids) if not _is_needed(reading, each)]
        if not known:
            return
        if are_under_way:
            with self.store.writing() as writing:
                writing.put_reserved(attrs.evolve(each, at=self.clock.now()) for each in known)
        place = self.place()
        for each in known:
            try:
                self.around.remove(each.storage, [place.key(each.key)])
            except HeadraceError as error:
                logger.warning("Results of a run that was forgotten could not be deleted: %s", error)
                continue
            if not are_under_way:
                with self.store.writing() as writing:
                    writing.drop_reserved([each])

    def unneeded(self, after: Reserved | None, limit: int) -> list[Reserved]:
        """Keys that were reserved long ago, and that nothing names."""
        found: list[Reserved] = []
        with self.store.reading() as reading:
            while len(found) < limit:
                portion = reading.reserved_before(self.clock.now() - LASTS, after, MOST_KEYS)
                found += [each for each in portion if not _is_needed(reading, each)]
                if len(portion) < MOST_KEYS:
                    break
                after = portion[-1]
        return found[: max(limit, 0)]

    def begin_removing(self, keys: tuple[Reserved, ...]) -> list[Reserved]:
        """Those of these keys that nothing needs still; nobody writes them for a while."""
        now = self.clock.now()
        with self.store.writing() as writing:
            known = writing.reserved(each.key for each in keys)
            asked = [each for each in known if any((each.key, each.storage) == (one.key, one.storage) for one in keys)]
            going = [attrs.evolve(each, removing=now) for each in asked if each.at < now - LASTS and not _is_needed(writing, each)]
            writing.put_reserved(going)
        return going

    def end_removing(self, keys: tuple[Reserved, ...]) -> None:
        """Forgets keys that were removed, unless somebody reserved them meanwhile."""
        with self.store.writing() as writing:
            known = writing.reserved(each.key for each in keys)
            gone = [each for each in known if any((each.key, each.storage, each.removing) == (k.key, k.storage, k.removing) for k in keys)]
            writing.drop_reserved(gone)


def _is_needed(reading: Reading, reserved: Reserved) -> bool:
    """Whether a version of a deployment has the archive, or the run is remembered, or one that has taken its results; any other key is never unneeded."""
    if reserved.key.startswith(CODE):
        sha256 = reserved.key.removeprefix(CODE).partition(".")[0]
        return any(archive.storage in (None, reserved.storage) for archive in reading.archives(sha256))
    if reserved.key.startswith(RESULTS):
        root_id = reserved.key.removeprefix(RESULTS).partition("/")[0]
        return reading.flow_run(root_id) is not None or reading.is_borrowed(root_id)
    return True


def _check_unused(reading: Reading, storage: NamedStorage) -> None:
    """Raises StillNeeded where keys are known that are in a storage."""
    keys = reading.count_reserved(named(storage.name), MOST_COUNTED + 1)
    if keys:
        more = f"more than {MOST_COUNTED} keys" if keys > MOST_COUNTED else f"{keys} {'key' if keys == 1 else 'keys'}"
        raise StillNeeded(name=storage.name, keys=more)


def unknown_storage(name: str) -> NotFound:
    """The error for a name that no storage has."""
    return NotFound(what="storage", name=name, command="storage ls")


def _by_id(reading: Reading, storage_id: str) -> NamedStorage | None:
    return next((storage for storage in reading.storages() if storage.id == storage_id), None)


def _found(reading: Reading, storage_id: str) -> NamedStorage:
    storage = _by_id(reading, storage_id)
    if storage is None:
        raise unknown_storage(storage_id)
    return storage


def _is_written(value: Any) -> bool:
    """Whether a secret option says the secret itself; of one with parts, those that are called secrets count."""
    if isinstance(value, Mapping):
        return any(_is_written(item) for key, item in value.items() if names_secret(str(key)) or isinstance(item, Mapping))
    return value not in (None, "") and not is_reference(value)


def _is_sealed(text: object) -> bool:
    return isinstance(text, str) and text.startswith(f"{SEALED}/")


def _shown(storage: NamedStorage) -> NamedStorage:
    options = _each_text(storage.choice.options, lambda text: SEALED if _is_sealed(text) else text)
    return attrs.evolve(storage, choice=Choice(storage.choice.name, options))


def _as_before(value: Any, before: Any, where: str) -> Any:
    """The value, with what was sealed before in the place of each mark for it. Raises WrongData for a mark without."""
    if value == SEALED:
        if not _is_sealed(before):
            raise WrongData(where=where, why=f"{SEALED} means a secret that is known already, and there is none; write the secret itself")
        return before
    if isinstance(value, Mapping):
        named_so = before if isinstance(before, Mapping) else {}
        return {key: _as_before(item, named_so.get(key), where) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        there = list(before) if isinstance(before, (list, tuple)) else []
        return [_as_before(item, there[place] if place < len(there) else None, where) for place, item in enumerate(value)]
    return value


def _no_text(value: Any, name: str) -> str | None:
    """The name of what is a secret and no text; of what has parts, those that are called secrets are."""
    if isinstance(value, Mapping):
        named_so = ((str(key), item) for key, item in value.items() if isinstance(item, (Mapping, list, tuple)) or names_secret(str(key)))
        return next((wrong for key, item in named_so if (wrong := _no_text(item, key))), None)
    if isinstance(value, (list, tuple)):
        return next((wrong for item in value if (wrong := _no_text(item, name) if isinstance(item, Mapping) else None)), None)
    return None if value is None or isinstance(value, str) else name


def _texts(value: Any) -> list[str]:
    """Every text in plain data."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _each_text(value, note)
    return found


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Plain data with every text in it changed; names are left as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, Mapping):
        return {key: _each_text(item, change) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_each_text(item, change) for item in value]
    return value

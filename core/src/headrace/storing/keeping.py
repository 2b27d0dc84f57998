"""Storages made and changed as people do it: with their options in one form, after they were tried."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from headrace.errors import AlreadyThere, HeadraceError, WrongData
from headrace.hooks.secrets import SCHEME
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.names import checked_name
from headrace.model.storages import SEALED, NamedStorage
from headrace.ports.storage import Storage
from headrace.storing.fields import check_needed, check_outlives, fields_of, parted
from headrace.storing.trying import said, tried
from headrace.wire.parameters import plain_parameters

Check = Callable[[Storage, str], None]
"""Tries a storage under a key, and raises where it does not work; None, in its place: it is not tried."""


def created(house: Instance, name: str, choice: Choice, check: Check | None) -> NamedStorage:
    """A storage that is new. Raises AlreadyThere, InvalidName, what is wrong with its options, and what the check raises."""
    checked_name("storage", name)
    if any(each.name == name for each in house.client.read_storages()):
        raise AlreadyThere(what="storage", name=name, command="storage update")
    fields = fields_of(house.registry, choice.name)
    check_needed(fields, choice.options, choice.name)
    choice = usable(house, choice, check)
    plain, secrets = parted(fields, choice.options)
    now = house.clock.now()
    storage = NamedStorage(id=house.ids.new(), name=name, choice=Choice(choice.name, plain), created=now, updated=now)
    return house.client.put_storage(storage, secrets)


def changed(
    house: Instance,
    storage: NamedStorage,
    change: Callable[[Mapping[str, Any]], dict[str, Any]],
    user: str,
    check: Check | None,
    *,
    is_forced: bool,
) -> NamedStorage:
    """A storage with its options after a change. What is sealed among them is opened for `user`, so that it can be tried; `is_forced`: what is there that
    would not be found any more is lost sight of. Raises ChangedMeanwhile, StillNeeded, what is wrong with the options, and what the check raises."""
    fields = fields_of(house.registry, storage.choice.name)
    whole = after = change(storage.choice.options)
    check_needed(fields, after, storage.choice.name)
    if SEALED in repr(after):
        whole = change(house.client.open_storage(storage.name, user).options)
    checked = usable(house, Choice(storage.choice.name, whole), check).options
    replaced = {name: checked[name] for name, value in after.items() if SEALED not in repr(value)}
    plain, secrets = parted(fields, {**after, **replaced})
    if is_forced:
        house.client.abandon_keys(storage.id)
    return house.client.put_storage(attrs.evolve(storage, choice=Choice(storage.choice.name, plain)), secrets)


def usable(house: Instance, choice: Choice, check: Check | None) -> Choice:
    """The choice with its options in one form, after it was tried. Raises what is wrong with them."""
    try:
        storage: Storage = house.registry.make("storage", Choice(choice.name, house.registry.resolved(choice.options)))
    except HeadraceError:
        if check is None and _has_references(choice.options):
            return choice  # its secrets may be found where it is used
        raise
    check_outlives(choice.name, is_lasting=storage.outlives_process)
    if check is not None:
        check(storage, house.client.read_place().key(f"check/{house.ids.new()}"))
    options = {
        name: value if _has_references(value) or not hasattr(storage, name) else plain_parameters({name: getattr(storage, name)})[name]
        for name, value in choice.options.items()
    }
    return Choice(choice.name, options)


def must_work(storage: Storage, key: str) -> None:
    """A check. Raises WrongData for a storage that does not work."""
    for step in tried(storage, key):
        if step.fault is not None:
            raise WrongData(where="storage", why=f"nothing was kept, since it cannot be used: {said(step)}")


def _has_references(value: Any) -> bool:
    return SCHEME in repr(value)

"""Garbage: keys in storages that this orchestration wrote and that nothing names any more.

Only what was reserved is ever removed, so whatever else lies in a bucket stays; and only a day after, so that what is under way stays too. While a key
is being removed nobody writes it: who deploys the same code meanwhile waits for a moment.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import attrs

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.storages import LASTS_HOURS, Reserved, named, storage_name
from headrace.ports.storage import Tidies

AT_ONCE = 100


@attrs.frozen(kw_only=True)
class Removal:
    """What became of a key; `fault` is why it is there still."""

    reserved: Reserved
    fault: str | None = None

    @property
    def storage(self) -> str:
        """The storage, as people call it."""
        return storage_name(self.reserved.storage)


@attrs.frozen(kw_only=True)
class Unfinished:
    """What a writer that was killed has left in a storage; `fault` is why nobody could look, and then there is no place."""

    storage: str
    place: str = ""
    fault: str | None = None


def unneeded(house: Instance) -> Iterator[list[Reserved]]:
    """What there is to remove, a portion at a time."""
    after: Reserved | None = None
    while portion := house.client.read_unneeded_keys(after, AT_ONCE):
        yield portion
        after = portion[-1]


def removed(house: Instance, say: Callable[[int], None]) -> Iterator[Removal]:
    """Removes it; `say` hears how many keys were looked at. A storage that cannot be used is asked once."""
    folder, faults, count = house.client.read_place(), dict[str, str](), 0
    for portion in unneeded(house):
        for key in portion:
            storage = repr(key.storage)
            if storage not in faults:
                try:
                    for going in house.client.begin_removing((key,)):
                        house.results.remove(going.storage, [folder.key(going.key)])
                        house.client.end_removing((going,))
                        yield Removal(reserved=going)
                    continue
                except HeadraceError as error:
                    faults[storage] = str(error)
            yield Removal(reserved=key, fault=faults[storage])
        count += len(portion)
        say(count)


def unfinished(house: Instance, *, is_plan: bool) -> Iterator[Unfinished]:
    """Removes what killed writers have left in the folder of this orchestration, and nobody has written to for a day, where that is on this machine; servers
    look after their own when they start."""
    before = house.clock.now() - timedelta(hours=LASTS_HOURS)
    kinds = {named(each.name): each.choice.name for each in house.client.read_storages()}
    for choice in {house.places.own: None} | kinds:
        name = storage_name(choice)
        try:
            for place in _tidied(house, choice, before, is_plan=is_plan) if _may_be_here(house, kinds.get(choice)) else ():
                yield Unfinished(storage=name, place=place)
        except HeadraceError as error:
            yield Unfinished(storage=name, fault=str(error))


def _may_be_here(house: Instance, kind: str | None) -> bool:
    """Whether storages of a type may be of this machine; others need not be opened."""
    if kind is None:
        return True
    return house.registry.has("storage", kind) and getattr(house.registry.load("storage", kind), "reaches_others", False) is not True


def _tidied(house: Instance, choice: Choice, before: datetime, *, is_plan: bool) -> list[str]:
    storage = house.storage(choice)
    if storage.reaches_others or not storage.outlives_process:
        return []
    with storage.open() as opened:
        return opened.tidy(house.client.read_place().key(""), before, is_plan=is_plan) if isinstance(opened, Tidies) else []

"""Garbage: keys in storages that this orchestration wrote and that nothing names any more.

Only what was reserved is ever removed, so whatever else lies in a bucket stays; and only a day after, so that what is under way stays too. While a key
is being removed nobody writes it: who deploys the same code meanwhile waits for a moment.
"""

from collections.abc import Callable, Iterator

import attrs

from headrace.errors import HeadraceError
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.storages import Reserved, name_in

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


def storage_name(choice: Choice) -> str:
    """What a storage is called where it is chosen: its name, else its type."""
    return name_in(choice) or choice.name


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

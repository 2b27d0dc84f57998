"""Garbage in storages, collected by commands and told to people."""

from collections import Counter
from typing import Any

import attrs

from headrace.cli import show
from headrace.instance import Instance
from headrace.services.garbage import Removal, Unfinished, removed, unfinished, unneeded

KINDS = {"code": "archives", "results": "results_of_runs"}
"""What keys begin with, and what they are then."""


@attrs.frozen(kw_only=True)
class Collected:
    """What became of keys that nothing needs, and of what killed writers have left."""

    keys: list[Removal]
    unfinished: list[Unfinished]

    @property
    def gone(self) -> list[Removal]:
        """Keys that are gone, or would be."""
        return [each for each in self.keys if each.fault is None]

    @property
    def places(self) -> list[Unfinished]:
        """Where something was left unfinished."""
        return [each for each in self.unfinished if each.fault is None]

    @property
    def faults(self) -> list[str]:
        """What is wrong, each once."""
        found = [*(each.fault for each in self.keys), *(each.fault for each in self.unfinished)]
        return sorted({fault for fault in found if fault is not None})


def collect(house: Instance, *, is_plan: bool) -> Collected:
    """Removes what nothing needs, or, for a plan, looks what that is."""
    left = list(unfinished(house, is_plan=is_plan))
    if is_plan:
        keys = [Removal(reserved=key) for portion in unneeded(house) for key in portion]
    else:
        keys = list(removed(house, lambda count: show.progress(f"looked at {count} keys that nothing needs")))
    found = Collected(keys=keys, unfinished=left)
    for fault in found.faults:
        show.warning(fault)
    return found


def counted(found: Collected) -> dict[str, int]:
    """How many of each kind are gone, or would be."""
    counts = Counter(key.reserved.key.partition("/")[0] for key in found.gone)
    return {**{name: counts[kind] for kind, name in reversed(KINDS.items())}, "unfinished_values": len(found.places)}


def row(key: Removal) -> dict[str, Any]:
    """As JSON has it."""
    return {"storage": key.storage, "key": key.reserved.key, "reserved": key.reserved.at, "fault": key.fault}

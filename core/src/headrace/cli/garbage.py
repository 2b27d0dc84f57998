"""Garbage in storages, collected by commands and told to people."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from headrace.cli import show
from headrace.instance import Instance
from headrace.services.garbage import Removal, removed, unneeded

KINDS = {"code": "archives", "results": "results_of_runs"}
"""What keys begin with, and what they are then."""


def collect(house: Instance, *, is_plan: bool) -> list[Removal]:
    """Removes what nothing needs, or, for a plan, looks what that is."""
    if is_plan:
        return [Removal(reserved=key) for portion in unneeded(house) for key in portion]
    found = list(removed(house, lambda count: show.progress(f"looked at {count} keys that nothing needs")))
    for fault in sorted({each.fault for each in found if each.fault is not None}):
        show.warning(fault)
    return found


def counted(keys: Iterable[Removal]) -> dict[str, int]:
    """How many of each kind are gone, or would be."""
    counts = Counter(key.reserved.key.partition("/")[0] for key in keys if key.fault is None)
    return {name: counts[kind] for kind, name in reversed(KINDS.items())}


def row(key: Removal) -> dict[str, Any]:
    """As JSON has it."""
    return {"storage": key.storage, "key": key.reserved.key, "reserved": key.reserved.at, "fault": key.fault}

"""Additions to the port of run stores, for those that can tell how they are, be mended, be copied while they are in use, and be emptied."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol, runtime_checkable

import attrs


@attrs.frozen(kw_only=True)
class Diagnosis:
    """What a run store tells of itself, as far as it could be read; what could not is unset, and told among `faults`.

    `facts`: what else is worth knowing, in plain data. `files`: names with sizes in bytes. `rows`: how many of what is kept ("flow_runs", "log_lines").
    `faults` and `remarks` are sentences that say what to do; only what is among `faults` is broken.
    """

    where: str
    facts: Mapping[str, str | int] = attrs.field(factory=dict)
    files: Mapping[str, int] = attrs.field(factory=dict)
    rows: Mapping[str, int] = attrs.field(factory=dict)
    oldest_run: datetime | None = None
    newest_run: datetime | None = None
    runs_of_last_day: int | None = None
    faults: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@runtime_checkable
class Diagnosable(Protocol):
    """A run store (the value, not the open one, since it may be that it cannot be opened) that tells how it is."""

    def diagnose(self, now: datetime) -> Diagnosis:
        """Looks at all that is there, and changes, makes and repairs nothing. Raises nothing that is the store's or its user's fault.

        It may take as long as reading all of the store, and stops nobody from writing meanwhile.
        """
        ...


@runtime_checkable
class Upgradable(Protocol):
    """A run store (the value) that does more to be as a release needs it than opening it would."""

    def upgrade(self) -> tuple[str, ...]:
        """Makes or upgrades what it needs, as opening does; then mends whatever disagrees with the runs, and says what that was, in sentences.

        Raises what opening raises.
        """
        ...


@runtime_checkable
class Copyable(Protocol):
    """A run store (the value) that can be copied while others write."""

    def copy(self, target: Path) -> int:
        """Writes one consistent state of it to a new file, whole or not at all, and gives its size in bytes. Raises CopyFailed, StoreUnusable, StoreBusy."""
        ...


@runtime_checkable
class Emptiable(Protocol):
    """A run store (the value) that can forget everything."""

    def empty(self) -> None:
        """Forgets all that is remembered, whole or not at all. Sequences of events go on from where they were. Raises StoreUnusable, StoreTooNew, StoreBusy."""
        ...

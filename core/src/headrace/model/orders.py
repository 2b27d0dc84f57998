"""Orders: what a flow runner is given to start, and how that ended."""

import json
import signal
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import attrs

from headrace.errors import WrongData

VARIABLE = "HEADRACE_ORDER"
"""The environment variable in which a run's process finds its order, as JSON."""

CREDENTIALS = frozenset({"HEADRACE_API_TOKEN"})
"""The environment variables that an agent keeps for itself: those of settings that are secrets. An order has what the run needs of them."""

MARK = "HEADRACE_RUN"
"""The environment variable by which the programs that a run starts are known to be of it: it has the run's identity."""

_SIGNALLED, _LAST_SIGNAL = 128, 64


@attrs.frozen(kw_only=True)
class OrderedRun:
    """Which run a process is for, and in which epoch. `statement` is the sha256 of what it may run, None where that may be anything.

    `folder` is where its code works, None where that is a folder of the run's own. `memory` is in bytes, `cpu_seconds` of all processors together; None
    where there is no limit.
    """

    run_id: str
    epoch: int
    statement: str | None = None
    folder: str | None = None
    memory: int | None = None
    cpu_seconds: int | None = None

    @property
    def identity(self) -> str:
        """The name of the process, container or whatever it is, everywhere the same: one run in one epoch is started once."""
        return f"{self.run_id}.{self.epoch}"


_MORE: Mapping[str, Any] = MappingProxyType({"statement": str, "folder": str, "memory": int, "cpu_seconds": int})


def ordered_run(text: str) -> OrderedRun:
    """What stands in the variable. Raises WrongData."""
    try:
        said = json.loads(text)
        more = {name: kind(said[name]) for name, kind in _MORE.items() if said.get(name) is not None}
        return OrderedRun(run_id=str(said["run_id"]), epoch=int(said["epoch"]), **more)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise WrongData(where=VARIABLE, why=f"it is no order of a flow runner ({type(error).__name__}: {error})") from error


@attrs.frozen(kw_only=True)
class Order:
    """Says which run a process is for. `environment` has the settings it needs; the variables of the flow runner's own options go over them.

    `statement` is the sha256 of what the process may run, where signatures are required: nothing goes over that. The fields after it are those of
    `OrderedRun`; a flow runner that has them as options sets them, and the process sees to it that they hold.
    """

    run_id: str
    run_name: str
    epoch: int
    statement: str | None = None
    folder: str | None = None
    memory: int | None = None
    cpu_seconds: int | None = None
    environment: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # there may be secrets in it

    @property
    def identity(self) -> str:
        """That of the run in its epoch."""
        return OrderedRun(run_id=self.run_id, epoch=self.epoch).identity

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the process, the order itself among it."""
        more = {name: getattr(self, name) for name in _MORE if getattr(self, name) is not None}
        said = {"run_id": self.run_id, "epoch": self.epoch, **more}
        return {**self.environment, VARIABLE: json.dumps(said)}


@attrs.frozen
class ExitStatus:
    """How a process ended: its exit code, negative for a signal as in `subprocess`; None where nobody can tell any more."""

    code: int | None

    @classmethod
    def told(cls, code: int) -> "ExitStatus":
        """From what shells and containers tell, where a signal is its number and 128."""
        return cls(_SIGNALLED - code if _SIGNALLED < code <= _SIGNALLED + _LAST_SIGNAL else code)

    @property
    def to_tell(self) -> int:
        """The exit code by which a process tells others how the one ended that it looked after; see `told`."""
        code = self.code or 0
        return _SIGNALLED - code if code < 0 else code

    @property
    def is_clean(self) -> bool:
        return self.code == 0

    def __str__(self) -> str:
        if self.code is None:
            return "an unknown exit code"
        if self.code >= 0:
            return f"exit code {self.code}"
        number = -self.code
        return f"signal {number} ({signal.Signals(number).name})" if number in set(signal.Signals) else f"signal {number}"

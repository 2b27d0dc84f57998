"""Orders: what a flow runner is given to start, and how that ended."""

import json
import signal
from collections.abc import Mapping

import attrs

from headrace.errors import WrongData

VARIABLE = "HEADRACE_ORDER"
"""The environment variable in which a run's process finds its order, as JSON."""


@attrs.frozen(kw_only=True)
class OrderedRun:
    """Which run a process is for, and in which epoch."""

    run_id: str
    epoch: int

    @property
    def identity(self) -> str:
        """The name of the process, container or whatever it is, everywhere the same: one run in one epoch is started once."""
        return f"{self.run_id}.{self.epoch}"


def ordered_run(text: str) -> OrderedRun:
    """What stands in the variable. Raises WrongData."""
    try:
        said = json.loads(text)
        return OrderedRun(run_id=str(said["run_id"]), epoch=int(said["epoch"]))
    except (ValueError, KeyError, TypeError) as error:
        raise WrongData(where=VARIABLE, why=f"it is no order of a flow runner ({type(error).__name__}: {error})") from error


@attrs.frozen(kw_only=True)
class Order:
    """Says which run a process is for. `environment` has the settings it needs; the variables of the flow runner's own options go over them."""

    run_id: str
    run_name: str
    epoch: int
    environment: Mapping[str, str] = attrs.field(factory=dict, repr=False)  # there may be secrets in it

    @property
    def identity(self) -> str:
        """That of the run in its epoch."""
        return OrderedRun(run_id=self.run_id, epoch=self.epoch).identity

    @property
    def variables(self) -> dict[str, str]:
        """The environment of the process, the order itself among it."""
        return {**self.environment, VARIABLE: json.dumps({"run_id": self.run_id, "epoch": self.epoch})}


@attrs.frozen
class ExitStatus:
    """How a process ended: its exit code, negative for a signal as in `subprocess`; None where nobody can tell any more."""

    code: int | None

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

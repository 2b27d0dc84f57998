"""Sim: what holds whatever happens, and that it would be seen if it did not."""

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from headrace.model.moves import Move
from headrace.model.queues import Claimed, ClaimRequest
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.orchestration.claiming import Claiming
from headrace.orchestration.local_client import LocalClient
from headrace.ports.run_store import Reading
from headrace.rules.decide import RuleBook
from headrace.rules.facts import Facts
from headrace.rules.transitions import is_legal
from headrace.rules.verdicts import Verdict, accepted
from headrace.testing import Sim
from headrace.testing.sim.__main__ import main

SEEDS = 10_000
CHUNK = 100
FEW = 300
"""Within so many seeds a rule that is broken is found."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_all_holds_in_every_seed(first: int) -> None:
    """A seed in which something does not hold is told with what was seen; `python -m headrace.testing.sim SEED` shows it again."""
    for seed in range(first, first + CHUNK):
        outcome = Sim(seed).run()
        assert not outcome.broken, f"seed {seed}: {outcome.broken}\n{outcome.trace}"


# That it finds what is broken


class WithoutLeases(RuleBook):
    """Whoever asks owns the run."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        if move.epoch is None or facts.lease is None:
            return super().decide(move, facts)
        return super().decide(move, attrs.evolve(facts, lease=attrs.evolve(facts.lease, epoch=move.epoch)))


class WithoutDuplicates(RuleBook):
    """A move that is asked again is judged again."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        return super().decide(move, attrs.evolve(facts, earlier=None))


class WithoutLimits(RuleBook):
    """Tags have as many slots as are asked for."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        return super().decide(move, attrs.evolve(facts, limits=()))


class WithoutTable(RuleBook):
    """What is said last is true."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        verdict = super().decide(move, facts)
        if verdict.stop or facts.earlier is not None or is_legal(facts.run.state.type, move.state.type):
            return verdict
        return accepted(attrs.evolve(move.state, timestamp=facts.now))


class StartingAnewForEver(RuleBook):
    """What crashes is started anew, however often it was."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        run = facts.run
        if isinstance(run, FlowRun) and run.max_restarts is not None:
            facts = attrs.evolve(facts, run=attrs.evolve(run, restarts=0, lost_starts=0, max_restarts=1))
        return super().decide(move, facts)


class NeverStartingAnew(RuleBook):
    """What waits to be started anew waits for ever."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        if facts.run.state.awaits_restart() and move.state.type is StateType.PENDING:
            return Verdict(answer=super().decide(move, facts).answer, state=None, until=None)
        return super().decide(move, facts)


class EndingHalfway(RuleBook):
    """Who is to cancel a run says that it is being cancelled, and leaves it so."""

    def decide(self, move: Move, facts: Facts) -> Verdict:
        verdict = super().decide(move, facts)
        state = verdict.state
        if facts.earlier is None and state is not None and state.is_cancelled() and isinstance(facts.run, FlowRun):
            return accepted(State(type=StateType.CANCELLING, timestamp=facts.now))
        return verdict


@pytest.mark.parametrize(
    ("rules", "law"),
    [
        (WithoutLeases, "a stale epoch writes nothing"),
        (WithoutDuplicates, "a move that is asked again gets its first answer"),
        (WithoutLimits, "no more slots are taken than the limit says"),
        (WithoutTable, "what has finished stays finished"),
        (StartingAnewForEver, "a run is started anew as often as its deployment says"),
        (NeverStartingAnew, "what is due is taken while there is room"),
        (EndingHalfway, "what is under way has an owner"),
    ],
)
def test_a_broken_rule_is_found(rules: Callable[[], RuleBook], law: str) -> None:
    """Within few seeds, by the law that it breaks."""
    book = rules()
    assert is_found(law, lambda seed: Sim(seed, rules=book))


class SameEpoch(Claiming):
    """A claim that does not raise the epoch."""

    def _decided(self, reading: Reading, run: FlowRun, claim: Any) -> tuple[Verdict, FlowRun]:
        verdict, taken = super()._decided(reading, run, claim)
        return verdict, attrs.evolve(taken, epoch=max(1, run.epoch))


class SilentClient(LocalClient):
    """An orchestration that finds nothing lost."""

    def release_lost_runs(self) -> list[FlowRun]:
        return []


@attrs.frozen(kw_only=True)
class ForgetfulClaiming(Claiming):
    """A claim that does not know what it has given."""

    given: set[str] = attrs.field(factory=set)

    def claim(self, request: ClaimRequest) -> Claimed:
        if request.id in self.given:
            return Claimed(is_over=True)
        claimed = super().claim(request)
        if claimed.runs:
            self.given.add(request.id)
        return claimed


class SecretiveClaiming(Claiming):
    """A claim that takes a run more than it tells."""

    def claim(self, request: ClaimRequest) -> Claimed:
        claimed = super().claim(request)
        return attrs.evolve(claimed, runs=claimed.runs[:-1])


def without_new_epochs(client: LocalClient) -> LocalClient:
    return attrs.evolve(client, claiming=SameEpoch(**fields(client.claiming)))


def without_found(client: LocalClient) -> LocalClient:
    return SilentClient(**fields(client))


def without_replay(client: LocalClient) -> LocalClient:
    return attrs.evolve(client, claiming=ForgetfulClaiming(**fields(client.claiming)))


def without_telling(client: LocalClient) -> LocalClient:
    return attrs.evolve(client, claiming=SecretiveClaiming(**fields(client.claiming)))


def fields(value: Any) -> dict[str, Any]:
    """The fields of an attrs value, by name."""
    return {field.name: getattr(value, field.name) for field in attrs.fields(type(value))}


@pytest.mark.parametrize(
    ("changed", "law"),
    [
        (without_new_epochs, "every claim is a new epoch, the next one"),
        (without_found, "what is lost is found by the next round"),
        (without_replay, "a claim that is asked again is given what it was given"),
        (without_telling, "what is claimed is told to whoever asked"),
    ],
)
def test_a_broken_orchestration_is_found(changed: Callable[[LocalClient], LocalClient], law: str) -> None:
    """Also where no rule is to blame."""
    assert is_found(law, lambda seed: Sim(seed, changed=changed))


def is_found(law: str, sim: Callable[[int], Sim]) -> bool:
    """Whether the law is said not to hold in one of the first few seeds."""
    return any(sim(seed).run().broken.startswith(law) for seed in range(FEW))


def test_an_error_that_nobody_foresaw_is_found() -> None:
    """It is told as what does not hold, with the place where it was raised."""

    class Raising(RuleBook):
        def decide(self, move: Move, facts: Facts) -> Verdict:
            raise RuntimeError("a bug")

    outcome = Sim(0, rules=Raising()).run()
    assert outcome.broken.startswith("nothing raises what is not foreseen: RuntimeError: a bug in decide:")
    assert outcome.trace.endswith(f"broken: {outcome.broken}")


# That it fails again


def test_a_seed_has_one_trace() -> None:
    """In another process too, whatever its hashes are."""
    program = "import sys; from headrace.testing import Sim; print(*(Sim(seed).run().trace for seed in (1, 2, 3)), sep='\\n')"
    traces = {
        subprocess.run(
            [sys.executable, "-c", program], env={**os.environ, "PYTHONHASHSEED": hashes}, capture_output=True, text=True, check=True
        ).stdout
        for hashes in ("0", "7")
    }
    here = "".join(f"{Sim(seed).run().trace}\n" for seed in (1, 2, 3))
    assert traces == {here}


def test_seeds_differ() -> None:
    """Each has a course of its own."""
    assert len({Sim(seed).run().trace for seed in range(10)}) == 10


def test_the_trace_of_a_seed_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """On the command line, with exit code 0 where all holds; of several seeds, those are told that are broken."""
    assert main(["1"]) == 0
    assert "nothing fails any more" in capsys.readouterr().out
    assert main(["1", "3"]) == 0
    assert capsys.readouterr().out == "3 seeds, 0 of them broken\n"


def test_nobody_is_told_what_goes_wrong_in_it(caplog: pytest.LogCaptureFixture) -> None:
    """Agents and services log nothing of a world that is not."""
    Sim(1).run()
    assert caplog.records == []

"""The witness: sees every transaction before it is kept, keeps books of its own, and says at once when something does not hold.

What must hold of tag limits, said precisely: whoever takes a slot finds fewer live holders than the limit. A holder whose lease ran out is not counted;
when it comes back, it is, and there may be more than the limit until it ends. So those that were never missed since they took their slot are at most
as many as the limit; those that were, and came back, come on top.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import attrs

from headrace.model.queues import Claimed
from headrace.model.runs import FlowRun
from headrace.model.states import State, StateType
from headrace.orchestration.claiming import ADOPTED
from headrace.ports.run_store import Reading
from headrace.rules.restarts import MOST_LOST_STARTS
from headrace.rules.transitions import is_legal
from headrace.rules.verdicts import Verdict
from headrace.testing.sim.world import Broken, World

ENDED = float("-inf")

OWNED = frozenset({StateType.PENDING, StateType.RUNNING, StateType.CANCELLING})
"""What a run is only while somebody owns it, or will be missed."""

AGAIN = frozenset({"retry_flow_run", "resume_flow_run"})
"""With these somebody has a run started once more, with all its restarts."""


@attrs.frozen
class Asked:
    """What the orchestration was asked: about which run, and in which epoch whoever asks believes to own it."""

    name: str
    run_id: str | None
    epoch: int | None
    began: float
    now: datetime
    queue_ids: tuple[str, ...] = ()

    @classmethod
    def of(cls, name: str, args: tuple[Any, ...], world: World) -> "Asked":
        run_id: str | None = None
        epoch: int | None = None
        queue_ids: tuple[str, ...] = ()
        match name:
            case "claim_runs":
                queue_ids = args[0].queue_ids
            case "move_flow_run":
                run_id, epoch = args[0].run_id, args[0].epoch
            case "move_task_run":
                run_id, epoch = args[1].flow_run_id, args[0].epoch
            case "write_journal":
                run_id, epoch = args[0].flow_run_id, args[0].epoch
            case "renew_lease" | "name_flow_run":
                run_id, epoch = args[0], args[1]
            case "create_flow_run" if args[0].root_id != args[0].id:
                run_id, epoch = args[0].root_id, args[0].epoch
        return cls(name, run_id, epoch, world.clock.monotonic(), world.clock.now(), queue_ids)


@attrs.define
class Account:
    """What is known of a flow run: as it was written last, and, of a root run, its lease."""

    run: FlowRun
    epoch: int
    holder: str = ""
    expires: float = ENDED
    begun: set[int] = attrs.field(factory=set)


@attrs.define
class Slot:
    """A slot of some tags, taken in an epoch of a root run; `was_missed` says that the lease has run out since."""

    tags: frozenset[str]
    root_id: str
    epoch: int
    was_missed: bool = False


class Witness:
    """Keeps the books. `asked` is what the orchestration is at work on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.asked = Asked("", None, None, 0.0, world.clock.now())
        self.accounts: dict[str, Account] = {}
        self.deleted_ids: set[str] = set()
        self._slots: dict[str, Slot] = {}
        self._agents: dict[str, float] = {}
        self._ticks: dict[tuple[str, int, datetime], str] = {}
        self._heard: set[tuple[str, int]] = set()

    def broken(self, law: str, *details: object) -> Broken:
        """What to raise where something does not hold."""
        return Broken(": ".join(map(str, (law, *details))))

    # The books of leases

    def added(self, run: FlowRun) -> None:
        self.accounts[run.id] = Account(run, run.epoch)
        if run.tick is not None:
            time = run.tick.schedule_id, run.tick.version, run.tick.at
            if (first := self._ticks.setdefault(time, run.id)) != run.id:
                raise self.broken("a time of a schedule has one run", first, run.id, run.tick)

    def deleted(self, run_id: str) -> None:
        for each in [account.run.id for account in self.accounts.values() if account.run.root_id == run_id]:
            del self.accounts[each]
        self._ticks = {time: kept for time, kept in self._ticks.items() if kept in self.accounts}
        self.deleted_ids.add(run_id)
        self._slots = {task: slot for task, slot in self._slots.items() if slot.root_id != run_id}

    def granted(self, run_id: str, epoch: int, holder: str, expires: float) -> None:
        account, asked = self.accounts[run_id], self.asked
        match asked.name:
            case "claim_runs":
                self._check_claim(account, epoch)
            case "adopt_runs":
                if epoch != account.epoch or account.run.state.is_terminal():
                    raise self.broken("only a run that goes on is adopted, in its epoch", account.run.id, account.epoch, account.run.state)
                if account.holder != holder and self._is_there(account.holder.partition("/")[0]):  # else it asks again, and gets the same
                    raise self.broken("only a run whose agent is gone is adopted", account.run.id, account.holder)
                self._comes_back(account)
            case "request_run" | "create_flow_run":
                if account.holder or epoch != 1:
                    raise self.broken("a run is owned from its beginning once, in epoch 1", run_id, epoch)
            case "retry_flow_run" | "resume_flow_run":
                if holder or epoch != account.epoch + 1:
                    raise self.broken("what starts again has nobody's lease, in the next epoch", run_id, holder, epoch)
            case _:
                raise self.broken("a lease is granted to who claims, adopts or begins", run_id, asked.name)
        account.epoch, account.holder, account.expires = epoch, holder, expires

    def _check_claim(self, account: Account, epoch: int) -> None:
        run, now = account.run, self._world.clock.monotonic()
        if epoch != account.epoch + 1:
            raise self.broken("every claim is a new epoch, the next one", run.id, f"{account.epoch} → {epoch}")
        if account.expires > now:
            raise self.broken("nobody claims what somebody owns", run.id, account.holder)
        if run.max_restarts is None:
            raise self.broken("no agent takes a run that was begun by who asked for it", run.id)
        if not run.state.is_scheduled():
            raise self.broken("only what waits is claimed", run.id, run.state)
        due = run.state.scheduled_time
        if due is None or due > max(self.asked.now, self._world.clock.now()):
            raise self.broken("nothing is claimed before it is due", run.id, due)

    def renewed(self, run_id: str, epoch: int, expires: float) -> None:
        account = self.accounts[run_id]
        self._check_owner(account, "lease")
        if epoch != account.epoch:
            raise self.broken("only the newest epoch renews", run_id, epoch, account.epoch)
        self._comes_back(account)
        account.expires = expires

    def lease_ended(self, run_id: str) -> None:
        self._comes_back(self.accounts[run_id])
        self.accounts[run_id].expires = ENDED

    def _comes_back(self, account: Account) -> None:
        if account.expires <= self._world.clock.monotonic():
            for slot in self._slots.values():
                if slot.root_id == account.run.id:
                    slot.was_missed = True

    # What is written of runs

    def updated(self, run: FlowRun) -> None:
        account = self.accounts[run.id]
        before = account.run
        root = self.accounts[run.root_id]
        self._check_owner(root, f"state {run.state.name}")
        account.run = run
        if run.revision == before.revision:
            if run.state != before.state:
                raise self.broken("a new state is a new revision", run.id, run.state)
            return
        self._check_state(before, run, root)

    def _check_state(self, before: FlowRun, run: FlowRun, root: Account) -> None:
        old, new = before.state, run.state
        is_owner = self.asked.epoch == root.epoch and self._root_of(self.asked.run_id) == root.run.id
        was_presumed = old.is_lost() or old.awaits_restart()
        if run.revision != before.revision + 1 or new.timestamp is None:
            raise self.broken("a history has no gaps", run.id, before.revision, run.revision)
        if self.asked.name in AGAIN and new.is_scheduled():
            root.begun.clear()
            return
        if old.is_terminal() and not old.is_lost():
            raise self.broken("what has finished stays finished", run.id, f"{old} → {new}")
        if not is_legal(old.type, new.type) and not (was_presumed and is_owner):
            raise self.broken("histories are legal", run.id, f"{old} → {new}")
        if new.is_running():
            self._check_start(old, is_owner=is_owner)
        if run.epoch != before.epoch and not (new.is_pending() and self.asked.name == "claim_runs"):
            raise self.broken("only a claim changes the epoch", run.id, f"{old} → {new}")
        if run.id == run.root_id and run.max_restarts is not None:
            self._check_restarts(run, root)

    def _check_start(self, old: State, *, is_owner: bool) -> None:
        if not is_owner:
            raise self.broken("only the owner starts", old, self.asked)
        is_early = old.scheduled_time is not None and old.scheduled_time > max(self.asked.now, self._world.clock.now())
        if old.is_scheduled() and not old.awaits_restart() and is_early:
            raise self.broken("nothing starts before it is due", old, old.scheduled_time)

    def _check_restarts(self, run: FlowRun, root: Account) -> None:
        assert run.max_restarts is not None
        if run.state.is_running():
            root.begun.add(run.epoch)
        if run.restarts > run.max_restarts or run.lost_starts > max(run.max_restarts, MOST_LOST_STARTS):
            where = (run.id, run.restarts, run.lost_starts)
            raise self.broken("a run is started anew as often as its deployment says, and thrice before it began", *where)
        if len(root.begun) > 1 + run.max_restarts + run.retries:
            raise self.broken("code begins as often as restarts and retries say", run.id, sorted(root.begun))

    def wrote(self, flow_run_ids: Iterable[str], what: str) -> None:
        """Task runs, their states, or log lines are written."""
        for flow_run_id in flow_run_ids:
            account = self.accounts.get(flow_run_id)
            if account is not None:
                self._check_owner(self.accounts[account.run.root_id], what)

    def _check_owner(self, root: Account, what: str) -> None:
        asked = self.asked
        if asked.epoch is not None and asked.epoch != root.epoch and self._root_of(asked.run_id) == root.run.id:
            raise self.broken("a stale epoch writes nothing", root.run.id, f"{what} by epoch {asked.epoch}", f"it is in {root.epoch}")

    def _root_of(self, run_id: str | None) -> str | None:
        account = self.accounts.get(run_id or "")
        return account.run.root_id if account is not None else None

    # Slots

    def held(self, task_run_id: str, tags: frozenset[str], root_id: str, epoch: int, looks: Reading) -> None:
        self._slots[task_run_id] = Slot(tags, root_id, epoch)
        for limit in looks.limits(tags):
            never_missed = [task for task, slot in self._slots.items() if limit.tag in slot.tags and self._is_held(slot)]
            if len(never_missed) > limit.limit:
                raise self.broken("no more slots are taken than the limit says", limit.tag, limit.limit, never_missed)

    def freed(self, task_run_ids: Iterable[str]) -> None:
        for task_run_id in task_run_ids:
            self._slots.pop(task_run_id, None)

    def _is_held(self, slot: Slot) -> bool:
        account = self.accounts[slot.root_id]
        return not slot.was_missed and account.epoch == slot.epoch and account.expires > self._world.clock.monotonic()

    # Agents

    def seen(self, agent_id: str, until: float) -> None:
        self._agents[agent_id] = until

    def left(self, agent_id: str) -> None:
        self._agents.pop(agent_id, None)

    def _is_there(self, agent_id: str) -> bool:
        return self._agents.get(agent_id, ENDED) > self._world.clock.monotonic()

    # After each transaction

    def check(self, run_ids: Iterable[str]) -> None:
        """What must hold of runs that a transaction had to do with, when it is over."""
        for run_id in run_ids:
            account = self.accounts.get(run_id)
            if account is None or account.run.root_id != run_id:
                continue
            state = account.run.state
            needs_owner = state.type in OWNED or (state.is_scheduled() and account.run.max_restarts is None)
            if needs_owner and account.expires == ENDED:
                raise self.broken("what is under way has an owner, or one who is missed", run_id, state)
            if state.is_scheduled() and state.scheduled_time is None:
                raise self.broken("what waits is due some time", run_id, state)

    def check_room(self, run_id: str, looks: Reading) -> None:
        """A run was taken through a queue that wants it, is open, and has not more under way than its limit with this one."""
        for queue_id in self.asked.queue_ids:
            queue = looks.work_queue(queue_id)
            if queue is None or queue.is_paused:
                continue
            under_way = looks.under_way(queue_id, 1000)
            if any(run.id == run_id for run in under_way) and (
                queue.concurrency_limit is None or len(under_way) <= queue.concurrency_limit
            ):
                return
        raise self.broken("a run is taken out of a queue that wants it, is not paused and has room", run_id)

    # What is answered

    def answered(self, answer: object) -> None:
        """Whoever looked for lost runs and found none has found all that were lost before."""
        asked = self.asked
        if asked.name != "release_lost_runs" or answer:
            return
        for account in self.accounts.values():
            if account.run.id == account.run.root_id and account.run.state.type in OWNED and account.expires <= asked.began:
                raise self.broken("what is lost is found by the next round", account.run.id, account.run.state)

    def answered_again(self, args: tuple[Any, ...], first: object, second: object) -> None:
        """The same question for the second time."""
        if isinstance(first, Verdict) and first.is_written and second != first:
            raise self.broken("a move that is asked again gets its first answer", args[0], first, second)
        if isinstance(first, Claimed) and isinstance(second, Claimed) and first.runs:
            given, now = _taken(first), _taken(second)
            kept = {(run.id, run.epoch) for run in first.runs if self._is_held_by(run, args[0].holder)}
            if now != kept:
                raise self.broken("a claim that is asked again is given what it was given", args[0].id, sorted(given), sorted(now))

    def _is_held_by(self, run: FlowRun, holder: str) -> bool:
        account = self.accounts.get(run.id)
        return account is not None and (account.holder, account.epoch) == (holder, run.epoch)

    def heard(self, claimed: Claimed) -> None:
        """Whoever asked for runs has the answer."""
        self._heard |= _taken(claimed)

    def check_heard(self, agent_id: str) -> None:
        """What an agent owns that has not begun was told to it, once it has asked and was answered."""
        for account in self.accounts.values():
            by, _, claim = account.holder.partition("/")
            is_its_own = by == agent_id and claim != ADOPTED and account.expires > self._world.clock.monotonic()
            if is_its_own and account.run.state.is_pending() and (account.run.id, account.epoch) not in self._heard:
                raise self.broken("what is claimed is told to whoever asked", account.run.id, account.epoch, claim)


def _taken(claimed: Claimed) -> set[tuple[str, int]]:
    return {(run.id, run.epoch) for run in claimed.runs}

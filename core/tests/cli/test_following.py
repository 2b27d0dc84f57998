"""Following a run: every line once, whoever writes it and however late, to the very end."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import attrs
import pytest

import headrace
from headrace.cli.following import LONG_AGO_SECONDS, QUIET_SECONDS, Following
from headrace.errors import NotFound
from headrace.instance import Instance
from headrace.model.journals import JournalBatch
from headrace.model.logs import LogLine
from headrace.model.moves import Move
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.processes import ProcessFile, folder_of
from headrace.settings import load
from headrace.testing.clock import FixedClock

Stop = Callable[[], bool]


class TickingClock(FixedClock):
    """Goes on a little whenever somebody measures with it, so that waiting ends without real time; something may happen meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self.happening: list[Callable[[], object]] = []

    def monotonic(self) -> float:
        self._seconds += 0.1
        if self.happening:
            self.happening.pop(0)()
        return super().monotonic()


class Spoken:
    """A run that is owned, and what its processes say."""

    def __init__(self, house: Instance, clock: TickingClock) -> None:
        self.house = house
        self.clock = clock
        self.run = self._made("spoken")

    def _made(self, name: str, root: FlowRun | None = None) -> FlowRun:
        run_id, now = self.house.ids.new(), self.clock.now()
        state = attrs.evolve(State.running(), timestamp=now)
        epoch = 0 if root is None else root.epoch
        root_id = run_id if root is None else root.id
        run = FlowRun(id=run_id, name=name, state=state, created=now, flow_name="speaking", root_id=root_id, epoch=epoch)
        return self.house.client.create_flow_run(run, "holder" if root is None else None)

    def subflow(self) -> FlowRun:
        return self._made("inner", self.run)

    def line(self, message: str, *, level: int = 20, of: FlowRun | None = None) -> LogLine:
        """A line with the next id; it is not written yet."""
        run, now = of or self.run, self.clock.now()
        return LogLine(id=self.house.ids.new(), flow_run_id=run.id, timestamp=now, level=level, logger="test", message=message)

    def write(self, *lines: LogLine) -> None:
        self.house.client.write_journal(JournalBatch(flow_run_id=self.run.id, epoch=self.run.epoch, logs=lines))

    def say(self, *messages: str) -> None:
        self.write(*(self.line(message) for message in messages))

    def end(self, run: FlowRun | None = None) -> None:
        run = run or self.run
        move = Move(id=self.house.ids.new(), run_id=run.id, state=State.completed(), epoch=run.epoch)
        assert self.house.client.move_flow_run(move).is_written

    def following(self, *, goes_on: Stop, least_level: int = 0, run: FlowRun | None = None) -> Following:
        return Following(self.house, run or self.run, goes_on=goes_on, least_level=least_level)


@pytest.fixture
def spoken(tmp_path: Path) -> Iterator[Spoken]:
    clock = TickingClock()
    with headrace.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"}), clock=clock) as house:
        yield Spoken(house, clock)


class Script:
    """Is asked whether it goes on; each time it does the next thing, and after the last it says no."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        self._steps = list(steps)

    def __call__(self) -> bool:
        if not self._steps:
            return False
        self._steps.pop(0)()
        return True


def forever(*steps: Callable[[], object]) -> Stop:
    """Does the next thing each time, and always goes on: following ends by itself, or the test never does."""
    left = list(steps)

    def goes_on() -> bool:
        if left:
            left.pop(0)()
        return True

    return goes_on


def messages(following: Following) -> list[str]:
    return [line.message for page in following.lines() for line in page]


def test_a_run_that_has_ended(spoken: Spoken) -> None:
    """All its lines are given, in order, at most a page at a time; then it is over, without waiting if the run ended long ago."""
    spoken.say(*map(str, range(450)))
    spoken.end()
    spoken.clock.advance(LONG_AGO_SECONDS + 1)
    measured = spoken.clock._seconds
    following = spoken.following(goes_on=forever())
    pages = [[line.message for line in page] for page in following.lines()]
    assert [message for page in pages for message in page] == [*map(str, range(450))]
    assert max(map(len, pages)) <= 200
    assert following.run.state.is_completed()
    assert spoken.clock._seconds - measured < QUIET_SECONDS + 0.15


def test_lines_as_they_come(spoken: Spoken) -> None:
    """What is said while it is followed is given when it is written, and the run as it is in the end is known."""
    spoken.say("first")
    script = forever(lambda: spoken.say("second", "third"), lambda: spoken.say("fourth"), spoken.end)
    following = spoken.following(goes_on=script)
    assert messages(following) == ["first", "second", "third", "fourth"]
    assert following.run.state.is_completed()


def test_what_is_written_after_the_end(spoken: Spoken) -> None:
    """The last words may come after the final state, one after the other: they are waited for as long as something comes."""
    script = forever(lambda: spoken.say("first"), spoken.end, lambda: spoken.say("last"), lambda: spoken.say("very last"))
    assert messages(spoken.following(goes_on=script)) == ["first", "last", "very last"]


def test_what_is_written_while_it_is_waited_for(spoken: Spoken) -> None:
    """After the end it is waited for a while, in which the last words may come."""
    script = forever(spoken.end, lambda: spoken.clock.happening.extend([lambda: None, lambda: spoken.say("last")]))
    assert messages(spoken.following(goes_on=script)) == ["last"]


def test_a_line_that_comes_late(spoken: Spoken) -> None:
    """A line that was said earlier than others that were shown already is shown once, and those are not shown again."""
    one, two, three, four = (spoken.line(str(number)) for number in (1, 2, 3, 4))
    spoken.write(one, three)
    script = Script(lambda: spoken.write(two), lambda: spoken.write(four))
    assert messages(spoken.following(goes_on=script)) == ["1", "3", "2", "4"]


def test_a_late_line_and_a_new_one_at_once(spoken: Spoken) -> None:
    """Of several batches the earliest line counts, whichever of them was written first."""
    one, two, three, four, five = (spoken.line(str(number)) for number in (1, 2, 3, 4, 5))
    spoken.write(one, three)
    script = Script(lambda: (spoken.write(four), spoken.write(two), spoken.write(five)))
    assert messages(spoken.following(goes_on=script)) == ["1", "3", "2", "4", "5"]


def test_a_line_that_comes_before_all_others(spoken: Spoken) -> None:
    """The very first line may be the one that comes late."""
    one, two = spoken.line("1"), spoken.line("2")
    spoken.write(two)
    assert messages(spoken.following(goes_on=Script(lambda: spoken.write(one)))) == ["2", "1"]


@pytest.mark.parametrize("seed", range(10))
def test_two_processes_at_once(spoken: Spoken, seed: int) -> None:
    """However two processes' batches lie to each other, every line is given once."""
    dice = random.Random(seed)
    lines = [spoken.line(str(number)) for number in range(600)]
    said: tuple[list[LogLine], list[LogLine]] = ([], [])
    for line in lines:
        dice.choice(said).append(line)

    def batch() -> bool:
        speakers = [own for own in said if own]
        if not speakers:
            return False
        own = dice.choice(speakers)
        spoken.write(*(own.pop(0) for _ in range(min(len(own), dice.randint(1, 30)))))
        return True

    found = messages(spoken.following(goes_on=batch))
    assert sorted(map(int, found)) == [*range(600)]


def test_what_comes_much_too_late(spoken: Spoken) -> None:
    """A line that comes after very many others is shown, too, and none is shown twice."""
    early = spoken.line("early")
    spoken.say(*map(str, range(10_000)))
    late = spoken.line("late")
    spoken.say("last")
    script = Script(lambda: spoken.write(early), lambda: spoken.write(late))
    assert messages(spoken.following(goes_on=script)) == [*map(str, range(10_000)), "early", "late", "last"]


def test_lines_of_a_level(spoken: Spoken) -> None:
    """Only lines at least as grave are given, also of those that come."""
    spoken.write(spoken.line("quiet"), spoken.line("loud", level=30))
    script = Script(lambda: spoken.write(spoken.line("quiet"), spoken.line("louder", level=40)))
    assert messages(spoken.following(goes_on=script, least_level=30)) == ["loud", "louder"]


def test_a_subflow(spoken: Spoken) -> None:
    """Of a subflow its own lines are given, until it has ended; the run that called it may go on."""
    inner = spoken.subflow()
    spoken.write(spoken.line("outer"), spoken.line("inner", of=inner))
    script = forever(lambda: spoken.write(spoken.line("more", of=inner)), lambda: spoken.end(inner))
    following = spoken.following(goes_on=script, run=inner)
    assert messages(following) == ["inner", "more"]
    assert following.run.state.is_completed()
    assert not spoken.house.client.read_flow_run(spoken.run.id).state.is_terminal()


def test_the_end_of_a_subflow_is_heard(spoken: Spoken) -> None:
    """It is noticed when it happens, though its root run has no part in it."""
    inner = spoken.subflow()
    measured: list[float] = []

    def end() -> None:
        spoken.end(inner)
        measured.append(spoken.clock._seconds)

    assert messages(spoken.following(goes_on=forever(lambda: spoken.clock.happening.extend([lambda: None, end])), run=inner)) == []
    assert spoken.clock._seconds - measured[0] <= QUIET_SECONDS + 0.35


def test_a_process_that_can_be_seen(spoken: Spoken) -> None:
    """While the run's process lives on this machine, its last words are waited for, however long nothing comes; afterwards it is over at once."""
    file = ProcessFile(folder_of(spoken.house.settings.home), f"{spoken.run.id}.{spoken.run.epoch}")
    assert file.hold()

    def gone() -> None:
        spoken.say("last")
        file.write_exit(0)
        file.release()
        spoken.measured = spoken.clock._seconds  # type: ignore[attr-defined]

    waits = [lambda: None] * 50
    assert messages(spoken.following(goes_on=forever(spoken.end, *waits, gone))) == ["last"]
    assert spoken.clock._seconds - spoken.measured < 1  # type: ignore[attr-defined]


def test_who_wrote_is_gone(spoken: Spoken) -> None:
    """Where it is known that nothing comes any more, it is over, whatever the run's state says; what was written before is given."""
    following = spoken.following(goes_on=Script(lambda: spoken.say("one")))
    assert messages(following) == ["one"]
    assert following.run.state.is_running()


def test_going_on_after_an_interruption(spoken: Spoken) -> None:
    """Who was interrupted and follows on gets no line again."""
    spoken.say("1", "2")

    def interrupt() -> None:
        spoken.say("3")
        raise KeyboardInterrupt

    following = spoken.following(goes_on=Script(lambda: None, interrupt))
    pages = following.lines()
    first = [line.message for line in next(pages)]
    with pytest.raises(KeyboardInterrupt):
        next(pages)
    assert first + messages(following) == ["1", "2", "3"]


def test_a_run_that_is_deleted(spoken: Spoken) -> None:
    """A run that is deleted meanwhile is not found any more."""
    following = spoken.following(goes_on=forever(lambda: spoken.house.client.delete_flow_run(spoken.run.id)))
    with pytest.raises(NotFound):
        messages(following)


def test_moments_do_not_matter(spoken: Spoken) -> None:
    """Lines are told apart by their ids alone: a moment that lies far back hides none."""
    line = attrs.evolve(spoken.line("old"), timestamp=datetime.fromisoformat("2001-01-01T00:00:00+00:00") - timedelta(days=1))
    assert messages(spoken.following(goes_on=Script(lambda: spoken.say("new"), lambda: spoken.write(line)))) == ["new", "old"]

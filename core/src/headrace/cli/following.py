"""Following a flow run: its lines as they come, until it has ended and nothing more comes.

Two processes write the lines of a run, the run's own and its supervisor's, each some at a time; so lines may come after others that were said later.
The event of each batch tells where its lines begin, and reading begins again there; what was shown already is left out.
"""

from collections.abc import Callable, Iterator

from headrace.instance import Instance
from headrace.model.events import Event
from headrace.model.filters import EventFilter, LogFilter, Page
from headrace.model.logs import LogLine
from headrace.model.orders import OrderedRun
from headrace.model.runs import FlowRun
from headrace.processes import ProcessFile, folder_of

MOST_REMEMBERED = 10_000
"""How many lines that were shown are remembered; one that comes later than so many others is not shown."""

QUIET_SECONDS = 0.3
"""How long nothing may come after the end until it is believed that nothing will, where the run's process cannot be seen from here."""

LONG_AGO_SECONDS = 10.0
"""Nothing comes of a run that ended so long ago."""

LONGEST_WAIT, SHORT_WAIT = 0.5, 0.05


def always() -> bool:
    """Nothing is known that would end it early."""
    return True


class Following:
    """Follows one run; `run` is the run as it was seen last. Once `goes_on` says no, whoever wrote lines is gone, whatever the run's state."""

    def __init__(self, house: Instance, run: FlowRun, *, least_level: int = 0, goes_on: Callable[[], bool] = always) -> None:
        self._house = house
        self._wanted = LogFilter(flow_run_ids=(run.id,), least_level=least_level)
        self._goes_on = goes_on
        self._shown: dict[str, None] = {}
        self._forgotten: str | None = None
        self._was_seen = False
        self.run = run

    def lines(self) -> Iterator[list[LogLine]]:
        """Lines that are new, some at a time. Raises NotFound when the run is deleted."""
        client = self._house.client
        cursor = client.read_last_event()
        subjects = tuple({self.run.id, self.run.root_id})
        self.run = client.read_flow_run(self.run.id)
        yield from self._read(None)
        while True:
            silence = self._silence()
            events = client.wait_for_events(EventFilter(after=cursor, subjects=subjects), self._patience(silence))
            self.run = client.read_flow_run(self.run.id)
            if events:
                cursor = events[-1].sequence
                yield from self._told(events)
            elif silence is not None:
                return

    # When it ends

    def _silence(self) -> float | None:
        """For how long nothing may come until it is over; None while something is still to come."""
        if not self._goes_on():
            return 0.0
        if not self.run.state.is_terminal():
            return None
        ended = self.run.end_time
        if ended is not None and (self._house.clock.now() - ended).total_seconds() > LONG_AGO_SECONDS:
            return 0.0
        return self._silence_of_process()

    def _silence_of_process(self) -> float | None:
        """A process on this machine is seen to be gone, and then has written all; a subflow's goes on with the flow that called it."""
        run = self.run
        if run.root_id != run.id:
            return QUIET_SECONDS
        look = ProcessFile(folder_of(self._house.settings.home), OrderedRun(run_id=run.id, epoch=run.epoch).identity).look()
        self._was_seen = self._was_seen or look.is_held or look.code is not None
        if look.is_held:
            return None
        return 0.0 if self._was_seen else QUIET_SECONDS

    def _patience(self, silence: float | None) -> float:
        if silence is not None:
            return silence
        return SHORT_WAIT if self.run.state.is_terminal() else LONGEST_WAIT

    # What is new

    def _told(self, events: list[Event]) -> Iterator[list[LogLine]]:
        firsts = [event.details["first_log"] for event in events if event.details.get("first_log") is not None]
        if firsts:
            first = min(firsts)
            yield from self._read(max((shown for shown in self._shown if shown < first), default=None))

    def _read(self, after: str | None) -> Iterator[list[LogLine]]:
        after = max(after or "", self._forgotten or "") or None
        while page := self._house.client.read_logs(self._wanted, Page(after=after, newest_first=False)):
            after = page[-1].id
            new = [line for line in page if line.id not in self._shown]
            self._remember(new)
            if new:
                yield new

    def _remember(self, lines: list[LogLine]) -> None:
        self._shown |= dict.fromkeys(line.id for line in lines)
        while len(self._shown) > MOST_REMEMBERED:
            oldest = next(iter(self._shown))
            del self._shown[oldest]
            self._forgotten = max(oldest, self._forgotten or "")

"""Following a flow run: its lines as they come, until it has ended and nothing more comes.

Two processes write the lines of a run, the run's own and its supervisor's, each some at a time; so its last words may come after its end.
"""

import time
from collections.abc import Callable, Iterator

from headrace.cli import show
from headrace.errors import MayPass
from headrace.instance import Instance
from headrace.model.logs import LogLine
from headrace.model.news import News
from headrace.model.orders import OrderedRun
from headrace.model.runs import FlowRun
from headrace.processes import ProcessFile, folder_of

QUIET_SECONDS = 0.3
"""How long nothing may come after the end until it is believed that nothing will, where the run's process cannot be seen from here."""

LONG_AGO_SECONDS = 10.0
"""Nothing comes of a run that ended so long ago."""

LONGEST_WAIT, SHORT_WAIT = 0.5, 0.05
"""How often it is looked whether it is over, where nothing comes: while the run goes on, and after its end."""

RETRY_SECONDS = 0.5


def always() -> bool:
    """Nothing is known that would end it early."""
    return True


class Following:
    """Follows one run; `run` is the run as it was seen last. Once `goes_on` says no, whoever wrote lines is gone, whatever the run's state."""

    def __init__(self, house: Instance, run: FlowRun, *, least_level: int = 0, goes_on: Callable[[], bool] = always) -> None:
        self._house = house
        self._least_level = least_level
        self._goes_on = goes_on
        self._cursor = 0
        self._was_seen = False
        self.run = run

    def lines(self) -> Iterator[list[LogLine]]:
        """Lines that are new, some at a time. Raises NotFound when the run is deleted."""
        clock = self._house.clock
        over_at: float | None = None
        for news in self._news():
            self.run, self._cursor = news.run, news.cursor
            lines = [line for line in news.lines if line.level >= self._least_level]
            if lines:
                yield sorted(lines, key=lambda line: line.id)
            if over_at is not None and not news.lines and clock.monotonic() >= over_at:
                return
            silence = self._silence()
            if silence is None:
                over_at = None
            elif over_at is None or news.lines:
                over_at = clock.monotonic() + silence

    # What comes

    def _news(self) -> Iterator[News]:
        """All news; where the orchestration goes away meanwhile, it is waited for, and nothing is missed."""
        away_since: float | None = None
        while True:
            try:
                for news in self._stream():
                    away_since = None
                    yield news
            except MayPass as error:
                now = self._house.clock.monotonic()
                if away_since is None:
                    show.remark(f"{error}; it is asked again")
                    away_since = now
                if now - away_since > self._house.settings.outage_seconds:
                    raise
                time.sleep(RETRY_SECONDS)

    def _stream(self) -> Iterator[News]:
        """News until the run ends; then, anew, in quick succession."""
        was_terminal = self.run.state.is_terminal()
        every = SHORT_WAIT if was_terminal else LONGEST_WAIT
        for news in self._house.client.follow_flow_run(self.run.id, after=self._cursor, every=every):
            yield news
            if news.run.state.is_terminal() != was_terminal:
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

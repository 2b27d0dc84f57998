"""Watching a flow run: its lines are shown as they come, where a run that is called from a script shows them too."""

from collections.abc import Callable

from headrace.cli import show
from headrace.cli.following import Following, always
from headrace.cli.log_lines import Titles
from headrace.instance import Instance
from headrace.model.runs import FlowRun


class Watching:
    """Shows lines on the standard error, each once, however often it is asked to go on."""

    def __init__(self, house: Instance, run: FlowRun, *, goes_on: Callable[[], bool] = always) -> None:
        self._titles = Titles(house.client)
        self._following = Following(house, run, goes_on=goes_on)

    def until_end(self) -> FlowRun:
        """The run as it was when it had ended, or when `goes_on` said no."""
        for lines in self._following.lines():
            show.aside(self._titles.shown(self._following.run, lines))
        return self._following.run

"""Concurrency limits: how many task runs with a tag may run at once, and which of them do."""

from collections.abc import Mapping, Sequence
from functools import cached_property

import attrs

from headrace.errors import InvalidOption, WrongData
from headrace.model.filters import MOST_ROWS, FlowRunFilter, Page, TaskRunFilter
from headrace.model.limits import ConcurrencyLimit
from headrace.model.runs import FlowRun, TaskRun
from headrace.model.tags import as_tags
from headrace_dashboard.forms import Form
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.view import Done, View

MOST_AT_ONCE = 1_000_000
HOLDERS = 10
"""Of a limit, so many holders are shown."""


@attrs.frozen
class Holder:
    """A task run that holds a slot, and its flow run; None where they were deleted meanwhile."""

    id: str
    run: TaskRun | None
    flow_run: FlowRun | None


class ConcurrencyLimitsPage(View):
    """All of them, by tag."""

    template = "concurrency_limits.html"
    title = "Concurrency limits"
    section = "concurrency-limits"
    at = "concurrency-limits"
    live = ("concurrency-limit.", "flow-run.")
    every = 10

    @cached_property
    def limits(self) -> Sequence[ConcurrencyLimit]:
        return self.client.read_limits()

    @cached_property
    def holders(self) -> Mapping[str, Sequence[Holder]]:
        """The first of those who hold slots, by tag."""
        ids = tuple(dict.fromkeys(each for limit in self.limits for each in limit.holders[:HOLDERS]))[:MOST_ROWS]
        runs = {run.id: run for run in self.client.read_task_runs(TaskRunFilter(ids=ids), Page())} if ids else {}
        parents = tuple(sorted({run.flow_run_id for run in runs.values()}))
        flow_runs = {run.id: run for run in self.client.read_flow_runs(FlowRunFilter(ids=parents), Page())} if parents else {}
        found = {each: Holder(each, run := runs.get(each), flow_runs.get(run.flow_run_id) if run else None) for each in ids}
        return {limit.tag: [found[each] for each in limit.holders[:HOLDERS] if each in found] for limit in self.limits}

    @property
    def to_be_deleted(self) -> str:
        """Of which tag that is to be said yes to."""
        return self.typed.text("tag") if self.typed.text("do") == "ask" else ""

    def do_set(self, form: Form) -> Done:
        """Limits a tag, or changes its limit. Raises InvalidOption, WrongData."""
        tag, typed = _tag(form.text("tag")), form.text("limit")
        limit = whole_number(typed)
        if limit is None or limit > MOST_AT_ONCE:
            why = f"it is a whole number from 0 to {MOST_AT_ONCE:,}"
            raise InvalidOption(where=f"the limit of tag {tag!r}", option="limit", value=typed[:100], why=why)
        before = {each.tag: each.limit for each in self.limits}.get(tag)
        self.client.set_limit(tag, limit)
        return Done(f"The limit of {tag} is {limit:,}{'' if before is None else f'; it was {before:,}'}.")

    def do_ask(self, _: Form) -> None:
        """Asks whether it is to be deleted."""

    def do_delete(self, form: Form) -> Done:
        """Lets any number of task runs with a tag run."""
        self.client.delete_limit(form.text("tag"))
        return Done(f"The limit of {form.text('tag')} was deleted.")


def _tag(given: str) -> str:
    if not given or not given.isprintable():
        raise WrongData(where="tag", why="it is a text of at least one character, without line ends")
    (tag,) = as_tags([given])
    return tag

"""Which flow runs a command changes: those that are named, or all that fit, after somebody has seen how many these are."""

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar, cast

import attrs
import click

from headrace.cli import lookup, runs, show
from headrace.instance import Instance
from headrace.model.filters import FlowRunFilter
from headrace.model.runs import FlowRun
from headrace.model.states import StateType

C = TypeVar("C", bound=Callable[..., Any])

MOST_SHOWN = 5
"""How many of the runs that fit are named before somebody decides."""


@attrs.frozen(kw_only=True)
class Choice:
    """What was given on the command line."""

    given: tuple[str, ...]
    states: tuple[str, ...]
    flows: tuple[str, ...]
    deployments: tuple[str, ...]
    tags: tuple[str, ...]
    names: tuple[str, ...]
    text: str | None
    queues: tuple[str, ...]
    is_sure: bool

    @property
    def is_filter(self) -> bool:
        return bool(self.states or self.flows or self.deployments or self.tags or self.names or self.text or self.queues)

    def found(self, house: Instance, *, verb: str, of: Iterable[StateType]) -> list[FlowRun]:
        """The runs, each once; of those that fit, only those in a state `of` which it makes sense. Raises what is wrong with the choice."""
        if self.given and self.is_filter:
            raise click.UsageError("give either runs or options that choose them, not both")
        if not self.given and not self.is_filter:
            raise click.UsageError(f"say which runs: their ids or names, or options such as --state (see: headrace flow-run {verb} --help)")
        if self.given:
            return list({run.id: run for run in (lookup.flow_run(house.client, name) for name in self.given)}.values())
        found = self._fitting(house, tuple(of))
        if not found:
            show.remark(f"no flow run fits that could be {_participle(verb)}")
        elif not self.is_sure:
            _confirm(found, verb)
        return found

    def _fitting(self, house: Instance, of: tuple[StateType, ...]) -> list[FlowRun]:
        deployment_ids = tuple(lookup.deployment(house.client, name).id for name in self.deployments)
        wanted = FlowRunFilter(
            names=self.names,
            flow_names=self.flows,
            deployment_ids=deployment_ids,
            tags=self.tags,
            text=self.text,
            work_queues=tuple(lookup.work_queue(house.client, name).name for name in self.queues),
            root_only=True,
        )
        found = runs.every(house.client.read_flow_runs, wanted, self.states, house.clock.now())
        return [run for run in found if run.state.type in of]


def options(command: C) -> C:
    """Gives a command its argument `choice`."""

    @wraps(command)
    def choosing(*args: Any, given: tuple[str, ...], is_sure: bool, **kwargs: Any) -> Any:
        chosen = {name: kwargs.pop(name) for name in ("states", "flows", "deployments", "tags", "names", "text", "queues")}
        return command(*args, choice=Choice(given=given, is_sure=is_sure, **chosen), **kwargs)

    for add in (
        click.option("--yes", "is_sure", is_flag=True, help="Do not ask, however many runs fit."),
        click.option("--like", "text", metavar="TEXT", help="All runs with this text in their name, in large letters or small."),
        click.option("--name", "names", metavar="NAME", multiple=True, help="All runs of this name; may be given several times."),
        click.option(
            "--work-queue",
            "queues",
            metavar="NAME",
            multiple=True,
            help="All runs that wait in this queue, or were taken from it; may be given several times.",
        ),
        click.option("--tag", "tags", metavar="TAG", multiple=True, help="All runs with this tag; given several times, with all of them."),
        click.option(
            "--deployment", "deployments", metavar="NAME", multiple=True, help="All runs of this deployment; may be given several times."
        ),
        click.option("--flow", "flows", metavar="NAME", multiple=True, help="All runs of this flow; may be given several times."),
        click.option(
            "--state",
            "states",
            metavar="TYPE|NAME",
            multiple=True,
            help="All runs in a state of this type (FAILED) or name (Lost); may be given several times.",
        ),
        click.argument("given", metavar="[ID...]", nargs=-1),
    ):
        choosing = add(choosing)
    return cast(C, choosing)


def _confirm(found: list[FlowRun], verb: str) -> None:
    """Asks a person, and nobody else."""
    number = f"{len(found)} flow run{'' if len(found) == 1 else 's'}"
    named = ", ".join(run.name for run in found[:MOST_SHOWN]) + (", …" if len(found) > MOST_SHOWN else "")
    if sys.stdin is None or not sys.stdin.isatty():  # None where it was closed
        raise click.UsageError(f"{number} would be {_participle(verb)} ({named}); add --yes if that is what you want")
    click.confirm(f"{number} will be {_participle(verb)} ({named}). Go on?", abort=True, err=True)


def _participle(verb: str) -> str:
    irregular = {"cancel": "cancelled", "retry": "tried again"}
    return irregular.get(verb, f"{verb.removesuffix('e')}ed")

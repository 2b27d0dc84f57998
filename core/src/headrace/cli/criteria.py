"""What a work queue asks of runs: as it is typed, and as people are shown it."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from headrace.cli import lookup, show
from headrace.cli.naming import deployment_names
from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.criteria import DEPLOYMENTS, FLOW_RUNNERS, TAGS, texts_in
from headrace.model.queues import WorkQueue
from headrace.ports.client import OpenClient
from headrace.wire.typed_json import DoubleKey, parsed

C = TypeVar("C", bound=Callable[..., Any])


# Typed


def options(command: C) -> C:
    """Gives a command the options by which criteria are typed, as its arguments `tags`, `deployments`, `flow_runners` and `matches`."""
    for option in (
        click.option(
            "--match",
            "matches",
            metavar="NAME=JSON",
            multiple=True,
            callback=_matches,
            help="What another queue matcher is to look for; `headrace plugins` lists them.",
        ),
        _texts(FLOW_RUNNERS, "--flow-runner", "TYPE", "Runs with this flow runner; given several times, with one of them."),
        _texts(DEPLOYMENTS, "--deployment", "NAME|ID", "Runs of this deployment; given several times, of one of them."),
        _texts(TAGS, "--tag", "TAG", "Runs with this tag; given several times, with all of them."),
    ):
        command = option(command)
    return command


def _texts(argument: str, name: str, metavar: str, meaning: str) -> Callable[[C], C]:
    return click.option(name, argument, metavar=metavar, multiple=True, help=meaning)


def _matches(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, Any]:
    """What is typed as NAME=JSON, by name."""
    found: dict[str, Any] = {}
    for pair in given:
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{pair!r} has no name; write NAME=JSON, such as flows='[\"nightly\"]'")
        if name in found:
            raise click.BadParameter(f"{name!r} is given twice; write both in one list")
        try:
            found[name] = parsed(text)
        except DoubleKey as error:
            raise click.BadParameter(f"{name}: {error}; write it once") from None
        except ValueError as error:
            raise click.BadParameter(f"what follows {name}= is no JSON ({error}); a text needs quotation marks: {name}='\"…\"'") from None
    return found


def checked(
    registry: Registry,
    client: OpenClient,
    *,
    tags: Iterable[str],
    deployments: Iterable[str],
    flow_runners: Iterable[str],
    matches: Mapping[str, Any],
) -> dict[str, Any]:
    """Criteria from their options, each as its matcher keeps it. Raises NotInstalled, WrongData; NotFound, Ambiguous for a deployment."""
    own: dict[str, list[str]] = {
        TAGS: list(tags),
        DEPLOYMENTS: [lookup.deployment(client, given).id for given in deployments],
        FLOW_RUNNERS: list(flow_runners),
    }
    wanted = {name: texts for name, texts in own.items() if texts}
    if twice := sorted(wanted.keys() & matches.keys()):
        raise click.UsageError(f"{', '.join(twice)} is asked for by --match and by an option of its own; use one of them")
    criteria = {**wanted, **matches}
    _tell_unknown_runners(registry, own[FLOW_RUNNERS])
    return {name: registry.make("queue matcher", Choice(name)).checked(given) for name, given in criteria.items()}


def _tell_unknown_runners(registry: Registry, names: Iterable[str]) -> None:
    """Warns of flow runners that are not installed here; where the runs are deployed and run, they may be."""
    installed = registry.offers("flow runner")
    for name in sorted({*names} - {*installed}):
        show.warning(f"no flow runner {name!r} is installed here; installed: {', '.join(installed)}")


# Shown


def titles(client: OpenClient, queues: Iterable[WorkQueue]) -> dict[str, str]:
    """The full names of the deployments that queues ask for, by id; deleted ones have none."""
    return deployment_names(client, (item for queue in queues for item in texts_in(queue.criteria.get(DEPLOYMENTS))))


def tell_what_is_missing(registry: Registry, queue: WorkQueue) -> None:
    """Warns of criteria whose matcher cannot be used here: nothing fits them."""
    for name in queue.criteria:
        try:
            registry.load("queue matcher", name)
        except HeadraceError as error:
            show.warning(f"nothing fits what work queue {queue.name!r} asks by {name!r}: {error}")

"""What a work queue asks of runs: as it is typed, and as people are shown it."""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import click

from headrace.cli import lookup, show
from headrace.cli.naming import deployment_names
from headrace.cli.typed_json import DoubleKey, parsed
from headrace.errors import HeadraceError
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice
from headrace.model.queues import WorkQueue
from headrace.ports.client import OpenClient

C = TypeVar("C", bound=Callable[..., Any])

TAGS, DEPLOYMENTS, FLOW_RUNNERS = "tags", "deployments", "flow_runners"
"""The queue matchers that have options of their own."""

EVERYTHING = "every run of every deployment"


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
    return deployment_names(client, (item for queue in queues for item in _texts_in(queue.criteria.get(DEPLOYMENTS))))


def in_words(wanted: Any, known: Mapping[str, str]) -> str:
    """What one matcher looks for; ids with a title in `known` are shown by it."""
    texts = _texts_in(wanted)
    return ", ".join(known.get(text, text) for text in texts) if texts else json.dumps(wanted, ensure_ascii=False)


def all_in_words(queue: WorkQueue, known: Mapping[str, str]) -> str:
    """All that a queue asks for, on one line."""
    return "; ".join(f"{name}: {in_words(wanted, known)}" for name, wanted in queue.criteria.items()) or EVERYTHING


def _texts_in(wanted: Any) -> list[str]:
    return wanted if isinstance(wanted, list) and all(isinstance(item, str) for item in wanted) else []


def tell_what_is_missing(registry: Registry, queue: WorkQueue) -> None:
    """Warns of criteria whose matcher cannot be used here: nothing fits them."""
    for name in queue.criteria:
        try:
            registry.load("queue matcher", name)
        except HeadraceError as error:
            show.warning(f"nothing fits what work queue {queue.name!r} asks by {name!r}: {error}")

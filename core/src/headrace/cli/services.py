"""`headrace services`: what is done again and again beside the runs, in a process of its own."""

from typing import Any

import click

from headrace import instance
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.hooks.registry import Registry
from headrace.model.choices import Choice


@click.group()
def services() -> None:
    """Run what is done again and again beside the runs.

    Among it is the scheduler. A server does it by itself, and an agent where there is no server; a process of its own is for who wants it apart
    from these (headrace server start --no-services). Any number of them may be at work at once.
    """


@services.command()
@click.argument("names", metavar="[NAME...]", nargs=-1)
@click.pass_obj
def start(invocation: Invocation, names: tuple[str, ...]) -> None:
    """Run services until Ctrl+C or SIGTERM.

    All that are installed, or those that are named. What is under way at the end is finished; nothing is lost by one that is killed.

    \b
    headrace services start
    headrace services start scheduler
    """
    from headrace.agent.questions import asking_beside  # what lists services need not load what runs them
    from headrace.engine.run_logs import install
    from headrace.services.loop import ServiceLoop
    from headrace.services.rounds import Rounds

    _check(invocation.registry, names)
    with (
        instance.open(invocation.settings, registry=invocation.registry, lasting=True) as opened,
        asking_beside(opened) as (house, questions),
    ):
        install(house.settings.log_level)
        chosen = {name: house.registry.make("service", Choice(name)) for name in names}
        rounds = Rounds(house, chosen) if names else Rounds.of_all_installed(house)
        show.remark(f"Services started: {', '.join(rounds.names) or 'none is installed'}. Ctrl+C ends them.")
        ServiceLoop(rounds, house.clock, hurry=None if questions is None else questions.hurry).run()
    show.remark("Services stopped.")


def _check(registry: Registry, names: tuple[str, ...]) -> None:
    """Raises click.BadParameter for a name that no service has, NotInstalled for one that some distribution would bring."""
    from headrace.hooks.known import KNOWN

    known = list(registry.offers("service"))
    for name in names:
        if name in known:
            continue
        if ("service", name) in KNOWN:
            registry.offer("service", name)
        raise click.BadParameter(f"no service named {name!r}{show.near(name, known)}", param_hint="NAME")


@services.command()
@show.json_option
@click.pass_obj
def ls(invocation: Invocation, as_json: bool) -> None:
    """List the services that are installed."""
    rows = _rows(invocation.registry)
    if as_json:
        show.json(rows)
        return
    show.table(
        ("name", "dist", "about"),
        [(row["name"], row["dist"], row["summary"]) for row in rows],
        empty="no service is installed; install headrace anew: pip install headrace",
    )


def _rows(registry: Registry) -> list[dict[str, Any]]:
    return [
        {"name": name, "dist": offer.plugin.dist, "summary": offer.provider.summary}
        for name, offers in registry.offers("service").items()
        for offer in offers
    ]

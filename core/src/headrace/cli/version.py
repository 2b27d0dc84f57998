"""`headrace version`: what to know about an installation before reporting anything."""

import platform
from typing import Any

import click

from headrace import __version__
from headrace.cli import show
from headrace.cli.invocation import Invocation
from headrace.instance import run_store_choice
from headrace.places import client_choice


@click.command()
@show.json_option
@click.pass_obj
def version(invocation: Invocation, as_json: bool) -> None:
    """Show versions, the home, and the store or API in use."""
    found = _found(invocation)
    if as_json:
        show.json(found)
        return
    dists = "; ".join(f"{name} {number}" for name, number in found.pop("dists").items())
    show.record({**{name.replace("_", " "): value for name, value in found.items()}, "installed": dists})


def _found(invocation: Invocation) -> dict[str, Any]:
    settings, registry = invocation.lenient_settings, invocation.registry
    dists = dict(sorted((row.dist, row.version) for row in registry.rows()))
    run_store = "" if client_choice(settings) is not None else run_store_choice(settings, registry).name
    found = {
        "headrace": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "home": settings.home,
        "profile": settings.profile,
        **({"run_store": run_store} if run_store else {"api_url": settings.api_url or settings.client}),
    }
    if run_store == "sqlite":
        import sqlite3  # only where it is used anyway

        found["sqlite"] = sqlite3.sqlite_version
    return {**found, "dists": dists}

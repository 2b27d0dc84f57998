"""`headrace doctor`: what to know, and to mend, before asking anybody else; what looks like a secret is left out of it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from headrace.cli import show
from headrace.cli.checkup import Checkup, amount
from headrace.cli.invocation import Invocation
from headrace.clock import SystemClock


@click.command()
@show.json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Tell what is installed, where things are, and what is broken.

    It changes nothing, works whatever is broken, and leaves secrets out, so that all of it can be put into a bug report. The exit code is 0 if
    nothing is broken.
    """
    invocation: Invocation = ctx.obj
    report = Checkup(invocation, SystemClock().now()).report()
    if as_json:
        show.json(report)
    else:
        _show(report)
    if report["is_broken"]:
        ctx.exit(1)


def _show(report: Mapping[str, Any]) -> None:
    installed, places, store, storage = (report[name] or {} for name in ("installed", "places", "run_store", "storage"))
    dists = installed.pop("dists", {})
    _section("installed", {**installed, **dists})
    _section("places", {**places, **{name: _folder(places[name]) for name in ("code_cache", "working_folders") if name in places}})
    in_words = {"files": _files, "rows": _counts, "kept_days": _kept}
    _section("run store", {name: in_words[name](value) if name in in_words else value for name, value in store.items()})
    _section("storage", {"name": storage["name"], "folder": _folder(storage) if "path" in storage else None} if storage else {})
    _section("settings", {row["name"]: f"{_value(row['value'])} ({row['origin']})" for row in report["settings"] or ()})
    _section("plugins not in use", {row["name"]: f"{row['status']}: {row['reason'] or row['dist']}" for row in report["plugins"] or ()})
    click.secho("findings", bold=True)
    for each in report["findings"]:
        show.record({each["about"]: show.Painted(*_told(each))})
    if not report["is_broken"]:
        click.echo("nothing is broken")


def _told(finding: Mapping[str, Any]) -> tuple[str, str]:
    """A finding, and its colour."""
    return (f"broken: {finding['sentence']}", "red") if finding["is_broken"] else (f"to know: {finding['sentence']}", "yellow")


def _section(title: str, values: Mapping[str, Any]) -> None:
    if not values:
        return
    click.secho(title, bold=True)
    shown = {name.replace("_", " "): _cell(name, value) for name, value in values.items()}
    show.record(shown)
    click.echo()


def _cell(name: str, value: Any) -> object:
    if name.endswith("_bytes") and isinstance(value, int):
        return amount(value)
    return show.moment(value) if isinstance(value, datetime) else value


def _folder(about: Mapping[str, Any]) -> str:
    more = f"; {about['in_use']} in use, {about['left_behind']} left behind" if "in_use" in about else ""
    return f"{about['path']}: {amount(about['bytes'])} in {about['files']} file{'' if about['files'] == 1 else 's'}{more}"


def _files(sizes: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({amount(size)})" for name, size in sizes.items())


def _counts(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in rows.items())


def _kept(days: Mapping[str, float]) -> str:
    return ", ".join(f"{name}: {f'{number:g}' if number else 'for ever'}" for name, number in days.items())


def _value(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)

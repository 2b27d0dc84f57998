"""Storages tried by commands, and what came of it told to people."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from headrace.cli import show
from headrace.ports.storage import Storage
from headrace.storing.trying import Step, said, tried


def tell_tried(storage: Storage, key: str, name: str, *, as_json: bool) -> bool:
    """Tries a storage and tells each step as it is done; whether all of them worked."""
    steps = []
    for step in tried(storage, key):
        steps.append(step)
        if not as_json and step.fault is None:
            click.echo(f"{step.name:<10} {_milliseconds(step)}")
    fault = steps[-1].fault
    if as_json:
        show.json({"name": name, "is_usable": fault is None, "fault": fault, "steps": [_row(step) for step in steps]})
    elif fault is None:
        click.echo(f"storage {name!r} can be used from here")
    else:
        show.error(said(steps[-1]))
    return fault is None


def check_that_it_works(storage: Storage, key: str) -> None:
    """Raises click.ClickException for a storage that does not."""
    for step in tried(storage, key):
        if step.fault is not None:
            raise click.ClickException(
                f"nothing was kept, since the storage cannot be used: {said(step)} (--no-check keeps it all the same)"
            )


@contextmanager
def trying(what: str) -> Iterator[None]:
    """Tells a person what takes long."""
    show.progress(f"trying {what}")
    yield


def _row(step: Step) -> dict[str, Any]:
    return {"step": step.name, "milliseconds": round(step.seconds * 1000, 1), "fault": step.fault}


def _milliseconds(step: Step) -> str:
    return f"{step.seconds * 1000:.1f} ms"

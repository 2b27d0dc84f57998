"""Fetching: the code of a deployment comes to where its run is."""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code
from headrace.packaging.loading import loaded_flow, read_flow
from headrace.packaging.unpacking import materialised


def fetched_flow(house: Instance, code: Code, folder: Path, *, what: str) -> Any:
    """The flow of the code, loaded into this process.

    Files that came with it can be read from `folder`, which is the run's own: what the run writes there stays there. Raises CodeUnusable.
    """
    root = None
    if code.archive is not None:
        with house.code_storage(code.archive.storage) as storage:
            root = materialised(code.archive, storage, house.settings.home / "code", what=what)
        _link(root, folder)
    if code.serializer is not None:
        assert root is not None, "a flow that was written lies in an archive"
        return read_flow(root / code.entrypoint, house.registry.make("serializer", Choice(code.serializer)), what=what)
    _forget_start_folder(house.settings.home)
    return loaded_flow(root, code.entrypoint, what=what)


def _link(root: Path, folder: Path) -> None:
    """Lets the folder show what the tree has; the tree itself is shared by all runs."""
    for entry in os.scandir(root):
        with suppress(FileExistsError):
            os.symlink(entry.path, folder / entry.name)


def _forget_start_folder(home: Path) -> None:
    """The folder in which the process was started has no part in what is imported."""
    sys.path[:] = [place for place in sys.path if place not in ("", str(home))]

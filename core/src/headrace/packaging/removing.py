"""Removing folders, whatever was made of them."""

import os
import shutil
from contextlib import suppress
from pathlib import Path


def remove(folder: Path) -> None:
    """Removes a folder with all that lies in it, also what nobody may write or read; what a link in it leads to stays.

    What is not there is removed already. What cannot be removed stays, and nothing is raised.
    """
    if os.path.islink(folder) or os.path.isfile(folder):
        with suppress(OSError):
            os.unlink(folder)
        return
    with suppress(RecursionError):  # folders in folders in folders
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.lexists(folder):
            _open_up(folder)
            shutil.rmtree(folder, ignore_errors=True)


def _open_up(folder: Path) -> None:
    """Lets its owner into all folders, from the top down, since only then they are found."""
    _let_in(str(folder))
    for place, inside, _ in os.walk(folder):
        for name in inside:
            _let_in(os.path.join(place, name))


def _let_in(folder: str) -> None:
    if not os.path.islink(folder):
        with suppress(OSError):
            os.chmod(folder, 0o700)

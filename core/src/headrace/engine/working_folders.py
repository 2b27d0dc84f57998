"""Working folders: each run has one of its own, which is gone afterwards, whatever the run did to it and however it ended."""

import os
from pathlib import Path

from headrace.packaging.removing import remove
from headrace.processes import ProcessFile, folder_of
from headrace.processes.kin import kill_left


def working_folder(home: Path, identity: str) -> Path:
    """Where a run of that identity works, and nobody else."""
    return home / "running" / identity


def remove_working_folder(home: Path, identity: str) -> None:
    """Removes it with all that is in it; what cannot be removed stays, and is tried again by `sweep`."""
    remove(working_folder(home, identity))


def sweep(home: Path) -> None:
    """Ends and removes what runs have left whose supervisor was killed: it holds the lock of its run as long as it lives."""
    try:
        identities = os.listdir(working_folder(home, ""))
    except (FileNotFoundError, NotADirectoryError):
        return
    for identity in identities:
        look = ProcessFile(folder_of(home), identity).look()
        if not look.is_held:
            kill_left(identity, look.child)
            remove_working_folder(home, identity)

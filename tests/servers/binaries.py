"""Programs that came with a distribution into this environment."""

import shutil
import sys
from pathlib import Path


def binary(name: str) -> str:
    """The path of a program: beside this Python, or anywhere on the path."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed")
    return found

"""The folder of keys: the one that is given, else the one that the environment chooses."""

import os
from pathlib import Path

from headrace.settings import load


def folder_of(given: Path | None) -> Path:
    """Where keys are. Raises what is wrong with settings."""
    return given or load(os.environ).keys_path

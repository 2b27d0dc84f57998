"""The Python that runs a flow, and how it is reached: this one, one by its path, that of a virtual environment or of a conda environment."""

import os
import shutil
import sys
from collections.abc import Mapping
from typing import Protocol

import attrs

from headrace.errors import InvalidOption
from headrace_subprocess.options import WHERE


class Python(Protocol):
    """A way to a Python."""

    @property
    def path(self) -> str | None:
        """Where it is; None where only another program can tell. Raises InvalidOption where it is not."""
        ...

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        """The environment that it needs, made from another."""
        ...

    def command(self, environment: Mapping[str, str]) -> list[str]:
        """What its arguments are written after. Raises InvalidOption where it is not there."""
        ...


@attrs.frozen
class PythonAt:
    """One by its path."""

    path_as_written: str

    @property
    def path(self) -> str:
        return _program("python", self.path_as_written, self.path_as_written, "write the path of a Python that is there")

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        return dict(given)

    def command(self, environment: Mapping[str, str]) -> list[str]:
        return [self.path]


@attrs.frozen
class ThisPython:
    """That of this process."""

    path: str = attrs.field(factory=lambda: sys.executable)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        return dict(given)

    def command(self, environment: Mapping[str, str]) -> list[str]:
        return [self.path]


@attrs.frozen
class Virtualenv:
    """That of a virtual environment, as if this was activated."""

    folder: str

    @property
    def path(self) -> str:
        advice = f"make it with `python3 -m venv {self.folder}`, and install headrace in it"
        return _program("virtualenv", self.folder, os.path.join(self.folder, "bin", "python"), advice)

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        folder = os.path.expanduser(self.folder)
        programs = [os.path.join(folder, "bin"), given.get("PATH", "")]
        changed = {**given, "VIRTUAL_ENV": folder, "PATH": os.pathsep.join(filter(None, programs))}
        changed.pop("PYTHONHOME", None)
        return changed

    def command(self, environment: Mapping[str, str]) -> list[str]:
        return [self.path]


@attrs.frozen
class Condaenv:
    """That of a conda environment, by its name or, from / or ~, by its path."""

    place: str
    path: None = None

    def environment(self, given: Mapping[str, str]) -> dict[str, str]:
        return dict(given)

    def command(self, environment: Mapping[str, str]) -> list[str]:
        conda = environment.get("CONDA_EXE") or shutil.which("conda", path=environment.get("PATH"))
        if conda is None:
            why = "there is no program conda on the PATH of this machine; install it, or choose virtualenv or python instead"
            raise InvalidOption(where=WHERE, option="condaenv", value=self.place, why=why)
        named = ["--prefix", os.path.expanduser(self.place)] if self.place.startswith(("/", "~")) else ["--name", self.place]
        return [conda, "run", "--no-capture-output", *named, "python"]


def _program(option: str, value: str, path: str, advice: str) -> str:
    found = os.path.expanduser(path)
    if not os.access(found, os.X_OK) or os.path.isdir(found):
        raise InvalidOption(where=WHERE, option=option, value=value, why=f"there is no program {found} on this machine; {advice}")
    return found

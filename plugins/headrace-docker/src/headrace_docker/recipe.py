"""What an image is built from: a Dockerfile, and the files that it copies."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from shlex import quote

import attrs

RUNS = ("headrace-core", "headrace-client", "headrace-files", "headrace-pickle", "headrace-tasks")
"""What a run needs in its container."""

WHEELS, PROJECT = "/headrace/wheels", "/flows"
IGNORED = ("**/.git", "**/.hg", "**/.svn", "**/.venv", "**/venv", "**/__pycache__", "**/*.pyc", "**/node_modules", "**/.env")
"""What of a project is never copied; its own .dockerignore says what else is not."""

REQUIREMENTS = "requirements.txt"


@attrs.frozen(kw_only=True)
class Recipe:
    """An image with headrace in it. `requirements`: what pip is to install; `project`: the folder of flow code that goes into it."""

    base: str
    requirements: Sequence[str]
    version: str
    wheels: Path | None = None
    project: Path | None = None

    @property
    def dockerfile(self) -> str:
        """How it is built."""
        return "\n".join([*self._lines(), ""])

    def _lines(self) -> Iterator[str]:
        yield f"FROM {self.base}"
        if self.wheels is not None:
            yield f"COPY wheels {WHEELS}"
        yield self._installing(" ".join(map(quote, self.requirements)))
        if self.project is not None:
            yield f"COPY project {PROJECT}"
            if (self.project / REQUIREMENTS).is_file():
                yield self._installing(f"-r {PROJECT}/{REQUIREMENTS}")
            yield f"ENV PYTHONPATH={PROJECT}"
        yield f"LABEL headrace.version={self.version}"

    def _installing(self, what: str) -> str:
        """An environment of the system's own would refuse what is meant to be changed here."""
        source = f"--no-index --find-links {WHEELS} " if self.wheels is not None else ""
        return f"RUN PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore python3 -m pip install --no-cache-dir {source}{what}"


def usual_base() -> str:
    """The image of the same Python as this one, since what is pickled by one is not always read by another."""
    return f"python:{sys.version_info.major}.{sys.version_info.minor}-slim"

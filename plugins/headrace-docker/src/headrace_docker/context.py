"""The files that an image is built from, as the engine takes them."""

import tarfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import IO

from docker.utils.build import exclude_paths  # type: ignore[import-untyped]

from headrace_docker.recipe import IGNORED, Recipe


def write_context(recipe: Recipe, archive: IO[bytes]) -> None:
    """Writes them as a tar archive."""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        _add(tar, "Dockerfile", recipe.dockerfile.encode())
        if recipe.wheels is not None:
            for wheel in sorted(recipe.wheels.glob("*.whl")):
                tar.add(wheel, f"wheels/{wheel.name}", filter=_anybodys)
        if recipe.project is not None:
            tar.add(recipe.project, "project", recursive=False, filter=_anybodys)
            for name in sorted(exclude_paths(str(recipe.project), [*IGNORED, *_ignored(recipe.project)])):
                tar.add(recipe.project / name, f"project/{name}", recursive=False, filter=_anybodys)


def _ignored(project: Path) -> Sequence[str]:
    """The patterns of the project."""
    try:
        lines = (project / ".dockerignore").read_text().splitlines()
    except FileNotFoundError:
        return ()
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def _anybodys(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """In an image a file is the system's, and everybody may read it, so that the same files make the same layer wherever it is built."""
    info.uid = info.gid = 0
    info.uname = info.gname = ""
    info.mode |= 0o555 if info.isdir() or info.mode & 0o100 else 0o444
    return info


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, BytesIO(content))

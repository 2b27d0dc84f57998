"""Fetching: the code of a deployment comes to where its run is."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headrace.errors import CodeUnusable
from headrace.hooks.registry import of_project
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code
from headrace.packaging.bytecode import keep_bytecode
from headrace.packaging.code_cache import CodeCache
from headrace.packaging.loading import loaded_flow, read_flow
from headrace.packaging.manifest import Manifest
from headrace.packaging.removing import remove
from headrace.packaging.unpacking import writing

Fetch = Callable[[], Manifest]


def _once(fetch: Fetch) -> Manifest:
    return fetch()


def fetched_flow(
    house: Instance, code: Code, folder: Path, *, what: str, works_in: str | None = None, asked: Callable[[Fetch], Manifest] = _once
) -> Any:
    """The flow of the code, loaded into this process.

    `folder` is made anew, and is the run's own: the files that came with the code lie in it, modules are imported from it, and this process works in
    it, unless it `works_in` another one. Whatever the run does to it, no other run sees. The files may be `asked` for again. Raises CodeUnusable, and
    what the storage raises.
    """
    archive = code.archive
    if archive is None:
        with writing(folder, what):
            remove(folder)
            folder.mkdir(mode=0o700, parents=True)
        _enter(works_in or folder, what)
        _forget_start_folder(house.settings.home)
        return loaded_flow(None, code.entrypoint, what=what)
    cache = CodeCache(archive=archive, cache=house.settings.home / "code", what=what)
    manifest = asked(lambda: cache.copy(folder, lambda: house.code_storage(archive.storage)))
    _enter(works_in or folder, what)
    house.registry.add(of_project(folder))
    if code.serializer is not None:
        return read_flow(folder / code.entrypoint, house.registry.make("serializer", Choice(code.serializer)), what=what)
    _forget_start_folder(house.settings.home)
    keep_bytecode(manifest, folder, cache.bytecode)
    return loaded_flow(folder, code.entrypoint, what=what)


def _enter(folder: str | Path, what: str) -> None:
    try:
        os.chdir(folder)
    except OSError as error:
        raise CodeUnusable(what=what, why=f"its run cannot work in {folder}: {error.strerror}") from error


def _forget_start_folder(home: Path) -> None:
    """The folder in which the process was started has no part in what is imported."""
    sys.path[:] = [place for place in sys.path if place not in ("", str(home))]

"""Applying a plan: code into storages first, then all deployments in one transaction; so there is no deployment whose code is not there."""

from collections.abc import Callable

import attrs

from headrace.deploying.plan import Outcome, Planned
from headrace.instance import Instance
from headrace.packaging.packing import write_archive
from headrace.packaging.sizes import said


def applied(house: Instance, plan: list[Planned], *, say: Callable[[str], None]) -> list[Planned]:
    """Does what the plan says; the answer has the deployments as they are kept. Raises what storages and the orchestration raise."""
    _write(house, plan, say)
    different = [planned for planned in plan if planned.outcome is not Outcome.UNCHANGED]
    kept = iter(house.client.put_deployments(tuple(planned.deployment for planned in different)) if different else ())
    _write(house, plan, say)  # whoever clears archives away that nothing refers to may have been at it
    return [planned if planned.outcome is Outcome.UNCHANGED else attrs.evolve(planned, deployment=next(kept)) for planned in plan]


def _write(house: Instance, plan: list[Planned], say: Callable[[str], None]) -> None:
    """Writes the archives that are not there."""
    written: set[str] = set()
    for planned in plan:
        archive = planned.deployment.code.archive
        if archive is None or planned.tree is None or repr(archive) in written:
            continue
        written.add(repr(archive))
        with house.code_storage(archive.storage) as storage:
            if not storage.exists(archive.key):
                say(f"packing {archive.files} {'file' if archive.files == 1 else 'files'} ({said(archive.size)}) of {planned.tree.what}")
            write_archive(planned.tree, storage)

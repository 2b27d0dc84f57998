"""Planning: what deploying the specs of a file would make, change, or leave as it is."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any

import attrs

from headrace.deploying.spec import Spec, SpecFile
from headrace.deploying.verify import Described, NotTaken, Place, Source, described, place_of, source_of, undescribed
from headrace.errors import HeadraceError, SpecsRefused, StorageUnusable, WrongSpec
from headrace.instance import Instance
from headrace.model.changes import changed_words, is_other_code
from headrace.model.deployments import Archive, Code, Deployment
from headrace.model.filters import DeploymentFilter, Page
from headrace.model.storages import StoragePlace
from headrace.packaging.manifest import Manifest
from headrace.packaging.statements import signed, statement_of
from headrace.packaging.tree import Tree
from headrace.packaging.unpacking import read_manifest

MOST_FILES_NAMED = 5


class Outcome(StrEnum):
    """What becomes of a deployment."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"


@attrs.frozen(kw_only=True)
class Planned:
    """A deployment as it will be; `changed` says in words what is different from how it is."""

    deployment: Deployment
    tree: Tree | None
    outcome: Outcome
    changed: tuple[str, ...] = ()


def planned(house: Instance, file: SpecFile, *, verifies: bool, say: Callable[[str], None], sign_with: str = "") -> list[Planned]:
    """The plan for the specs of a file, nothing of which is done yet; `say` hears what takes long. What is run is signed by the key `sign_with`, if there
    is one. Raises SpecsRefused, with every fault there is; CannotSign, KeysUnusable."""
    planning = _Planning(house, say, file.faults, sign_with)
    found = planning.described(file.specs, verifies=verifies)
    plan = [planning.plan(spec, source, flow, verified=verifies) for spec, source, flow in found]
    planning.refuse_doubles([(spec.where, each.deployment.full_name) for (spec, *_), each in zip(found, plan, strict=True)])
    if planning.faults:
        raise SpecsRefused(faults=tuple(planning.faults))
    return plan


class _Planning:
    """One planning, and the faults that were met."""

    def __init__(self, house: Instance, say: Callable[[str], None], faults: Iterable[str], sign_with: str) -> None:
        self._house = house
        self._sign_with = sign_with
        self._say = say
        self._blocked = house.settings.plugins_blocked
        self.faults = list(faults)

    def described(self, specs: Sequence[Spec], *, verifies: bool) -> list[tuple[Spec, Source, Described]]:
        """What is known of each spec's flow; code that several share is imported once."""
        trees: dict[str, Tree] = {}
        groups: dict[tuple[Any, Place], list[tuple[Spec, Source]]] = {}
        known: list[tuple[Spec, Source, Described]] = []
        for spec in specs:
            try:
                source = source_of(spec, trees)
                if source.tree is not None:
                    self._check_storage(spec)
                if verifies:
                    place = place_of(spec, self._house.registry)
                    groups.setdefault((source.identity, place), []).append((spec, source))
                else:
                    known.append((spec, source, undescribed(spec, source)))
            except HeadraceError as error:
                self._fault(spec, error)
        for (_, place), members in groups.items():
            known += self._imported(members, place)
        order = {id(spec): place for place, spec in enumerate(specs)}
        return sorted(known, key=lambda row: order[id(row[0])])

    def _imported(self, members: list[tuple[Spec, Source]], place: Place) -> list[tuple[Spec, Source, Described]]:
        source = members[0][1]
        self._say(f"importing {source.what} in a clean process")
        try:
            answers = described(source, [spec.parameters for spec, _ in members], place=place, blocked=self._blocked)
        except HeadraceError as error:
            where = " and ".join(spec.where for spec, _ in members)
            self.faults.append(f"{where}: {error}")
            return []
        known = []
        for (spec, own), answer in zip(members, answers, strict=True):
            if isinstance(answer, NotTaken):
                self.faults.append(f"{spec.parameter_lines.get(answer.parameter, spec.where)}: {answer.why}")
            else:
                known.append((spec, own, answer))
        return known

    @cached_property
    def _place(self) -> StoragePlace:
        return self._house.places.usual()

    def _archive(self, spec: Spec, tree: Tree) -> Archive:
        """Where the code goes; the orchestration's own storage is left for it to know."""
        storage = spec.flow_storage or self._place.storage
        return tree.archive(None if storage == self._house.places.own else storage, self._place.folder)

    def _check_storage(self, spec: Spec) -> None:
        choice = spec.flow_storage or self._place.storage
        assert choice is not None, "there is always one that is usual"
        if not self._house.storage(choice).outlives_process:
            why = "it is gone when this process ends; pip install headrace-files, or name another as flow_storage"
            raise StorageUnusable(where=choice.name, why=why)

    def _fault(self, spec: Spec, error: HeadraceError) -> None:
        self.faults.append(str(error) if isinstance(error, WrongSpec) else f"{spec.where}: {error}")

    # One deployment

    def plan(self, spec: Spec, source: Source, flow: Described, *, verified: bool) -> Planned:
        """The deployment that a spec makes, against what is there."""
        now = self._house.clock.now()
        archive = self._archive(spec, source.tree) if source.tree is not None else None
        deployment = Deployment(
            id=self._house.ids.new(),
            name=spec.name or flow.flow_name,
            flow_name=flow.flow_name,
            code=Code(entrypoint=flow.entrypoint, archive=archive, serializer=source.serializer),
            flow_version=flow.flow_version,
            description=spec.description if spec.description is not None else flow.description,
            parameters=flow.parameters,
            parameter_schema=flow.parameter_schema,
            tags=spec.tags,
            schedules=spec.schedules,
            flow_runner=spec.flow_runner,
            retries=flow.retries,
            retry_delay=flow.retry_delay,
            max_restarts=spec.max_restarts,
            is_verified=verified,
            created=now,
            updated=now,
        )
        wanted = DeploymentFilter(flow_names=(deployment.flow_name,), names=(deployment.name,))
        known = next(iter(self._house.client.read_deployments(wanted, Page(limit=1))), None)
        deployment = self._signed(known, deployment)
        if known is None:
            return Planned(deployment=deployment, tree=source.tree, outcome=Outcome.CREATED)
        changed = tuple(self._changed(known, deployment, source.tree))
        outcome = Outcome.UPDATED if changed else Outcome.UNCHANGED
        deployment = attrs.evolve(deployment, id=known.id, created=known.created) if changed else known
        return Planned(deployment=deployment, tree=source.tree, outcome=outcome, changed=changed)

    def _signed(self, before: Deployment | None, after: Deployment) -> Deployment:
        """With a signature: a new one, or the one that was there, as long as it says what is true."""
        if self._sign_with:
            return signed(after, self._sign_with, self._house.registry)
        if before is None or statement_of(before) != statement_of(after):
            return after
        return attrs.evolve(after, code=attrs.evolve(after.code, signature=before.code.signature))

    def _changed(self, before: Deployment, after: Deployment, tree: Tree | None) -> list[str]:
        said = []
        if is_other_code(before, after):
            said.append(f"code{self._files(before, after, tree)}")
        said += changed_words(before, after)
        if not said and before.flow_version != after.flow_version:
            said.append("flow version")
        return said

    def _files(self, before: Deployment, after: Deployment, tree: Tree | None) -> str:
        """Which files are different, where that can be told."""
        archive = before.code.archive
        if archive is None or tree is None or archive.sha256 == tree.manifest.sha256:
            return ""
        old = self._manifest(archive)
        if old is None:
            return ""
        was, now = ({entry.path: entry for entry in manifest.entries} for manifest in (old, tree.manifest))
        different = sorted(path for path in was.keys() | now.keys() if was.get(path) != now.get(path))
        more = f" and {len(different) - MOST_FILES_NAMED} more" if len(different) > MOST_FILES_NAMED else ""
        return f": {', '.join(different[:MOST_FILES_NAMED])}{more}"

    def _manifest(self, archive: Archive) -> Manifest | None:
        try:
            with self._house.code_storage(archive.storage) as storage:
                return read_manifest(archive, storage)
        except HeadraceError:
            return None

    def refuse_doubles(self, named: list[tuple[str, str]]) -> None:
        """Two specs that mean one deployment are a fault, since one would be lost."""
        places: dict[str, list[str]] = {}
        for where, name in named:
            places.setdefault(name, []).append(where)
        self.faults += [
            f"{' and '.join(where)}: both are deployment {name!r}; give one another name"
            for name, where in places.items()
            if len(where) > 1
        ]

"""The code of a deployment, as it is or was in one of its versions: the file that its entrypoint is in."""

from collections.abc import Sequence
from functools import cached_property

from headrace.errors import HeadraceError, NotFound
from headrace.model.deployments import Deployment
from headrace.model.storages import is_harmless, storage_name
from headrace.packaging.source import Source, read_source
from headrace_dashboard.numbers import whole_number
from headrace_dashboard.pages.deployment import OfDeployment

MOST_LINES = 5_000


class CodePage(OfDeployment):
    """One version's."""

    template = "code.html"

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"Code of {self.deployment.full_name}"

    @cached_property
    def version(self) -> Deployment:
        """The deployment as it was when it had the version that is asked for; as it is, where none is. Raises NotFound."""
        asked = self.asked("version")
        if not asked:
            return self.deployment
        wanted = whole_number(asked, 9) or 0
        many = self.deployment.version - wanted + 1
        known = self.client.read_deployment_versions(self.deployment.id, many) if 0 < wanted <= self.deployment.version else []
        found = next((each for each in known if each.version == wanted), None)
        if found is None:
            raise NotFound(what=f"version of {self.deployment.full_name}", name=asked, command="deployment history")
        return found

    @cached_property
    def source(self) -> Source | str:
        """The file; or why it cannot be shown."""
        code = self.version.code
        archive = code.archive
        if archive is None:
            return f"Its code is not kept: {code.entrypoint} is installed where its runs are."
        if code.serializer is not None:
            return f"The flow itself was written down as {code.serializer}, which only a run reads, since to read it runs code."
        if archive.storage is not None and not is_harmless(archive.storage):
            return (
                "It says itself how to reach the storage that its code is in, and that is believed in runs only; give that storage a name."
            )
        try:
            with self.house.code_storage(archive.storage) as storage:
                return read_source(archive, code.entrypoint, storage)
        except HeadraceError as error:
            return f"It cannot be shown: {error}."

    @property
    def storage_name(self) -> str:
        """That of where the code is."""
        archive = self.version.code.archive
        return storage_name(archive.storage) if archive is not None and archive.storage is not None else "the orchestration's own"

    @cached_property
    def lines(self) -> Sequence[str]:
        """Those of the file, as many as are shown."""
        return self.source.text.splitlines()[:MOST_LINES] if isinstance(self.source, Source) else []

    @property
    def is_cut(self) -> bool:
        """Whether there are more."""
        return isinstance(self.source, Source) and len(self.source.text.splitlines()) > MOST_LINES

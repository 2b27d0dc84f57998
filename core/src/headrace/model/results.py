"""Where the result of a run is kept."""

import attrs

from headrace.model.choices import Choice

RESULTS = "results/"
"""What keys of results begin with, in the folder of the orchestration; then comes the root run, then the run."""


@attrs.frozen(kw_only=True)
class ResultReference:
    """Points to a result: `inline` text, or `key` in `storage`; `size` in bytes and `sha256` are of the serialized form."""

    serializer: str
    size: int
    sha256: str
    storage: Choice
    key: str | None = None
    inline: str | None = None

    @property
    def kept_by(self) -> str | None:
        """The root run that has kept it; None where it lies inline."""
        _, found, rest = (self.key or "").partition(RESULTS)
        return rest.partition("/")[0] if found else None

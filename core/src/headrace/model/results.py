"""Where the result of a run is kept."""

import attrs

from headrace.model.choices import Choice


@attrs.frozen(kw_only=True)
class ResultReference:
    """Points to a result: `inline` text, or `key` in `storage`; `size` in bytes and `sha256` are of the serialized form."""

    serializer: str
    size: int
    sha256: str
    storage: Choice
    key: str | None = None
    inline: str | None = None

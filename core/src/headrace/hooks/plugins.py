"""What became of every plugin that was found."""

from enum import StrEnum

import attrs


class Status(StrEnum):
    """Whether a plugin's offers can be chosen."""

    OK = "ok"
    BLOCKED = "blocked"
    FAILED = "failed"


@attrs.frozen(kw_only=True)
class PluginRow:
    """One line of `headrace plugins`: a provider (`kind` is its port), or a plugin that offers nothing for a reason (`kind` is "plugin")."""

    name: str
    kind: str
    dist: str
    version: str
    status: Status = Status.OK
    reason: str = ""
    summary: str = ""

"""Events: what happened, in the order the store saw it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import attrs


@attrs.frozen(kw_only=True)
class Event:
    """Something that changed what others may see. `sequence` is given by the store and grows; 0 until it is stored."""

    sequence: int = 0
    moment: datetime
    kind: str
    subject: str
    details: Mapping[str, Any] = attrs.field(factory=dict)

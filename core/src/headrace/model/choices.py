"""A choice of a provider: its name and its options, as plain data."""

from collections.abc import Mapping
from typing import Any

import attrs


@attrs.frozen
class Choice:
    """Names a provider and its options; whoever uses the choice loads the class, so others need not have it installed."""

    name: str
    options: Mapping[str, Any] = attrs.field(factory=dict, hash=False)

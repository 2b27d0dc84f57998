"""Formats: the plain types that JSON has no type for, by the names under which JSON Schema speaks of them.

Where there is a usual name it is used, for those who read a schema or make a form of it. What fits is decided by coercion and nothing else, so
it is what a flow takes: a `date-time` may lack its time zone, a `duration` may be a number of seconds.
"""

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import PurePath
from types import MappingProxyType
from typing import Any
from uuid import UUID

from headrace.model.coercion import is_taken

FORMATS: Mapping[str, type] = MappingProxyType(
    {
        "boolean": bool,  # of a key, which is always a text
        "complex": complex,
        "date": date,
        "date-time": datetime,
        "decimal": Decimal,
        "double": float,
        "duration": timedelta,
        "integer": int,  # of a key
        "path": PurePath,
        "regex": re.Pattern,
        "time": time,
        "utf-8": bytes,
        "uuid": UUID,
    }
)


def fits(name: str, value: Any) -> bool:
    """Whether a text or number is one of the format; of anything else a format says nothing."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return True
    return is_taken(value, FORMATS[name])

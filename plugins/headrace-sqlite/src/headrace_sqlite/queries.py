"""The statements of `queries.sql`, by name."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType


@cache
def queries() -> Mapping[str, str]:
    """Every statement by its name; the file is read once."""
    text = Path(__file__).with_name("queries.sql").read_text(encoding="utf-8")
    _, *blocks = text.split("\n-- name: ")
    named = (block.split(":", 1) for block in blocks)
    return MappingProxyType({name: rest.partition("\n")[2].strip() for name, rest in named})

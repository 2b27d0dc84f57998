"""Templates as HTML; a piece of a page is a block of its template, and is made alone."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from headrace_dashboard import shown
from headrace_dashboard.assets import COPY_POLICY, sprite


@cache
def _templates() -> Environment:
    made = Environment(
        loader=PackageLoader("headrace_dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(shown.FILTERS)
    made.globals.update(copy_policy=COPY_POLICY, sprite=sprite())
    made.globals.update(parts=made.get_template("parts.html").module)
    return made


def rendered(name: str, values: Mapping[str, Any]) -> str:
    """A whole page."""
    return _templates().get_template(name).render(values)


def rendered_piece(name: str, piece: str, values: Mapping[str, Any]) -> str | None:
    """A block of a page; None where there is none of that name."""
    template = _templates().get_template(name)
    block = template.blocks.get(piece)
    return None if block is None else "".join(block(template.new_context(dict(values))))

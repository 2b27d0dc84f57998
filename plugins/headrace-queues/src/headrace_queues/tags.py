"""The queue matcher `tags`."""

from typing import Any

import attrs

from headrace.model.reasons import Reason
from headrace.model.runs import FlowRun
from headrace.model.texts import as_texts, quoted


@attrs.frozen(kw_only=True)
class TagsMatcher:
    """Wants runs that have all of these tags, whatever else they have."""

    def checked(self, wanted: Any) -> list[str]:
        return as_texts(wanted, where="queue matcher 'tags'")

    def matches(self, wanted: Any, run: FlowRun) -> Reason:
        lacking = [tag for tag in wanted if tag not in run.tags]
        if not lacking:
            return Reason(fits=True, why=f"it has {_named(wanted)}")
        return Reason(fits=False, why=f"it lacks {_named(lacking)} (it has {quoted(run.tags) or 'none'})")


def _named(tags: list[str]) -> str:
    return f"the {'tag' if len(tags) == 1 else 'tags'} {quoted(tags)}"

"""What a work queue asks of runs, in words."""

import json
from collections.abc import Mapping
from typing import Any

from headrace.model.queues import WorkQueue

TAGS, DEPLOYMENTS, FLOW_RUNNERS = "tags", "deployments", "flow_runners"
"""The queue matchers that have options, and fields, of their own."""

EVERYTHING = "every run of every deployment"


def in_words(wanted: Any, known: Mapping[str, str]) -> str:
    """What one matcher looks for; ids with a title in `known` are shown by it."""
    texts = texts_in(wanted)
    return ", ".join(known.get(text, text) for text in texts) if texts else json.dumps(wanted, ensure_ascii=False)


def all_in_words(queue: WorkQueue, known: Mapping[str, str]) -> str:
    """All that a queue asks for, on one line."""
    return "; ".join(f"{name}: {in_words(wanted, known)}" for name, wanted in queue.criteria.items()) or EVERYTHING


def texts_in(wanted: Any) -> list[str]:
    """What a matcher looks for, where that is a list of texts; else none."""
    return wanted if isinstance(wanted, list) and all(isinstance(item, str) for item in wanted) else []

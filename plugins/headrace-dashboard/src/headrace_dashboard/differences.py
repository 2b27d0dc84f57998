"""What two versions of a deployment have different, line by line."""

import json
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import islice
from typing import Any

import attrs

from headrace.hooks.registry import Registry
from headrace.model.changes import WORDS, changed_words, is_other_code
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment
from headrace.wire.plain import to_plain
from headrace.wire.schedule_words import in_words
from headrace_dashboard.hiding import shown_options

MOST_LINES = 200
MOST_COMPARED = 1_000
"""Of longer texts only the beginnings are compared, since that takes long."""

_AROUND = 2


@attrs.frozen
class Line:
    """A line: `sign` is + or - or nothing, where both have it."""

    sign: str
    text: str


@attrs.frozen
class Difference:
    """What is different of one thing; `is_more`: there are lines that are not shown."""

    what: str
    lines: tuple[Line, ...]
    is_more: bool


def summary_of(before: Deployment | None, after: Deployment) -> str:
    """What a version changed in the one before it, in a few words."""
    if before is None:
        return "created" if after.version == 1 else ""
    code = ["code"] if is_other_code(before, after) else []
    return ", ".join([*code, *changed_words(before, after)]) or "flow version"


def differences_of(before: Deployment, after: Deployment, registry: Registry) -> list[Difference]:
    """All that is different, one thing after the other."""
    return [
        found
        for what, one, other in zip(_whats(), _texts(before, registry), _texts(after, registry), strict=True)
        if (found := _difference(what, one, other)) is not None
    ]


def _whats() -> list[str]:
    return ["code", "flow version", *WORDS.values()]


def _texts(deployment: Deployment, registry: Registry) -> Iterator[Sequence[str]]:
    yield _code(deployment.code)
    yield [deployment.flow_version] if deployment.flow_version else []
    for field in WORDS:
        yield _text(getattr(deployment, field), registry)


def _code(code: Code) -> Sequence[str]:
    archive, signature = code.archive, code.signature
    told = {
        "entrypoint": code.entrypoint,
        "serializer": code.serializer,
        "sha256": archive.sha256 if archive else None,
        "files": archive.files if archive else None,
        "storage": archive.storage.name if archive and archive.storage else None,
        "signed by": signature.key if signature else None,
    }
    return [f"{name} {value}" for name, value in told.items() if value is not None]


def _text(value: Any, registry: Registry) -> Sequence[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return value.splitlines()
    if isinstance(value, Choice):
        return [value.name, *_json(shown_options("flow runner", value, registry) or None)]
    if isinstance(value, tuple):
        return [each if isinstance(each, str) else in_words(each) for each in value]
    return _json(to_plain(value))


def _json(plain: Any) -> Sequence[str]:
    return [] if plain is None else json.dumps(plain, indent=2, ensure_ascii=False).splitlines()


def _difference(what: str, before: Sequence[str], after: Sequence[str]) -> Difference | None:
    if before == after:
        return None
    lines = list(islice(_lines(before[:MOST_COMPARED], after[:MOST_COMPARED]), MOST_LINES + 1))
    is_cut = len(lines) > MOST_LINES or max(len(before), len(after)) > MOST_COMPARED
    return Difference(what, tuple(lines[:MOST_LINES]), is_cut)


def _lines(before: Sequence[str], after: Sequence[str]) -> Iterator[Line]:
    matcher = SequenceMatcher(None, before, after)  # of long texts it passes over lines that stand everywhere, which take very long else
    for number, group in enumerate(matcher.get_grouped_opcodes(_AROUND)):
        if number:
            yield Line("", "…")
        for kind, one, one_end, other, other_end in group:
            if kind == "equal":
                yield from (Line("", text) for text in before[one:one_end])
                continue
            yield from (Line("-", text) for text in before[one:one_end])
            yield from (Line("+", text) for text in after[other:other_end])

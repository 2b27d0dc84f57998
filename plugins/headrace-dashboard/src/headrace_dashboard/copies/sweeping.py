"""Sweeping: taking secrets out of what was written."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from html import unescape
from pathlib import Path

import attrs
from markupsafe import escape

from headrace.cli.hidden_secrets import HiddenSecrets, is_telling
from headrace.model.logs import LogLine
from headrace.settings import HIDDEN

_TAG = re.compile(r"(<[^>]*>)")
_BEGIN, _END = re.compile("-----BEGIN [A-Z0-9 ]*PRIVATE KEY"), "-----END "
_SAID = re.compile(r"""(?<=\s)(title|aria-label|alt|value|content)="([^"]*)\"""")


def swept(text: str, hidden: HiddenSecrets, *, is_html: bool) -> str:
    """A text without secrets; of a page, what people read of it."""
    return _page(text, hidden.gone) if is_html else str(hidden.gone(text))


def _page(html: str, gone: Callable[[str], str]) -> str:
    return "".join(_in_tag(part, gone) if part.startswith("<") else _in_text(part, gone) for part in _TAG.split(html))


def _in_tag(tag: str, gone: Callable[[str], str]) -> str:
    if tag.startswith("<meta"):
        return tag
    return _SAID.sub(lambda found: f'{found[1]}="{_in_text(found[2], gone)}"', tag)


def _in_text(text: str, gone: Callable[[str], str]) -> str:
    plain = unescape(text)
    found = gone(plain)
    return text if found == plain else str(escape(found))


def without_keys(lines: Sequence[LogLine], hidden: HiddenSecrets) -> list[LogLine]:
    """Lines of a log in which no private key stands that was printed line by line."""
    found: dict[str, LogLine] = {}
    within: dict[str, bool] = {}
    for line in sorted(lines, key=lambda line: line.id):
        is_within = within.get(line.flow_run_id, False)
        within[line.flow_run_id] = _END not in line.message and (is_within or bool(_BEGIN.search(line.message)))
        found[line.id] = attrs.evolve(line, message=hidden.gone(line.message, is_secret=True)) if is_within else line
    return [found[line.id] for line in lines]


def sweep_again(files: Iterable[Path], hidden: HiddenSecrets) -> None:
    """Looks through all that was written for secrets that became known while it was, and once more for those that were known before, wherever they stand."""
    later = hidden.knowing([text for text in hidden.replaced if _is_distinct(text)])
    anywhere = [value for value in hidden.values if is_telling(value) and not value.isalpha()]
    for path in files:
        text = path.read_text(encoding="utf-8")
        found = swept(text, later, is_html=path.suffix == ".html") if path.suffix in (".html", ".txt") else text
        for value in _written(anywhere):
            found = found.replace(value, HIDDEN)
        if found != text:
            path.write_text(found, encoding="utf-8", newline="\n")


def _written(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        yield value
        if (escaped := str(escape(value))) != value:
            yield escaped


def _is_distinct(text: str) -> bool:
    """Whether a text that was taken for a secret is so much one that it is looked for elsewhere."""
    return is_telling(text) and any(letter.isdigit() for letter in text) and any(letter.isalpha() for letter in text)

"""A plugin grows: the files of the template, under the names that somebody chose.

The template speaks of a plugin called `acme`. Its files carry the suffix `.txt` where tools would take them for code of this distribution.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files
from pathlib import Path

import attrs

from headrace.errors import InvalidOption, WrongData

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_DATA = ".txt"
_TEMPLATE = files("headrace_plugin_template") / "template"

KINDS = (
    "client",
    "command",
    "event-sink",
    "flow-runner",
    "queue-matcher",
    "rule",
    "run-store",
    "schedule",
    "serializer",
    "service",
    "storage",
    "task-runner",
)


def _named(_: object, field: "attrs.Attribute[str]", value: str) -> None:
    if not _NAME.fullmatch(value):
        why = "it must be of small letters and digits, with dashes between words, such as my-vault"
        raise InvalidOption(where="headrace plugins new", option=field.name, value=value, why=why)


@attrs.frozen(kw_only=True)
class Seed:
    """What is to grow: a plugin with that name that offers something of a kind, under the same name."""

    kind: str = attrs.field(validator=attrs.validators.in_(KINDS))
    name: str = attrs.field(validator=_named)

    @property
    def dist(self) -> str:
        return f"headrace-{self.name}"

    @property
    def package(self) -> str:
        return self.dist.replace("-", "_")

    @property
    def module(self) -> str:
        """The module of what is offered."""
        return self.kind.replace("-", "_")

    def renamed(self, text: str) -> str:
        """A text of the template as it is to be."""
        words = {"headrace-acme": self.dist, "headrace_acme": self.package, "acme": self.name, "Acme": self._camel}
        return re.sub("headrace-acme|headrace_acme|acme|Acme", lambda found: words[found.group()], text)

    @property
    def _camel(self) -> str:
        return "".join(word.capitalize() for word in self.name.split("-"))


def grown(seed: Seed) -> Mapping[str, str]:
    """The files, by their paths in the distribution's folder, sorted."""
    return dict(sorted(_files(seed)))


def grow(seed: Seed, into: Path) -> Path:
    """Writes the files into a new folder named like the distribution; its path. Raises WrongData where something is there already."""
    folder = into / seed.dist
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise WrongData(where=str(folder), why="it is there already; choose another name, or another folder with --into") from None
    for path, text in grown(seed).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return folder


def _files(seed: Seed) -> Iterator[tuple[str, str]]:
    own, every = _TEMPLATE / seed.module, _TEMPLATE / "dist"
    places = {
        "LICENSE": every / "LICENSE",
        "pyproject.toml": every / f"pyproject.toml{_DATA}",
        "README.md": own / "README.md",
        f"src/{seed.package}/__init__.py": every / "src" / f"__init__.py{_DATA}",
        f"src/{seed.package}/py.typed": every / "src" / "py.typed",
        f"src/{seed.package}/plugin.py": own / f"plugin.py{_DATA}",
        f"src/{seed.package}/{seed.module}.py": own / f"{seed.module}.py{_DATA}",
        f"tests/test_{seed.module}.py": own / f"test_{seed.module}.py{_DATA}",
        "tests/test_plugin.py": every / "tests" / f"test_plugin.py{_DATA}",
    }
    for path, place in places.items():
        special = own / place.name  # a kind may have its own in place of what all have
        yield path, seed.renamed((special if special.is_file() else place).read_text(encoding="utf-8"))

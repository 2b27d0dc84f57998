"""Specs in YAML: one mapping in each document, or a list of them."""

import reprlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import yaml

from headrace.deploying.spec import FIELDS, DeploymentSpec, near
from headrace.errors import WrongSpec

KEYS = tuple(name for name in FIELDS if name != "flow")
MOMENT, MERGE = "tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge"

MOST_REPEATED = 100_000
"""How many values the aliases of a file may make of those that it has: a few lines can make thousands of millions."""


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, but a key may stand once only, and a moment stays the text that it is: the flow knows what it is to be."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the library has it
        letter: [(tag, pattern) for tag, pattern in rules if tag != MOMENT]
        for letter, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node = super().compose_mapping_node(anchor)
        seen: set[tuple[str, str]] = set()
        for key, _ in node.value:
            name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) and key.tag != MERGE else None
            if name in seen:
                raise yaml.composer.ComposerError(None, None, f"the key {key.value!r} stands twice", key.start_mark)
            if name is not None:
                seen.add(name)
        return node

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """JSON, which is YAML too, writes some characters as two halves."""
        text = super().construct_scalar(node)
        try:
            text.encode()
        except UnicodeEncodeError:
            halves = text.encode("utf-16-le", "surrogatepass")
            try:
                return halves.decode("utf-16-le")
            except UnicodeDecodeError:
                raise yaml.constructor.ConstructorError(None, None, f"{text!r} is no text that UTF-8 can hold", node.start_mark) from None
        return text


def yaml_specs(file: Path) -> list[tuple[Callable[[], DeploymentSpec], str]]:
    """The specs of a file, each to be made, with its place. Raises WrongSpec, and so does making one."""
    return [(partial(_spec, row, place), place.where) for row, place in _rows(file)]


@attrs.frozen(kw_only=True)
class _Place:
    """Where a mapping begins, and on which lines its keys stand."""

    file: str
    line: int
    keys: Mapping[str, int]

    @property
    def where(self) -> str:
        return f"{self.file}, line {self.line}"

    def of(self, key: object) -> str:
        """Where a key stands; one that was merged into the mapping stands where that begins."""
        return f"{self.file}, line {self.keys.get(str(key), self.line)}"


def _rows(file: Path) -> list[tuple[Any, _Place]]:
    try:
        loader = _Loader(file.read_text(encoding="utf-8-sig"))
        try:
            return list(_located(loader, file.name))
        finally:
            loader.dispose()
    except UnicodeDecodeError:
        raise WrongSpec(where=file.name, why="it is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise WrongSpec(where=f"{file.name}{place}", why=f"it cannot be read as YAML: {error.problem or error.context}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise WrongSpec(where=file.name, why=f"it cannot be read as YAML: {' '.join(str(error).split())}") from None


def _located(loader: _Loader, name: str) -> Iterator[tuple[Any, _Place]]:
    """Every mapping with its place."""
    while loader.check_node():
        node = loader.get_node()
        assert node is not None, "a document has a node"
        _check_size(node)
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            row = loader.construct_document(each)
            if row is not None:
                yield row, _Place(file=name, line=each.start_mark.line + 1, keys=dict(_lines(each)))


def _lines(node: yaml.Node) -> Iterator[tuple[str, int]]:
    """The keys of a mapping with their lines."""
    for key, _ in node.value if isinstance(node, yaml.MappingNode) else ():
        if isinstance(key, yaml.ScalarNode):
            yield key.value, key.start_mark.line + 1


def _check_size(document: yaml.Node) -> None:
    """Refuses what contains itself, and what aliases make much more of than is written."""
    sizes: dict[yaml.Node, int] = {}

    def size(node: yaml.Node) -> int:
        if isinstance(node, yaml.ScalarNode):
            return 1
        if node not in sizes:
            sizes[node] = 0
            sizes[node] = 1 + sum(map(size, _held(node)))
        if not sizes[node]:
            raise yaml.composer.ComposerError(None, None, "what is written here contains itself", node.start_mark)
        return sizes[node]

    if size(document) > MOST_REPEATED + sum(1 + len(_held(node)) for node in sizes):
        why = f"its aliases (such as *name) make more than {MOST_REPEATED:,} values of what is written"
        raise yaml.composer.ComposerError(None, None, why, document.start_mark)


def _held(node: yaml.Node) -> list[yaml.Node]:
    """The nodes in a node."""
    return [each for pair in node.value for each in pair] if isinstance(node, yaml.MappingNode) else node.value


def _spec(row: Any, place: _Place) -> DeploymentSpec:
    if not isinstance(row, dict):
        why = f"a deployment is a mapping of keys and values, not {reprlib.repr(row)}; its keys are: {', '.join(KEYS)}"
        raise WrongSpec(where=place.where, why=why)
    for key in row:
        if key == "flow":
            raise WrongSpec(where=place.of(key), why="flow is an object of Python, which YAML cannot hold; give flow_location")
        if key not in KEYS:
            raise WrongSpec(where=place.of(key), why=f"{key!r} is no key of a deployment{near(key, KEYS)}")
    return DeploymentSpec(**row)

"""Specs in YAML: one mapping in each document, or a list of them."""

import reprlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import yaml

from headrace.deploying.lines import Line
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


def yaml_specs(file: Path) -> list[tuple[Callable[[], DeploymentSpec], Line]]:
    """The specs of a file, each to be made, with its place. Raises WrongSpec, and so does making one."""
    return [(partial(_spec, row, line), line) for row, line in _rows(file)]


@attrs.frozen(kw_only=True)
class _Line(Line):
    """Where a node of a file begins; where it is shared or merged, where it is used."""

    file: str
    node: yaml.Node

    def of(self, key: object) -> "_Line":
        """Where the value of a key begins, or what stands at a number in a list; the node itself where there is none."""
        begins = self.node.start_mark
        if isinstance(self.node, yaml.SequenceNode) and isinstance(key, int) and 0 <= key < len(self.node.value):
            value = self.node.value[key]
            return _line(self.file, value.start_mark if value.start_mark.index >= begins.index else begins, value)
        for name, value in reversed(self.node.value) if isinstance(self.node, yaml.MappingNode) else ():
            if isinstance(name, yaml.ScalarNode) and name.value == str(key):
                marks = [mark for mark in (value.start_mark, name.start_mark) if mark.index >= begins.index]
                return _line(self.file, max(marks, key=lambda mark: mark.index, default=begins), value)
        return self

    def key(self, key: object) -> str:
        """Where a key stands; one that was merged into the mapping stands where that begins."""
        for name, _ in reversed(self.node.value) if isinstance(self.node, yaml.MappingNode) else ():
            if isinstance(name, yaml.ScalarNode) and name.value == str(key):
                return _line(self.file, max(name.start_mark, self.node.start_mark, key=lambda mark: mark.index), name).where
        return self.where


def _line(file: str, mark: yaml.error.Mark, node: yaml.Node) -> _Line:
    return _Line(where=f"{file}, line {mark.line + 1}", file=file, node=node)


def _rows(file: Path) -> list[tuple[Any, _Line]]:
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


def _located(loader: _Loader, name: str) -> Iterator[tuple[Any, _Line]]:
    """Every mapping with its place."""
    while loader.check_node():
        node = loader.get_node()
        assert node is not None, "a document has a node"
        _check_size(node)
        for each in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            row = loader.construct_document(each)
            if row is not None:
                yield row, _line(name, each.start_mark, each)


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


def _spec(row: Any, line: _Line) -> DeploymentSpec:
    if not isinstance(row, dict):
        why = f"a deployment is a mapping of keys and values, not {reprlib.repr(row)}; its keys are: {', '.join(KEYS)}"
        raise WrongSpec(where=line.where, why=why)
    for key in row:
        if key == "flow":
            raise WrongSpec(where=line.key(key), why="flow is an object of Python, which YAML cannot hold; give flow_location")
        if key not in KEYS:
            raise WrongSpec(where=line.key(key), why=f"{key!r} is no key of a deployment{near(key, KEYS)}")
    return DeploymentSpec(**row)

"""Specs in YAML: one mapping in each document, or a list of them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from headrace.deploying.spec import FIELDS, DeploymentSpec
from headrace.errors import WrongSpec

NOT_IN_YAML = {"flow"}


class _Loader(yaml.SafeLoader):
    """YAML's safe loader, which also refuses a key that stands twice."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - as the library calls it
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} stands twice", key_node.start_mark)
            if isinstance(key, str):
                seen.add(key)
        return super().construct_mapping(node, deep=deep)


def yaml_specs(file: Path) -> list[tuple[DeploymentSpec, str]]:
    """The specs of a file, each with its place. Raises WrongSpec."""
    return [(_spec(row, where), where) for row, where in _rows(file)]


def _rows(file: Path) -> Iterator[tuple[Any, str]]:
    try:
        documents = list(yaml.load_all(file.read_text(encoding="utf-8"), _Loader))
    except UnicodeDecodeError:
        raise WrongSpec(where=file.name, why="it is not UTF-8 text") from None
    except yaml.MarkedYAMLError as error:
        place = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise WrongSpec(where=f"{file.name}{place}", why=f"it is no YAML that can be read: {error.problem}") from None
    except yaml.YAMLError as error:
        raise WrongSpec(where=file.name, why=f"it is no YAML that can be read: {error}") from None
    for number, document in enumerate(documents, 1):
        where = file.name if len(documents) == 1 else f"{file.name}, document {number}"
        if isinstance(document, list):
            yield from ((row, f"{where}, item {place}") for place, row in enumerate(document, 1))
        elif document is not None:
            yield document, where


def _spec(row: Any, where: str) -> DeploymentSpec:
    if not isinstance(row, dict):
        raise WrongSpec(where=where, why=f"a deployment is a mapping of keys and values, not {row!r}; its keys are: {', '.join(_known())}")
    for key in row:
        if key not in _known():
            raise WrongSpec(where=where, why=f"{key!r} is no key of a deployment{_advice(key)}")
    return DeploymentSpec(**row)


def _known() -> list[str]:
    return [name for name in FIELDS if name not in NOT_IN_YAML]


def _advice(key: Any) -> str:
    from difflib import get_close_matches  # needed after a slip only

    near = get_close_matches(str(key), _known(), n=1)
    return f"; did you mean {near[0]!r}?" if near else f"; its keys are: {', '.join(_known())}"

"""The graph of task runs: which one's value went into which, drawn in columns from left to right."""

from collections.abc import Mapping, Sequence

import attrs

from headrace.model.runs import TaskRun

WIDE, TALL = 190.0, 34.0
GAP_X, GAP_Y = 60.0, 14.0


@attrs.frozen
class Node:
    """A task run, and where it is."""

    run: TaskRun
    x: float
    y: float


@attrs.frozen
class Edge:
    """A value's way: the path that is drawn."""

    path: str
    begin: str
    end: str


@attrs.frozen
class Graph:
    """Nodes and edges in their place."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: float
    height: float


def graph_of(runs: Sequence[TaskRun]) -> Graph:
    """Each run is in the column after those whose values it took; in a column, runs stand near to what they took."""
    known = {run.id: run for run in runs}
    taken = {run.id: tuple(dict.fromkeys(id for ids in run.inputs.values() for id in ids if id in known and id != run.id)) for run in runs}
    columns = _columns(runs, taken)
    places = _places(columns, taken)
    nodes = tuple(Node(known[id], x, y) for id, (x, y) in places.items())
    edges = tuple(Edge(_curve(places[source], places[run.id]), source, run.id) for run in runs for source in taken[run.id])
    tallest = max((len(column) for column in columns), default=0)
    return Graph(nodes, edges, len(columns) * (WIDE + GAP_X) - GAP_X if columns else 0.0, tallest * (TALL + GAP_Y))


def _columns(runs: Sequence[TaskRun], taken: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """The depth of each: one more than the deepest of what it took. What cannot be resolved, as a circle, stays where it was met."""
    depth: dict[str, int] = {}
    left = [run.id for run in runs]
    while left:
        ready = [id for id in left if all(source in depth for source in taken[id])] or left[:1]
        for id in ready:
            depth[id] = 1 + max((depth.get(source, -1) for source in taken[id]), default=-1)
        left = [id for id in left if id not in depth]
    columns: list[list[str]] = [[] for _ in range(1 + max(depth.values(), default=-1))]
    for run in runs:
        columns[depth[run.id]].append(run.id)
    return columns


def _places(columns: Sequence[Sequence[str]], taken: Mapping[str, Sequence[str]]) -> dict[str, tuple[float, float]]:
    places: dict[str, tuple[float, float]] = {}
    for number, column in enumerate(columns):
        order = {id: index for index, id in enumerate(column)}

        def nearest(id: str, order: Mapping[str, int] = order) -> tuple[float, int]:
            above = [places[source][1] for source in taken[id] if source in places]
            return (sum(above) / len(above) if above else 0.0, order[id])

        for row, id in enumerate(sorted(column, key=nearest)):
            places[id] = (number * (WIDE + GAP_X), row * (TALL + GAP_Y))
    return places


def _curve(source: tuple[float, float], goal: tuple[float, float]) -> str:
    x, y = source[0] + WIDE, source[1] + TALL / 2
    to_x, to_y = goal[0], goal[1] + TALL / 2
    middle = (x + to_x) / 2
    return f"M{x:g} {y:g}C{middle:g} {y:g} {middle:g} {to_y:g} {to_x:g} {to_y:g}"

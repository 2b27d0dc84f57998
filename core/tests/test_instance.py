"""Opening what the settings choose."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import attrs
import pytest

import headrace
import headrace.reference.plugin as reference
from headrace import flow, task
from headrace.errors import NoRunStore, NotInstalled, ResultNotKept, RunNotFinished
from headrace.hooks import Provider, hookimpl
from headrace.hooks.registry import Plugin, Registry, inline
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.filters import FlowRunFilter, Page
from headrace.model.moves import Move
from headrace.model.states import MISSING, State
from headrace.ports.rule import Fact, Facts, Verdict, moves, refused
from headrace.settings import Settings, load


@flow
def answer() -> int:
    return 42


def settings(home: Path, **chosen: str) -> Settings:
    return load({"HEADRACE_HOME": str(home), "HEADRACE_RUN_STORE": "memory", **chosen})


def test_flows_use_what_is_opened(tmp_path: Path) -> None:
    """The innermost instance; after it, the one around it."""
    with headrace.open(settings(tmp_path)) as outer:
        answer()
        with headrace.open(settings(tmp_path)) as inner:
            answer()
            answer()
        answer()
        counts = [len(house.client.read_flow_runs(FlowRunFilter(), Page())) for house in (outer, inner)]
    assert counts == [2, 2]


def test_a_lasting_store_can_be_asked_for(tmp_path: Path) -> None:
    """Memory does not outlive the process, so it is refused, with what to install."""
    with pytest.raises(NoRunStore, match="headrace-sqlite"), headrace.open(settings(tmp_path), lasting=True):
        pass


def test_a_store_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    """It lists what there is."""
    with pytest.raises(NotInstalled, match="no run store named 'papyrus'"), headrace.open(settings(tmp_path, HEADRACE_RUN_STORE="papyrus")):
        pass


def test_a_client_that_is_not_installed_is_refused(tmp_path: Path) -> None:
    """Rather than silently running in process."""
    with pytest.raises(NotInstalled, match="no client named 'pigeon'"), headrace.open(settings(tmp_path, HEADRACE_CLIENT="pigeon")):
        pass


def test_results_are_read_through_the_instance(house: Instance) -> None:
    """Live data as it is, kept ones from where they are; what was not kept says how to keep it."""
    kept = answer.with_options(persist_result=True)(return_state=True)
    stored = house.client.read_flow_runs(FlowRunFilter(), Page())[0].state
    assert (house.result(kept), house.result(stored)) == (42, 42)
    with pytest.raises(ResultNotKept, match="persist_result"):
        house.result(State.completed(MISSING))
    with pytest.raises(RunNotFinished):
        house.result(State.running())


def test_an_extra_rule_of_a_plugin_is_in_force(tmp_path: Path) -> None:
    """It judges flow runs and task runs alike."""

    class NoBadName:
        name = "no-bad-name"
        moves = moves()
        needs: frozenset[Fact] = frozenset()

        def judge(self, move: Move, facts: Facts) -> Verdict | None:
            return refused("bad names do not run") if facts.run.name.startswith("bad") else None

    rules = SimpleNamespace(headrace_rules=hookimpl(lambda: [Provider("names", NoBadName, "No task named bad")]))
    plugins = [
        Plugin(name="core", dist="headrace-core", version="1", load=lambda: reference),
        Plugin(name="rules", dist="rules", version="1", load=lambda: rules),
    ]

    @task
    def bad() -> None: ...

    @task
    def good() -> None: ...

    @flow
    def whole() -> tuple[bool, bool]:
        return bad(return_state=True).is_completed(), good(return_state=True).is_completed()  # type: ignore[call-arg, attr-defined]

    with headrace.open(settings(tmp_path), registry=Registry(plugins)):
        assert whole() == (False, True)


def test_results_go_with_their_run(house: Instance) -> None:
    """Those of its task runs too; what other runs have kept stays."""
    pytest.importorskip("headrace_files")  # what is kept must outlive the opening that kept it

    @task(persist_result=True)
    def large(letter: str) -> str:
        return letter * 10_000

    @flow(persist_result=True)
    def keeps(letter: str) -> str:
        return large(letter)

    runs = []
    for letter in "ab":
        keeps(letter)
        runs.append(house.client.read_flow_runs(FlowRunFilter(), Page())[0].id)
    with house.code_storage() as storage:
        assert {key.split("/")[2] for key in storage.keys(house.client.read_place().key("results/"))} == set(runs)
        house.client.delete_flow_run(runs[0])
        assert {key.split("/")[2] for key in storage.keys(house.client.read_place().key("results/"))} == {runs[1]}
    assert house.result(house.client.read_flow_run(runs[1]).state) == "b" * 10_000


class Wire:
    """A client that is never asked, over a wire that is none."""

    def __init__(self, url: str, token: str) -> None:
        pass

    @contextmanager
    def open(self) -> Iterator[object]:
        yield object()


@attrs.frozen(kw_only=True)
class Far:
    """The storage at the other end of the wire."""

    url: str
    token: str


@attrs.frozen(kw_only=True)
class Near:
    """A folder."""

    path: str


def test_results_and_code_go_where_the_orchestration_is(tmp_path: Path) -> None:
    """Over a wire they go to the server, which is reached as the client reaches it, and no reference has its address or its token. In the server's
    own process the same storage is its folder."""
    offers = SimpleNamespace(
        headrace_clients=hookimpl(lambda: [Provider("http", Wire, "A wire")]),
        headrace_storages=hookimpl(lambda: [Provider("server", Far, "At the server"), Provider("local", Near, "A folder")]),
    )
    registry = Registry([Plugin(name="core", dist="headrace-core", version="1", load=lambda: reference), inline(offers)])
    reached = {"HEADRACE_API_URL": "http://127.0.0.1:1/api", "HEADRACE_API_TOKEN": "secret"}
    with headrace.open(settings(tmp_path, **reached), registry=registry) as house:
        assert house.places.own == Choice("server")
        assert house.storage() == Far(url="http://127.0.0.1:1/api", token="secret")
    with headrace.open(settings(tmp_path, **reached, HEADRACE_RESULT_STORAGE="memory"), registry=registry) as house:
        assert house.places.own == Choice("memory")
    with headrace.open(settings(tmp_path), registry=registry) as house:
        assert house.places.own == Choice("local", {"path": str(tmp_path / "storage")})
        assert house.storage(Choice("server")) == Near(path=str(tmp_path / "storage"))

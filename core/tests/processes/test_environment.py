"""What a run gets of the environment of who starts it."""

import pytest

from headrace.model.orders import CREDENTIALS, MARK, VARIABLE, Order
from headrace.processes.environment import environment_of, inherited
from headrace.settings import SETTINGS, load, variable


def test_credentials_are_the_settings_that_are_secrets() -> None:
    """All of them, and nothing else."""
    assert {variable(name) for name, field in SETTINGS.items() if field.metadata["secret"]} == CREDENTIALS


def test_credentials_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a flow runner lets through; what the order has of them, the run gets."""
    for name in CREDENTIALS:
        monkeypatch.setenv(name, "open sesame")
    assert "open sesame" not in inherited().values()
    assert "open sesame" not in inherited(["*"]).values()
    order = Order(run_id="run", run_name="run", epoch=1, environment={"HEADRACE_API_TOKEN": "of the run"})
    assert environment_of(order, {})["HEADRACE_API_TOKEN"] == "of the run"


def test_what_goes_over_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """The flow runner's own over the order's, over what is inherited; nothing goes over the order itself."""
    for name in ("ONE", "TWO", "THREE"):
        monkeypatch.setenv(name, "inherited")
    order = Order(run_id="run", run_name="run", epoch=1, environment={"TWO": "ordered", "THREE": "ordered"})
    found = environment_of(order, {"THREE": "own", VARIABLE: "own"}, ["ONE", "T*"])
    assert [found[name] for name in ("ONE", "TWO", "THREE")] == ["inherited", "ordered", "own"]
    assert found[VARIABLE] == order.variables[VARIABLE]


def test_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are meant exactly, but for what stands for anything."""
    for name in ("COLOUR", "COLOUR_KEY", "colour_key"):
        monkeypatch.setenv(name, "")
    assert inherited(["COLOUR"]).keys() == {"COLOUR"}
    assert inherited(["COLOUR_*"]).keys() == {"COLOUR_KEY"}
    assert inherited([]) == {}


def test_the_mark_of_a_run_is_no_setting_that_nobody_knows() -> None:
    """Commands that a run calls do not warn of it."""
    assert load({MARK: "run.1", "HEADRACE_HOME": "/home"}).warnings == ()

"""Facades: classes of installed providers, by name."""

import importlib

import headrace.flow_runners
import headrace.schedules
import headrace.storage
import headrace.task_runners


def test_they_say_what_they_have() -> None:
    """Whoever asks for their names, as a prompt does that completes what is typed, is told the classes that are installed."""
    assert {"MemoryStorage"} <= set(dir(headrace.storage))
    assert {"UniversalFlowRunner"} <= set(dir(headrace.flow_runners))
    assert {"SequentialTaskRunner"} <= set(dir(headrace.task_runners))
    assert {"MomentsSchedule"} <= set(dir(headrace.schedules))


def test_they_say_nothing_else() -> None:
    """What a facade is made with is no name of it."""
    for facade in (headrace.storage, headrace.flow_runners, headrace.task_runners, headrace.schedules):
        assert not {"Any", "Registry"} & set(dir(facade))


def test_all_of_them_at_once() -> None:
    """A star brings every class that is installed."""
    for facade in ("storage", "flow_runners", "task_runners", "schedules"):
        names: dict[str, object] = {}
        exec(f"from headrace.{facade} import *", names)
        classes = {name: value for name, value in names.items() if not name.startswith("_")}
        assert set(classes) == set(dir(importlib.import_module(f"headrace.{facade}")))
        assert all(isinstance(value, type) for value in classes.values())


def test_each_name_is_there() -> None:
    """What they say, they give."""
    for facade in (headrace.storage, headrace.flow_runners, headrace.task_runners, headrace.schedules):
        assert all(getattr(facade, name) is not None for name in dir(facade))

"""Facades: classes of installed providers, by name."""

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


def test_each_name_is_there() -> None:
    """What they say, they give."""
    for facade in (headrace.storage, headrace.flow_runners, headrace.task_runners, headrace.schedules):
        assert all(getattr(facade, name) is not None for name in dir(facade))

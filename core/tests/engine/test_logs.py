"""What runs say: on the console, and in the store."""

import logging
import re

import pytest

from headrace import flow, get_run_logger, task
from headrace.instance import Instance
from headrace.model.filters import LogFilter, Page
from headrace.model.logs import LogLine

LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} \| (INFO   |WARNING|ERROR  |DEBUG  ) \| (Flow|Task) run '[^']+' - .+")


def lines(house: Instance, **wanted: object) -> list[LogLine]:
    """Stored lines, oldest first."""
    return house.client.read_logs(LogFilter(**wanted), Page(newest_first=False))  # type: ignore[arg-type]


@task
def speak(word: str) -> None:
    get_run_logger().info("word: %s", word)


def test_lines_are_shown_and_stored(house: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """The console has the tutorial's shape; the store has the same lines, with the run they belong to."""

    @flow
    def whole() -> None:
        get_run_logger().warning("careful")
        speak("hello")

    whole()
    shown = capsys.readouterr().err.splitlines()
    assert all(LINE.fullmatch(line) for line in shown)
    said = [(line.message.split(" ")[0], line.level, line.task_run_id is not None) for line in lines(house)]
    assert said == [
        ("Created", logging.INFO, False),
        ("careful", logging.WARNING, False),
        ("Created", logging.INFO, False),
        ("word:", logging.INFO, True),
        ("Finished", logging.INFO, True),
        ("Finished", logging.INFO, False),
    ]
    assert [line.rpartition(" - ")[2] for line in shown] == [line.message for line in lines(house)]
    assert [line.message for line in lines(house, least_level=logging.WARNING)] == ["careful"]


def test_a_failure_is_shown_from_the_users_first_line_on(house: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback has the user's frames, not the engine's."""

    @task
    def broken() -> None:
        raise ValueError("ouch")

    @flow
    def whole() -> None:
        broken()

    whole(return_state=True)  # type: ignore[call-arg]
    shown = capsys.readouterr().err
    assert "ValueError: ouch" in shown
    assert "in broken" in shown
    assert shown.count("headrace/engine") <= shown.count("in whole") * 5
    assert "headrace/engine" not in next(line.message for line in lines(house) if line.task_run_id and "Traceback" in line.message)


def test_prints_are_lines_where_that_is_asked_for(house: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """print() in such a run is logged with the run; elsewhere, and into other files, it prints."""
    import sys

    @task(log_prints=True)
    def loud() -> None:
        print("in", "task", sep="-")
        print("to stderr", file=sys.stderr)

    @flow
    def whole() -> None:
        print("plain")
        loud()

    whole()
    assert capsys.readouterr().out == "plain\n"
    assert [line.message for line in lines(house) if line.message.startswith(("in-task", "plain", "to stderr"))] == ["in-task"]


def test_a_logger_kept_from_a_run_still_speaks_for_it(house: Instance) -> None:
    """Handed to a thread without context, it knows its run."""
    import threading

    @flow
    def whole() -> None:
        logger = get_run_logger()
        thread = threading.Thread(target=logger.info, args=("from a thread",))
        thread.start()
        thread.join()

    whole()
    (line,) = [line for line in lines(house) if line.message == "from a thread"]
    assert line.task_run_id is None


def test_extra_loggers_are_heard(tmp_path: object) -> None:
    """A library's logger that settings name speaks in the run that called it."""
    import headrace
    from headrace.settings import load

    chosen = {"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory", "HEADRACE_EXTRA_LOGGERS": "some.library"}

    @flow
    def whole() -> None:
        logging.getLogger("some.library").info("from the library")

    with headrace.open(load(chosen)) as house:
        whole()
        assert "from the library" in [line.message for line in lines(house)]


def test_a_broken_console_does_not_fail_a_run(house: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever read the output is gone; the run goes on, and its lines are in the store."""
    import sys

    class Gone:
        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...

    @flow
    def whole() -> int:
        get_run_logger().info("nobody reads this")
        return 1

    monkeypatch.setattr(sys, "stderr", Gone())
    assert whole() == 1
    monkeypatch.undo()
    assert "nobody reads this" in [line.message for line in lines(house)]

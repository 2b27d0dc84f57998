"""Schedules on the command line, in real processes, remembered in SQLite."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import attrs
import pytest

import headrace
from headrace.clock import SystemClock
from headrace.ids import Ids
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, EventFilter, FlowRunFilter, Page
from headrace.model.runs import FlowRun
from headrace.model.schedules import DeploymentSchedule, Overlap, Tick
from headrace.model.states import State
from headrace.settings import load
from headrace.testing.clock import FixedClock

SECONDS = 60
COMMAND = (sys.executable, "-c", "from headrace.cli.main import main; main()")
CODE = """
from headrace import flow


@flow
def errand():
    print("ran", flush=True)
"""


class Home:
    """A home with two deployments, and its command line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "code").mkdir()
        (folder / "code" / "errands.py").write_text(CODE)
        self.path = folder / "home"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHONUNBUFFERED"))}
        self.environment = {**kept, "HEADRACE_HOME": str(self.path), "PYTHONPATH": str(folder / "code"), "TZ": "UTC"}
        with self.open() as house:
            now = house.clock.now()
            house.client.put_deployments(
                tuple(
                    Deployment(
                        id=house.ids.new(),
                        name=name,
                        flow_name="errand",
                        code=Code(entrypoint="errands:errand"),
                        created=now,
                        updated=now,
                    )
                    for name in ("nightly", "other")
                )
            )

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True)

    def opened_at(self, moment: datetime) -> Any:
        """As somebody had it whose clock showed that moment."""
        return headrace.open(load({"HEADRACE_HOME": str(self.path)}), lasting=True, clock=FixedClock(moment))

    def ask(self, name: str, run_name: str, ago: timedelta) -> None:
        """What somebody did some time ago: to ask for a run of a deployment."""
        with self.opened_at(datetime.now(UTC) - ago) as house:
            (found,) = house.client.read_deployments(DeploymentFilter(names=(name,)), Page())
            house.client.request_run(RunRequest(id=Ids(SystemClock()).new(), deployment_id=found.id, name=run_name))

    def __call__(self, *arguments: str) -> CompletedProcess[str]:
        """What comes of a command."""
        return subprocess.run(
            [*COMMAND, *arguments], env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False, timeout=SECONDS
        )

    def done(self, *arguments: str) -> str:
        shown = self(*arguments)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))

    def refused(self, *arguments: str) -> str:
        """Why a command cannot be."""
        shown = self(*arguments)
        assert (shown.returncode in (1, 2), shown.stdout) == (True, "")
        return shown.stderr

    @contextmanager
    def start(self, *arguments: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
        """A command that goes on meanwhile."""
        environment = {**self.environment, **variables}
        process = subprocess.Popen([*COMMAND, *arguments], env=environment, cwd=self.folder, stderr=subprocess.PIPE, text=True)
        with process:
            try:
                yield process
            finally:
                process.kill()  # what a failed test left

    def runs(self) -> list[FlowRun]:
        with self.open() as house:
            found: list[FlowRun] = house.client.read_flow_runs(FlowRunFilter(), Page())
        return found

    def until(self, fits: Callable[[list[FlowRun]], bool]) -> list[FlowRun]:
        """The runs as soon as they are as they are to be."""
        with self.open() as house:
            seen = 0
            for _ in range(10 * SECONDS):
                found: list[FlowRun] = house.client.read_flow_runs(FlowRunFilter(), Page())
                if fits(found):
                    return found
                events = house.client.wait_for_events(EventFilter(after=seen), 0.1)
                seen = events[-1].sequence if events else seen
        raise AssertionError(f"the runs are {[(run.name, run.state.name) for run in found]}")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def line(process: "subprocess.Popen[str]", text: str) -> str:
    """The first line on the standard error that has that text."""
    assert process.stderr is not None
    return next(said for said in process.stderr if text in said)


def ticks(found: list[FlowRun]) -> list[datetime]:
    return sorted(run.tick.at for run in found if run.tick is not None)


# set-schedule, clear-schedule


def test_a_schedule_is_set_and_cleared(home: Home) -> None:
    """It is said what the schedule is now and when the next run is due; lists show it, and its runs are made at once and go with it."""
    shown = home.done("deployment", "set-schedule", "nightly", "--cron", "0 2 * * *", "--timezone", "Europe/Berlin", "--overlap", "skip")
    first, second = shown.splitlines()
    assert first == "errand/nightly runs by cron 0 2 * * *, timezone Europe/Berlin; on missed run_latest, overlap skip"
    assert re.fullmatch(r"next time: \d{4}-\d\d-\d\d 02:00:00 CES?T \(in \d+[smh]\)", second)
    (run,) = home.runs()
    assert run.tick is not None
    assert run.tick.at == run.state.scheduled_time
    inspected = home.json("deployment", "inspect", "nightly")
    assert datetime.fromisoformat(inspected["next_time"]) == run.tick.at
    assert [each["kind"] for each in inspected["schedules"]] == [
        {"name": "cron", "options": {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "day_or": True}}
    ]
    assert "universal    cron 0 2 * * * Europe/Berlin  " in home.done("deployment", "ls")
    assert re.search(r"^schedule +cron 0 2 ", home.done("deployment", "inspect", "nightly"), re.MULTILINE)
    cleared = home.done("deployment", "clear-schedule", "nightly")
    assert cleared.startswith("cleared the schedule of errand/nightly; it makes no runs by itself")
    assert home.runs() == []
    assert home.done("deployment", "clear-schedule", "nightly") == "errand/nightly has no schedule\n"
    assert home("schedule", "preview", "nightly").stderr.startswith("deployment 'errand/nightly' has no schedule; give it one: ")


def test_schedules_are_replaced_or_added(home: Home) -> None:
    """One takes the place of those before it, unless it is added; the same is not added twice."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "90m", "--on-missed", "run_all(3)", "--max-lateness", "1h")
    both = home.json("deployment", "set-schedule", "nightly", "--rrule", "FREQ=DAILY;BYHOUR=9", "--add")
    assert [each["kind"]["name"] for each in both["schedules"]] == ["interval", "rrule"]
    assert [(each["on_missed"], each["most_missed"], each["max_lateness"]) for each in both["schedules"]] == [
        ("run_all", 3, 3600.0),
        ("run_latest", 10, None),
    ]
    assert both["next_time"] is not None
    again = home.refused("deployment", "set-schedule", "nightly", "--interval", "90m", "--add")
    assert again == "error: deployment 'errand/nightly' has this schedule already: interval 1h30m; on missed run_latest, overlap queue\n"
    whole = '{"type": "interval", "interval": "1h", "overlap": "allow"}'
    (kept,) = home.json("deployment", "set-schedule", "nightly", "--schedule", whole)["schedules"]
    assert (kept["kind"]["name"], kept["overlap"], kept["version"]) == ("interval", "allow", 2)


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        ([], 2, "say when: with --cron"),
        (["--cron", "61 * * * *"], 2, "schedule 'cron': cron='61 * * * *' cannot be used: its field 1 (minute) has '61'"),
        (["--interval", "9" * 5000], 2, " …' is more than a hundred years"),
        (["--timezone", "x" * 5000, "--cron", "@daily"], 2, " …'; write its IANA name"),
        (["--schedule", '{"type": "cron"}'], 2, "it needs the option cron"),
        (["--interval", "0s"], 2, "an interval lasts a second at least"),
        (["--interval", "1h", "--cron", "@daily"], 2, "a schedule is of one kind"),
        (["--cron", "@daily", "--timezone", "Mars"], 2, "there is no time zone 'Mars'"),
        (["--interval", "1h", "--on-missed", "sometimes"], 2, "on_missed must be skip, run_latest or run_all, not the text 'sometimes'"),
        (["--interval", "1h", "--overlap", "maybe"], 2, "overlap must be allow, skip, queue or cancel_previous"),
        (["--interval", "1h", "--max-lateness", "soon"], 2, "'soon' is no length of time"),
        (["--schedule", '{"cron": "@daily", "overlap": "skip"}', "--overlap", "skip"], 2, "overlap is written in the schedule"),
        (["--schedule", '{"cron": "@daily"}', "--timezone", "UTC"], 2, "write it into the JSON of --schedule"),
        (["--schedule", '{"type": "moon"}'], 1, "no schedule named 'moon'; installed: cron, interval, "),
    ],
)
def test_a_schedule_that_cannot_be(home: Home, options: list[str], code: int, told: str) -> None:
    """It is said in a sentence, and nothing is changed."""
    shown = home("deployment", "set-schedule", "nightly", *options)
    assert (shown.returncode, shown.stdout) == (code, "")
    assert told in shown.stderr
    assert "Traceback" not in shown.stderr
    assert len(shown.stderr) < 500
    assert home.json("deployment", "inspect", "nightly")["schedules"] == []


def test_a_paused_deployment(home: Home) -> None:
    """Its schedule makes no runs, which is said wherever its times are shown."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "1h")
    home.done("deployment", "pause", "nightly")
    assert home.runs() == []
    assert "none while the deployment is paused" in home.done("deployment", "inspect", "nightly")
    assert home.json("deployment", "inspect", "nightly")["next_time"] is None
    assert "interval 1h (paused)" in home.done("deployment", "ls")
    assert home("schedule", "preview", "nightly").stderr.startswith("deployment 'errand/nightly' is paused: no runs are made before: ")
    home.done("deployment", "resume", "nightly")
    assert len(home.runs()) > 0


# preview


def test_the_forecast_of_overlap(home: Home) -> None:
    """Where runs lately took longer than from one time to the next, that is marked, with what becomes of the later run."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "10m", "--overlap", "skip")
    assert {tuple(row["marks"]) for row in home.json("schedule", "preview", "nightly", "-n", "3")} == {()}
    with home.open() as house:
        for minutes in (1, 12, 30):
            put_run(house, State.completed(), timedelta(minutes=minutes))
    rows = home.json("schedule", "preview", "nightly", "-n", "4")
    mark = "the run before may still be under way (they take 12m 0s); this one is skipped then"
    assert [row["marks"] for row in rows] == [[], [mark], [], [mark]]
    home.done("deployment", "set-schedule", "nightly", "--interval", "15m")
    assert {tuple(row["marks"]) for row in home.json("schedule", "preview", "nightly", "-n", "3")} == {()}


def test_the_forecast_of_a_run_that_is_under_way(home: Home) -> None:
    """The first time is marked for it, if times are shown from now on."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "1h")
    with home.open() as house:
        (found,) = house.client.read_deployments(DeploymentFilter(names=("nightly",)), Page())
        tick = Tick(schedule_id=found.schedules[0].id, version=1, at=house.clock.now() - timedelta(hours=1))
        put_run(house, State.running(), timedelta(0), tick)
    first, second = home.json("schedule", "preview", "nightly", "-n", "2")
    assert first["marks"] == ["run 'done' is under way now, and may still be; this one waits for its end then"]
    assert second["marks"] == []
    assert home.json("schedule", "preview", "nightly", "-n", "1", "--from", "2030-01-01")[0]["marks"] == []


def test_the_forecast_of_runs_that_were_cancelled_for_the_next_ones(home: Home) -> None:
    """They took so long at least; where each would be cancelled, it is said that none completes."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "10m", "--overlap", "cancel_previous")
    with home.open() as house:
        at = house.clock.now() - timedelta(minutes=10, seconds=1)
        tick = Tick(schedule_id="x", version=1, at=at, overlap=Overlap.CANCEL_PREVIOUS)
        put_run(house, State.cancelled(), timedelta(minutes=9), tick)
        put_run(house, State.skipped("It came too late."), timedelta(0), attrs.evolve(tick, at=house.clock.now()))
    first, second = home.json("schedule", "preview", "nightly", "-n", "2")
    mark = "the run before may still be under way (they take 10m 1s or longer); that one is cancelled then"
    assert (first["marks"], second["marks"]) == ([], [mark])
    told = "runs take 10m 1s or longer, so that each by interval 10m may be cancelled for the next one, and none completes\n"
    assert home("schedule", "preview", "nightly", "-n", "3").stderr == told
    assert home("schedule", "preview", "nightly", "-n", "1").stderr == ""


def put_run(house: Instance, state: State, length: timedelta, tick: Tick | None = None) -> None:
    """A run of the deployment that is in a state, and has run for so long; with a tick, since that."""
    (found,) = house.client.read_deployments(DeploymentFilter(names=("nightly",)), Page())
    now, run_id = house.clock.now(), house.ids.new()
    house.client.create_flow_run(
        FlowRun(
            id=run_id,
            root_id=run_id,
            name="done",
            flow_name="errand",
            deployment_id=found.id,
            state=attrs.evolve(state, timestamp=now),
            created=now,
            total_run_time=length.total_seconds(),
            run_count=1,
            start_time=now - length,
            end_time=None if tick is None or not state.is_terminal() else tick.at + timedelta(minutes=10, seconds=1),
            tick=tick,
        )
    )


def test_daylight_saving(home: Home) -> None:
    """A time in the gap comes at the first instant after it, and one in the fold once; both are marked."""
    options = ["--cron", "30 2 * * *", "--timezone", "Europe/Berlin"]
    gap = home.json("schedule", "preview", *options, "--from", "2026-03-28", "-n", "3")
    assert [row["at"] for row in gap] == ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    assert gap[1]["marks"] == ["clocks go forward, +01:00 to +02:00", "the first moment after clocks skip 02:00 to 03:00"]
    fold = home.json("schedule", "preview", *options, "--from", "2026-10-24T02:30", "--to", "2026-10-26T02:30")
    assert [row["at"] for row in fold] == ["2026-10-24T02:30:00+02:00", "2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]
    assert fold[1]["marks"] == ["clocks show 02:30 twice, and this is the first time"]
    assert fold[2]["marks"] == ["clocks go back, +02:00 to +01:00"]


# deployment create, flow-run ls, flow-run inspect


def test_a_file_that_makes_a_schedule_which_cannot_be(home: Home) -> None:
    """One line says where in the file, and what is wrong; there is no traceback."""
    (home.folder / "bad.py").write_text(
        "from headrace.deployments import DeploymentSpec\nfrom headrace.schedules import CronSchedule\n\n\n"
        "DeploymentSpec(flow_location='code/errands.py', name='x', schedule=CronSchedule('61 * * * *'))\n"
    )
    first, *others = home.refused("deployment", "create", "bad.py").splitlines()
    assert first.startswith("error: bad.py, line 5: schedule 'cron': cron='61 * * * *' cannot be used: its field 1 (minute) has '61'")
    assert others == ["nothing was deployed"]


def test_what_is_deployed_says_when_it_runs(home: Home) -> None:
    """The next time is told beside each deployment that has a schedule, also where none is to come any more."""
    once = {"moments": ["2020-01-01T00:00:00+00:00"]}
    with home.opened_at(datetime(2019, 12, 31, tzinfo=UTC)) as house:
        (known,) = house.client.read_deployments(DeploymentFilter(names=("other",)), Page())
        house.client.put_schedules(known.id, known.version, (DeploymentSchedule(kind=Choice("moments", once)),))
    rows = [
        {"flow_location": "code/errands.py", "name": "hourly", "schedule": {"interval": "1h"}},
        {"flow_location": "code/errands.py", "name": "never"},
        {"flow_location": "code/errands.py", "name": "other", "schedule": {"type": "moments", **once}},
    ]
    (home.folder / "specs.yaml").write_text(json.dumps(rows))
    assert "next time" not in home("deployment", "plan", "specs.yaml").stdout
    hourly, first, never, past, second = home.done("deployment", "create", "specs.yaml").splitlines()
    assert [hourly, never] == ["created   errand/hourly", "created   errand/never"]
    assert past.startswith("updated   errand/other (code")
    assert re.fullmatch(r" {10}next time: \d{4}-\d\d-\d\d \d\d:00:00 UTC \(.+\)", first)
    assert second == f"{'':10}next time: none is to come"
    times = [row["next_time"] for row in home.json("deployment", "create", "specs.yaml")]
    assert (times[0][-11:], times[1:]) == ("00:00+00:00", [None, None])
    (home.folder / "specs.yaml").write_text(json.dumps({**rows[2], "name": "past"}))
    told = home.refused("deployment", "create", "specs.yaml")
    assert "deployment 'errand/past': its schedule 'moments' (moments=['2020-01-01T00:00:00+00:00']) has no time from now on" in told
    told = home.refused("deployment", "set-schedule", "nightly", "--rrule", "DTSTART:20200101T000000 RRULE:FREQ=DAILY;COUNT=3")
    assert "deployment 'errand/nightly': its schedule 'rrule' (rrule='DTSTART:2020" in told


def test_runs_that_are_to_come_are_listed_last(home: Home) -> None:
    """The next one first, with how soon it is due; those that are left out are counted. JSON has all by their creation."""
    with home.open() as house:
        put_run(house, State.completed(), timedelta(0))
    home.ask("other", "late", timedelta(minutes=5))
    home.done("deployment", "set-schedule", "nightly", "--interval", "14m")
    ahead = [run.name for run in sorted(home.runs(), key=lambda run: run.id) if run.tick is not None]
    home.done("deployment", "run", "other", "--in", "10h", "--name", "last")
    lines = [shown.split() for shown in home.done("flow-run", "ls").splitlines()]
    assert [words[1] for words in lines[1:]] == ["late", "done", *ahead, "last"]
    assert lines[1][2:4] == ["Late", "(5m)"]
    assert lines[2][2] == "Completed"
    assert lines[3][2:4] == ["Scheduled", "(in"]
    assert lines[-1][2:5] == ["Scheduled", "(in", "9h)"]
    shown = home("flow-run", "ls", "--limit", "3")
    assert [shown.split()[1] for shown in shown.stdout.splitlines()[1:]] == ["late", "done", ahead[0]]
    assert shown.stderr == f"not shown: {len(ahead)} more that are to come; see --limit, and --state SCHEDULED\n"
    assert [row["name"] for row in home.json("flow-run", "ls", "--limit", "1")] == ["last"]
    assert len(home.done("flow-run", "ls", "--state", "SCHEDULED", "--state", "Late").splitlines()) == len(ahead) + 3
    assert len(home.done("flow-run", "ls", "--state", "COMPLETED").splitlines()) == 2


def test_a_run_of_a_schedule_is_inspected(home: Home) -> None:
    """It shows which schedule made it, for which time, and until when it may begin; also when the schedule is another by now, or gone."""

    def shown(name: str, run: str) -> str:
        found = re.search(rf"^{name} +(.*)$", home.done("flow-run", "inspect", run), re.MULTILINE)
        return "" if found is None else found[1]

    home.done("deployment", "set-schedule", "nightly", "--interval", "1h")
    run = home.runs()[0]
    assert run.tick is not None
    assert run.tick.start_by is not None
    assert shown("schedule", run.id) == "interval 1h; on missed run_latest, overlap queue; version 1"
    assert shown("made for", run.id) == f"{run.tick.at:%Y-%m-%d %H:%M:%S} UTC"
    assert shown("to begin by", run.id) == f"{run.tick.start_by:%Y-%m-%d %H:%M:%S} UTC"
    home.done("flow-run", "cancel", run.id)
    home.done("deployment", "set-schedule", "nightly", "--interval", "2h")
    assert shown("schedule", run.id) == "version 1 of one that is, as version 2, interval 2h; on missed run_latest, overlap queue"
    home.done("deployment", "clear-schedule", "nightly")
    assert shown("schedule", run.id).startswith("one that the deployment has no more (")
    home.done("deployment", "run", "nightly", "--name", "asked-for")
    assert shown("schedule", "asked-for") == shown("made for", "asked-for") == ""


# services


def test_the_scheduler_alone(home: Home) -> None:
    """`services start` makes the runs of schedules, each time once, though there are two of it and one is killed; an agent is not needed for that."""
    with (
        home.start("services", "start", "scheduler") as first,
        home.start("services", "start", HEADRACE_SCHEDULE_AHEAD_SECONDS="1") as second,
    ):
        assert line(first, "started") == "Services started: scheduler. Ctrl+C ends them.\n"
        assert "late_runs, lost_leases, retention, scheduler" in line(second, "started")
        home.done("deployment", "set-schedule", "nightly", "--interval", "1s", "--overlap", "allow", "--on-missed", "run_all(1000)")
        home.until(lambda found: len(found) >= 25)
        first.send_signal(signal.SIGKILL)
        first.wait(SECONDS)
        have = max(ticks(home.runs()))
        found = home.until(lambda found: max(ticks(found)) > have)
        second.send_signal(signal.SIGTERM)
        _, said = second.communicate(timeout=SECONDS)
    assert (second.returncode, said) == (0, "Services stopped.\n")
    times = ticks(found)
    assert times == [times[0] + timedelta(seconds=place) for place in range(len(times))]


def test_an_agent_is_enough(home: Home) -> None:
    """Where there is no server, an agent makes the runs of schedules and starts them."""
    home.done("work-queue", "create", "q")
    home.done("deployment", "set-schedule", "nightly", "--interval", "1s")
    with home.start("agent", "start", "q") as agent:
        home.until(lambda found: sum(run.state.is_completed() for run in found) >= 2)
        agent.send_signal(signal.SIGTERM)
        agent.communicate(timeout=SECONDS)


def test_services_of_a_server(home: Home) -> None:
    """Against a server they do the same, by asking it; one that is away is no reason to end."""
    with home.start("services", "start", HEADRACE_API_URL="http://127.0.0.1:9/api") as away:
        line(away, "started")
        line(away, "Services are tried again later: ")
        away.send_signal(signal.SIGINT)
        _, said = away.communicate(timeout=SECONDS)
    assert (away.returncode, said) == (0, "Services stopped.\n")
    with home.start("server", "start", "--port", "0", "--no-services") as server:
        url = re.search(r"http://\S+/api", line(server, "serves the API"))
        assert url is not None
        home.environment["HEADRACE_API_URL"] = url[0]
        home.done("deployment", "set-schedule", "nightly", "--interval", "1s", "--overlap", "allow")
        have = max(ticks(home.runs()))
        with home.start("services", "start", "scheduler") as services:
            home.until(lambda found: max(ticks(found)) > have)
            services.send_signal(signal.SIGINT)
            services.communicate(timeout=SECONDS)
        assert services.returncode == 0
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=SECONDS)


# Late


def test_late_runs(home: Home) -> None:
    """A run that is past due and waits is shown as Late, with how late, wherever it is shown, and can be asked for so."""
    home.ask("nightly", "slow", timedelta(minutes=5, seconds=30))
    home.done("deployment", "run", "nightly", "--in", "1h", "--name", "soon")
    home.done("work-queue", "create", "q")
    for arguments in (["flow-run", "ls"], ["flow-run", "inspect", "slow"], ["work-queue", "preview", "q"]):
        assert home.done(*arguments).count("Late (5m)") == 1
    assert home.done("flow-run", "explain", "slow").startswith("Flow run 'slow' (late by 5m 3")
    rows = {row["name"]: row["late_seconds"] for row in home.json("flow-run", "ls")}
    assert rows["soon"] is None
    assert 330 < rows["slow"] < 330 + SECONDS
    assert home.json("flow-run", "inspect", "slow")["late_seconds"] > 330
    assert [row["name"] for row in home.json("flow-run", "ls", "--state", "Late")] == ["slow"]


# backfill


SPAN = ["--from", "2026-01-01T01:00", "--to", "2026-01-01T04:00"]


def test_backfill(home: Home) -> None:
    """Each time of the range gets a run, both ends included, which is due at once and tagged; asking twice makes none twice."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "1h")
    ahead, begun = len(home.runs()), datetime.now(UTC)
    planned = home.json("deployment", "backfill", "nightly", *SPAN, "--plan")
    assert [row["at"] for row in planned] == [f"2026-01-01T0{hour}:00:00+00:00" for hour in (1, 2, 3, 4)]
    assert {(row["is_new"], row["flow_run"]) for row in planned} == {(True, None)}
    assert len(home.runs()) == ahead
    shown = home("deployment", "backfill", "nightly", *SPAN, "--limit", "3")
    assert shown.stdout == "Asked for 3 flow runs of errand/nightly, for times from 2026-01-01 01:00:00 UTC to 2026-01-01 03:00:00 UTC\n"
    assert shown.stderr.startswith("more times have no run yet; the same command goes on with them\n")
    shown = home("deployment", "backfill", "nightly", *SPAN)
    assert shown.stdout == "Asked for 1 flow run of errand/nightly, for 2026-01-01 04:00:00 UTC\n"
    assert shown.stderr.startswith("3 times have a run already, and get no other\n")
    again = home.json("deployment", "backfill", "nightly", *SPAN)
    assert {row["is_new"] for row in again} == {False}
    made = [run for run in home.runs() if run.tick is None]
    assert sorted(run.id for run in made) == [row["flow_run"] for row in again]
    assert {run.tags for run in made} == {("backfill",)}
    assert sorted(run.expected_start_time.hour for run in made if run.expected_start_time) == [1, 2, 3, 4]
    due = [run.state.scheduled_time for run in sorted(made, key=lambda run: run.expected_start_time or begun)]
    assert begun < due[0] < due[1] < due[2] < due[3], "one after the other, and late only from when it was asked for"
    assert "  to be made" not in home.done("deployment", "backfill", "nightly", *SPAN, "--plan")


def test_backfill_beside_the_scheduler(home: Home) -> None:
    """A time for which the scheduler made a run, which was not skipped, is left out."""
    begin = datetime.now(UTC)
    home.done("deployment", "set-schedule", "nightly", "--interval", "1s", "--overlap", "allow", "--on-missed", "run_all(1000)")
    last = ticks(home.until(lambda found: bool(found) and ticks(found)[0] < datetime.now(UTC) - timedelta(seconds=3)))[0]
    shown = home.json("deployment", "backfill", "nightly", "--from", begin.isoformat(), "--to", (last + timedelta(seconds=2)).isoformat())
    known = {row["at"] for row in shown if not row["is_new"]}
    assert {datetime.fromisoformat(at) for at in known} == {at for at in ticks(home.runs()) if at <= last + timedelta(seconds=2)}
    assert len(known) == 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--from", "2020-01-01"], "more than 1000 times lie between these moments; say how many runs may be made, as with --limit 5000"),
        (["--from", "2026-01-01", "--to", "2100-01-01"], "--to lies in the future"),
        (["--from", "2100-01-01"], "--from lies in the future"),
        (["--from", "2026-01-02", "--to", "2026-01-01"], "--to lies before --from"),
        ([], "Missing option '--from'"),
    ],
)
def test_a_backfill_that_cannot_be(home: Home, options: list[str], told: str) -> None:
    """It is said in a sentence, and no run is made."""
    home.done("deployment", "set-schedule", "nightly", "--interval", "1h")
    ahead = len(home.runs())
    assert told in home.refused("deployment", "backfill", "nightly", *options)
    assert len(home.runs()) == ahead
    told = home.refused("deployment", "backfill", "other", "--from", "2026-01-01")
    assert told == "error: deployment 'errand/other' has no schedule, so there are no times to make up for\n"

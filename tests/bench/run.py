"""The bench: figures of this machine, side by side with a floor measured in the same run.

Run it with `nox -s bench`. Each row says what was measured, its median, the median of its floor, their ratio, and the budget. Absolute times differ
between machines; the ratio is what to compare.
"""

import argparse
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs

ROUNDS = 9
TREE_FILES = 1_000

TESTS = Path(__file__).resolve().parents[1]
"""Where the servers of tests are."""

KEPT = Path(__file__).resolve().parents[2] / ".nox" / "bench"
"""Where a store with very many runs is kept from one bench to the next."""


@attrs.frozen(kw_only=True)
class Row:
    """One line of the table; times in milliseconds, unless `unit` says otherwise."""

    what: str
    ours: float
    floor_is: str
    floor: float
    budget: str
    unit: str = "ms"

    def cells(self) -> tuple[str, ...]:
        floor, ratio = (f"{self.floor:.3g} {self.unit} ({self.floor_is})", f"{self.ours / self.floor:.1f}") if self.floor_is else ("", "")
        return self.what, f"{self.ours:.3g} {self.unit}", floor, ratio, self.budget


def median_of(measure: Callable[[], float], rounds: int = ROUNDS) -> float:
    """The median of some rounds after one that does not count, in milliseconds."""
    measure()
    return statistics.median(measure() for _ in range(rounds)) * 1000


def timed(function: Callable[[], object]) -> float:
    """Seconds that a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def process(*arguments: str, home: Path, url: str = "") -> Callable[[], float]:
    """Measures a whole process, from start to end; with a `url` it asks the server there."""
    environment = {**os.environ, "HEADRACE_HOME": str(home), "HEADRACE_API_URL": url}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return lambda: timed(lambda: subprocess.run(arguments, env=environment, check=True, capture_output=True))


def start_up(home: Path) -> list[Row]:
    """Whole processes, against an interpreter that does nothing."""
    python = sys.executable
    script = home / "noop.py"
    script.write_text("from headrace import flow\n\n@flow\ndef noop():\n    pass\n\nnoop()\n")
    bare = median_of(process(python, "-c", "pass", home=home))
    measured = (
        ("from headrace import flow, task", (python, "-c", "from headrace import flow, task"), "≤ 60 ms over bare"),
        ("headrace --help", (str(Path(python).with_name("headrace")), "--help"), "≤ 150 ms"),
        ("no-op flow script, whole process", (python, str(script)), "≤ 300 ms"),
    )
    rows = [
        Row(what=what, ours=median_of(process(*command, home=home)), floor_is="python -c pass", floor=bare, budget=budget)
        for what, command, budget in measured
    ]
    with server(home) as url:
        over_http = median_of(process(python, str(script), home=home, url=url))
    return [*rows, Row(what="flow script over HTTP", ours=over_http, floor_is="python -c pass", floor=bare, budget="≤ 300 ms")]


@contextmanager
def server(home: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    command = (str(Path(sys.executable).with_name("headrace")), "server", "start", "--port", "0")
    environment = {**os.environ, "HEADRACE_HOME": str(home / "server"), "HEADRACE_API_URL": ""}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        yield next(word for word in running.stderr.readline().split() if word.startswith("http://"))
        running.terminate()


def commits(folder: Path, count: int) -> float:
    """Milliseconds that so many bare commits of one row take."""
    connection = sqlite3.connect(folder / "floor.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)")

    def write() -> None:
        for _ in range(count):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("INSERT INTO rows (text) VALUES (?)", ("x" * 200,))
            connection.execute("COMMIT")

    taken = median_of(lambda: timed(write))
    connection.close()
    return taken


def rows_at_once(folder: Path, count: int) -> float:
    """Milliseconds that so many rows take in one commit."""
    connection = sqlite3.connect(folder / "floor-rows.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE IF NOT EXISTS rows (id INTEGER PRIMARY KEY, text TEXT)")

    def write() -> None:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("INSERT INTO rows (text) VALUES (?)", [("x" * 200,)] * count)
        connection.execute("COMMIT")

    taken = median_of(lambda: timed(write))
    connection.close()
    return taken


def runs(home: Path) -> list[Row]:
    """Flow runs and task runs in a warm process, against what SQLite itself needs for as many commits and rows."""
    os.environ.update(HEADRACE_HOME=str(home), HEADRACE_LOG_LEVEL="INFO")
    from headrace import flow, task

    @task
    def step(number: int) -> int:
        return number

    @flow
    def noop() -> None: ...

    @flow
    def one_after_the_other(count: int) -> None:
        for number in range(count):
            step(number)

    @flow
    def at_once(count: int) -> None:
        for number in range(count):
            step.submit(number)

    def twenty() -> None:
        for _ in range(20):
            noop()

    rows_floor = rows_at_once(home, 6000) / 1000
    return [
        Row(
            what="no-op flow run, warm, SQLite",
            ours=median_of(lambda: timed(twenty)) / 20,
            floor_is="3 commits",
            floor=commits(home, 60) / 20,
            budget="≤ 3 ms",
        ),
        Row(
            what="task run, journaled, one after the other",
            ours=median_of(lambda: timed(lambda: one_after_the_other(1000)), 5) / 1000,
            floor_is="6 rows",
            floor=rows_floor,
            budget="≤ 0.2 ms",
        ),
        Row(
            what="1,000 task runs submitted at once",
            ours=median_of(lambda: timed(lambda: at_once(1000)), 5),
            floor_is="6,000 rows",
            floor=rows_floor * 1000,
            budget="≤ 300 ms",
        ),
    ]


def dispatch(home: Path) -> list[Row]:
    """Runs of deployments by a real agent, against a process that does nothing."""
    from dispatch import cancels, many, memory_of_agent, parts, starts  # beside this file

    for name in ("starts", "many", "parts", "cancels", "memory"):
        (home / name).mkdir()
    bare = median_of(process(sys.executable, "-c", "pass", home=home))
    warm, cold = starts(home / "starts", ROUNDS)
    each = many(home / "many", 100)
    split = [row for how, found in parts(home / "parts", ROUNDS).items() for row in _rows(how, found)]
    count = int(os.environ.get("BENCH_AGENT_RUNS", "1000"))
    first, last, a_second = memory_of_agent(home / "memory", count)
    return [
        Row(what="run asked for → first line of its code, warm", ours=warm, floor_is="python -c pass", floor=bare, budget="≤ 50 ms"),
        Row(what="run asked for → first line of its code, cold", ours=cold, floor_is="python -c pass", floor=bare, budget="≤ 300 ms"),
        Row(
            what="a run of 100 queued at once, one agent", ours=each, floor_is="python -c pass", floor=bare, budget="≤ 50 ms (20 a second)"
        ),
        *split,
        Row(what="run cancelled → nothing of it left", ours=cancels(home / "cancels", ROUNDS), floor_is="", floor=0, budget="≤ 1,000 ms"),
        Row(what="runs of one agent, 100 queued at a time", ours=a_second, floor_is="", floor=0, budget="≥ 20 a second", unit="a second"),
        Row(what=f"memory of an agent after {count:,} runs", ours=last, floor_is="after 100", floor=first, budget="ratio ≤ 1.2", unit="MB"),
    ]


def web_api(home: Path) -> list[Row]:
    """A server in a process of its own, against the same questions to a client without a wire."""
    from web_api import LINES, idle, in_process, over_http, ready  # beside this file

    import headrace
    from headrace.settings import load

    command, folder = str(Path(sys.executable).with_name("headrace")), home / "served"
    counts = {"read": 2000, "write": 1000, "request": 1000, "claim": 1000, "log": 40}
    bare = median_of(process(sys.executable, "-c", "pass", home=home))
    begun = median_of(lambda: ready(command, folder), 5)
    megabytes, per_cent = idle(command, folder)
    with headrace.open(load({"HEADRACE_HOME": str(home / "floor")})) as house:
        floors = in_process(house.client, counts)
    taken = over_http(command, folder, counts)
    for each in (floors, taken):
        each["log"] /= LINES
    words = {"read": "one flow run read", "write": "one flow run made", "claim": "one run claimed", "log": "one log line, in batches"}
    budgets = {"log": "≤ 0.05 ms (20,000 a second)"}
    rows = [
        Row(what="server start → first answer", ours=begun, floor_is="python -c pass", floor=bare, budget="≤ 700 ms"),
        Row(what="server, nobody asks: memory", ours=megabytes, floor_is="", floor=0, budget="≤ 70 MB", unit="MB"),
        Row(what="server, nobody asks: of a core", ours=per_cent, floor_is="", floor=0, budget="≤ 1 %", unit="%"),
    ]
    return rows + [
        Row(what=f"over HTTP, 4 at once: {said}", ours=taken[what], floor_is="in process", floor=floors[what], budget=budgets.get(what, ""))
        for what, said in words.items()
    ]


def dispatch_over_http(home: Path) -> list[Row]:
    """Runs of deployments by agents that wait for them at a server, against a process that does nothing."""
    from dispatch import starts_over_http  # these two are beside this file
    from web_api import serving

    bare = median_of(process(sys.executable, "-c", "pass", home=home))
    rows = []
    for agents in (1, 10):
        folder = home / f"{agents}"
        folder.mkdir()
        with serving(str(Path(sys.executable).with_name("headrace")), folder / "server") as (_, address):
            taken = starts_over_http(folder, address, agents, ROUNDS * 5)
        who = "one agent waits" if agents == 1 else f"{agents} agents wait"
        what = f"run asked for → first line of its code, over HTTP, warm, {who}"
        rows.append(Row(what=what, ours=taken, floor_is="python -c pass", floor=bare, budget="≤ 50 ms"))
    return rows


def dispatch_docker(home: Path) -> list[Row]:
    """Runs in containers of a real engine, by way of a server."""
    sys.path.insert(0, str(TESTS))
    from dispatch import parts_elsewhere
    from docker import APIClient
    from servers.docker import docker_engine
    from servers.images import RUNS, python_image
    from servers.own import headrace_server

    from headrace.model.choices import Choice

    with docker_engine() as engine, headrace_server(home / "server") as address:
        with APIClient(base_url=engine.url, version="auto", timeout=120) as api:
            image = python_image(api, *RUNS)
        runner = Choice("docker", {"image": image, "volumes": [f"{home}:{home}"]})
        return _rows("docker", parts_elsewhere(home, address, runner, ROUNDS, DOCKER_HOST=engine.url))


def dispatch_kubernetes(home: Path) -> list[Row]:
    """Runs in pods of the cluster that KUBECONFIG names, whose node is this machine, by way of a server."""
    sys.path.insert(0, str(TESTS))
    from dispatch import parts_elsewhere
    from servers.kubernetes import named_cluster, patches
    from servers.own import headrace_server

    from headrace.model.choices import Choice

    cluster = named_cluster()
    assert cluster is not None, "KUBECONFIG and KUBERNETES_TEST_IMAGE name one"
    home.chmod(0o777)
    with headrace_server(home / "server") as address:
        options = {"image": cluster.image, "image_pull_policy": "IfNotPresent", "customizations": list(patches(home))}
        runner = Choice("kubernetes", options)
        return _rows("kubernetes", parts_elsewhere(home, address, runner, ROUNDS))


def _rows(how: str, parts: dict[str, float]) -> list[Row]:
    return [
        Row(what=f"run asked for → first line, {how}: {part}", ours=taken, floor_is="", floor=0, budget="") for part, taken in parts.items()
    ]


def lists(_: Path) -> list[Row]:
    """Lists and counts over HTTP, where there are a million flow runs and five million task runs; the slowest filter of each."""
    import many_runs  # these two are beside this file
    from lists import measured
    from web_api import asking, serving

    import headrace
    from headrace.settings import load

    count = int(os.environ.get("BENCH_RUNS", "1000000"))
    kept = many_runs.kept(KEPT, count)
    with headrace.open(load({"HEADRACE_HOME": str(kept)}), lasting=True) as house:  # so that no old run is forgotten
        floors = measured(lambda name, **arguments: getattr(house.client, name)(**arguments), count)
    command = str(Path(sys.executable).with_name("headrace"))
    with serving(command, kept, "--no-services") as (_, address), asking(address) as ask:
        taken = measured(ask, count)
    in_process = {str(each.question): each.percentile for each in floors}
    for each in taken:
        print(f"{each.percentile:8.1f} ms ({in_process[str(each.question)]:6.1f} in process)  {each.question}", file=sys.stderr)
    slowest = {each.question.operation: each for each in reversed(taken)}
    return [
        Row(
            what=f"{name.replace('_', ' ')}, p99; slowest by {each.question.about}",
            ours=each.percentile,
            floor_is="in process",
            floor=in_process[str(each.question)],
            budget="≤ 100 ms",
        )
        for name, each in sorted(slowest.items())
    ]


def schedules(home: Path) -> list[Row]:
    """Rounds of the scheduler, against what SQLite itself needs for as many rows."""
    from datetime import timedelta

    from schedules import rounds  # beside this file

    floor = rows_at_once(home, 10_000)
    hourly, _ = rounds(home / "hourly", 10_000, timedelta(hours=1), 3)
    _, a_second = rounds(home / "often", 500, timedelta(minutes=1), 3)
    return [
        Row(
            what="a round over 10,000 schedules, a run of each",
            ours=hourly * 1000,
            floor_is="10,000 rows",
            floor=floor,
            budget="≤ 2,000 ms",
        ),
        Row(
            what="a run that a schedule asks for",
            ours=1000 / a_second,
            floor_is="a row",
            floor=floor / 10_000,
            budget="≤ 0.1 ms (10,000 a second)",
        ),
    ]


def storages(home: Path) -> list[Row]:
    """What storages cost over the bare calls of what they are kept in."""
    sys.path.insert(0, str(TESTS))
    from storages import again, pairs

    rows = [
        Row(what=f"storage {each.what}", ours=each.ours * 1000, floor_is="the bare call", floor=each.bare * 1000, budget="ratio ≤ 1.1")
        for each in pairs(home / "storages")
    ]
    first, later = again(home / "again", TREE_FILES)
    return [
        *rows,
        Row(what=f"{TREE_FILES:,} files deployed to S3", ours=first, floor_is="", floor=0, budget="", unit="s"),
        Row(what=f"{TREE_FILES:,} files deployed again, unchanged", ours=later, floor_is="", floor=0, budget="≤ 1 s", unit="s"),
    ]


def table(rows: list[Row]) -> str:
    """The rows as a Markdown table."""
    head = ("What", "Ours, median", "Floor", "Ratio", "Budget")
    lines = [head, tuple("---" for _ in head), *(row.cells() for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def dashboard(home: Path) -> list[Row]:
    """Pages of the dashboard where there are a million flow runs, and how soon a browser that has one open shows what has happened."""
    import many_runs  # these two are beside this file
    from dashboard import shown, told

    count = int(os.environ.get("BENCH_RUNS", "1000000"))
    kept = many_runs.kept(KEPT, count)
    pages = [
        Row(
            what=f"{each.page}, p99, {each.size / 1000:.0f} kB",
            ours=each.percentile,
            floor_is="at the median",
            floor=each.median,
            budget="≤ 200 ms, ≤ 150 kB",
        )
        for each in shown(kept, count)
    ]
    live = [
        Row(
            what=f"{each.page}: committed → shown, p99",
            ours=each.percentile,
            floor_is="at the median",
            floor=each.median,
            budget="≤ 300 ms",
        )
        for each in told(kept, home)
    ]
    return [*pages, *live]


APART = {"storages": storages, "dashboard": dashboard, "dispatch-docker": dispatch_docker, "dispatch-kubernetes": dispatch_kubernetes}
"""What needs plugins and servers that not everybody has, and is measured only where it is named."""

PARTS = {
    "start-up": start_up,
    "runs": runs,
    "dispatch": dispatch,
    "web-api": web_api,
    "dispatch-over-http": dispatch_over_http,
    "schedules": schedules,
    "lists": lists,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Measures what DESIGN promises.")
    parser.add_argument(
        "--only",
        action="append",
        choices=[*PARTS, *APART],
        help="what is measured; all of it that needs nothing more, unless some are named",
    )
    parts = parser.parse_args().only or list(PARTS)
    measured: list[Row] = []
    for part in parts:
        with tempfile.TemporaryDirectory() as folder, open(os.devnull, "w") as nowhere:
            stderr, sys.stderr = sys.stderr, sys.stderr if part == "lists" else nowhere  # runs log there, and so do many
            try:
                measured += {**PARTS, **APART}[part](Path(folder))
            finally:
                sys.stderr = stderr
    print(table(measured))


if __name__ == "__main__":
    main()

"""Nonsense, as its author sees it: whatever is wrong is told in a line that says what, where and what to do, by an exit code, and nothing is half done."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import attrs
import pytest

import headrace
from headrace.model.choices import Choice
from headrace.model.filters import DeploymentFilter, FlowRunFilter, Page, WorkQueueFilter
from headrace.settings import load

SECONDS = 120
COMMAND = (sys.executable, "-P", "-c", "from headrace.cli.main import main; main()")
LONGEST = 1_500
"""How long an error may be, whatever it is about."""

LEO = """
from headrace import flow

@flow(name="leonardo", log_prints=True)
def leo(name: str, count: int = 1, share: float = 1.0, extra: dict | None = None):
    print(f"Hello {name}!"[:40], len(name))
"""
SPEC = "from headrace.deployments import DeploymentSpec\n"
BOMB = "    a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"    {after}: &{after} [{', '.join([f'*{before}'] * 9)}]\n" for before, after in pairwise("abcdefghij")
)


class Author:
    """Somebody with a home of their own and a folder to work in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("HEADRACE_", "PYTHON")) and name not in ("NO_COLOR", "COLUMNS")
        }
        self.home = folder / "home"
        self.environment = {**kept, "HEADRACE_HOME": str(self.home), "TZ": "UTC"}
        self.write({"leo.py": LEO})

    def write(self, files: Mapping[str, str | bytes]) -> None:
        for name, content in files.items():
            (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "surrogatepass"))

    def __call__(self, *arguments: str, more: Mapping[str, str] | None = None) -> "CompletedProcess[str]":
        """What comes of a command."""
        return subprocess.run(
            [*COMMAND, *arguments],
            env={**self.environment, **(more or {})},
            cwd=self.folder,
            capture_output=True,
            text=True,
            errors="backslashreplace",
            check=False,
            timeout=SECONDS,
        )

    def done(self, *arguments: str) -> str:
        """What a command prints that does what it was asked."""
        shown = self(*arguments)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self.done(*arguments, "--json"))

    def kept(self) -> Any:
        """All that is remembered and stored."""
        with headrace.open(load({"HEADRACE_HOME": str(self.home)}), lasting=True) as house:
            client = house.client
            remembered = (
                client.read_deployments(DeploymentFilter(), Page()),
                client.read_work_queues(WorkQueueFilter(), Page()),
                client.read_flow_runs(FlowRunFilter(), Page()),
                client.read_limits(),
            )
        files = sorted(path.relative_to(self.home) for path in self.home.rglob("*") if path.is_file() and "headrace.db" not in path.name)
        return remembered, [file for file in files if file.suffix != ".lock"]

    def refused(self, *arguments: str, more: Mapping[str, str] | None = None, code: int = 1) -> list[str]:
        """The lines of the errors of a command, which does nothing, and says nothing of headrace's own code."""
        before = self.kept()
        shown = self(*arguments, more=more)
        said = shown.stderr
        assert (shown.returncode, shown.stdout) == (code, ""), said
        assert "bug in headrace" not in said
        frames = re.findall(r'File "([^"]+)"', said)
        assert "Traceback" not in said or frames, said
        assert not [file for file in frames if "headrace" in Path(file).parts], said  # a user's own lines may be shown
        errors = [line for line in said.splitlines() if line.startswith("error: ")]
        assert errors, said
        assert all(len(line) <= LONGEST and line.isprintable() for line in errors), errors
        assert self.kept() == before
        return errors


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    """An author with a deployment, a work queue and three runs; no test changes them."""
    author = Author(tmp_path_factory.mktemp("author"))
    author.write({"good.yaml": "- {flow_location: leo.py, name: d, parameters: {name: Leo}}\n- {flow_location: leo.py, name: e}\n"})
    author.done("deployment", "create", "good.yaml")
    author.done("work-queue", "create", "q", "--tag", "nobody")
    for name in ("otter", "otter", "badger"):
        author.done("deployment", "run", "leonardo/d", "--name", name)
    return author


@pytest.fixture
def own(tmp_path: Path) -> Author:
    """An author whose home is this test's."""
    return Author(tmp_path)


# Files of specs

SPECS: dict[str, tuple[str | bytes, str]] = {
    "syntax.py": (f"{SPEC}DeploymentSpec(name='a' flow_location='leo.py')\n", "syntax.py, line 2: SyntaxError: invalid syntax"),
    "null.py": (b"x = 1\x00\n", "null.py: SyntaxError: source code string cannot contain null bytes"),
    "latin.py": (b"x = '\xe9'\n", "latin.py, line 1: SyntaxError: (unicode error) 'utf-8' codec can't decode byte 0xe9"),
    "none.py": (SPEC, "none.py: no deployment specs found; make a DeploymentSpec in it for each deployment"),
    "key.py": (
        f"{SPEC}DeploymentSpec(flow_loc='leo.py')\n",
        "key.py, line 2: 'flow_loc' is no key of a deployment; did you mean 'flow_location'?",
    ),
    "class.py": (
        f"{SPEC}from headrace.flow_runners import SubprocessFlowRunner\nDeploymentSpec(flow_location='leo.py', flow_runner=SubprocessFlowRunner)\n",
        "class.py, line 3: a flow runner is a value, and SubprocessFlowRunner is a class; write SubprocessFlowRunner(…)",
    ),
    "runner.py": (
        "from headrace.flow_runners import MoonFlowRunner\n",
        "runner.py, line 1: ImportError: no flow runner class 'MoonFlowRunner' is installed; there are: ",
    ),
    "exits.py": ("raise SystemExit(0)\n", "exits.py, line 1: it ends the process (SystemExit: 0)"),
    "empty.yaml": ("", "empty.yaml: no deployment specs found; write a mapping, with flow_location and what else it needs,"),
    "blank.yaml": ("---\n# nothing\n---\n", "blank.yaml: no deployment specs found; write a mapping"),
    "text.yaml": (
        "hello\n",
        "text.yaml, line 1: a deployment is a mapping of keys and values, not 'hello'; its keys are: name, flow_location,",
    ),
    "long.yaml": (f"- [{'x, ' * 10_000}]\n", "long.yaml, line 1: a deployment is a mapping of keys and values, not ['x', 'x', "),
    "unknown.yaml": (
        "flow_location: leo.py\nflow_naem: leo\n",
        "unknown.yaml, line 2: 'flow_naem' is no key of a deployment; did you mean 'flow_name'?",
    ),
    "tab.yaml": (
        "flow_location:\tleo.py\nparameters:\n\tname: x\n",
        "tab.yaml, line 1: it cannot be read as YAML: found character '\\t' that cannot",
    ),
    "binary.yaml": (bytes(range(256)), "binary.yaml: it is not UTF-8 text"),
    "null.yaml": (b"flow_location: leo\x00.py\n", "null.yaml: it cannot be read as YAML: unacceptable character #x0000"),
    "twice.yaml": (
        "flow_location: leo.py\nflow_location: a.py\n",
        "twice.yaml, line 2: it cannot be read as YAML: the key 'flow_location' stands twice",
    ),
    "bomb.yaml": (
        f"flow_location: leo.py\nparameters:\n  extra:\n{BOMB}",
        "bomb.yaml, line 1: it cannot be read as YAML: its aliases (such as *name) make more than 100,000 values of what is written",
    ),
    "itself.yaml": (
        f"flow_location: leo.py\nparameters: {{name: &a [{', '.join(['*a'] * 9)}]}}\n",
        "itself.yaml, line 2: it cannot be read as YAML: what is written here contains itself",
    ),
    "deep.yaml": (f"parameters: {'[' * 5_000}\n", "deep.yaml: it cannot be read as YAML: maximum recursion depth exceeded"),
    "code.yaml": (
        "name: !!python/object/apply:os.abort []\n",
        "code.yaml, line 1: it cannot be read as YAML: could not determine a constructor",
    ),
    "runner.yaml": (
        "{flow_location: leo.py, flow_runner: dokcer}",
        "runner.yaml, line 1: no flow runner named 'dokcer'; installed: docker, kubernetes, subprocess, universal",
    ),
    "option.yaml": (
        "{flow_location: leo.py, flow_runner: {type: subprocess, colour: red}}",
        "option.yaml, line 1: the options of flow runner 'subprocess' of headrace-subprocess do not fit: it has no option 'colour'",
    ),
    "storage.yaml": (
        "{flow_location: leo.py, flow_storage: vk}",
        "storage.yaml, line 1: no storage 'vk'; list what is there with `headrace storage ls`",
    ),
    "schedule.yaml": (
        "{flow_location: leo.py, schedule: moonly}",
        "schedule.yaml, line 1: no schedule named 'moonly'; installed: cron, interval, moments, rrule",
    ),
    "queue.yaml": ("{flow_location: leo.py, work_queue: q}", "queue.yaml, line 1: 'work_queue' is no key of a deployment; its keys are: "),
    "nofile.yaml": ("{flow_location: nowhere.py}", "nofile.yaml, line 1: there is no script "),
    "folder.yaml": ("{flow_location: .}", "folder.yaml, line 1: flow_location must be a Python script, whose name ends with .py, not "),
    "other.yaml": (
        "{flow_location: leo.py, flow_name: nobody}",
        "other.yaml, line 1: the code of script 'leo.py' cannot be used: flow 'nobody' not found in leo.py; found: leonardo",
    ),
    "parameter.yaml": (
        "{flow_location: leo.py, parameters: {nmae: x}}",
        "parameter.yaml, line 1: flow 'leonardo' has no parameter 'nmae'; it takes: name, count, share, extra",
    ),
    "type.yaml": (
        "{flow_location: leo.py, parameters: {count: three}}",
        "type.yaml, line 1: flow 'leonardo': parameter 'count' must be a whole number (int), not the text 'three'",
    ),
    "nan.yaml": (
        "{flow_location: leo.py, parameters: {count: .nan}}",
        "nan.yaml, line 1: flow 'leonardo': parameter 'count' must be a whole number (int), not the text 'nan'",
    ),
    "bytes.yaml": (
        "{flow_location: leo.py, parameters: {name: !!binary aGk=}}",
        "bytes.yaml, line 1: parameter 'name' must be plain data, which JSON can hold",
    ),
    "same.yaml": (
        "[{flow_location: leo.py, name: a}, {flow_location: leo.py, name: a}]",
        "same.yaml, line 1 and same.yaml, line 1: both are deployment 'leonardo/a'; give one another name",
    ),
    "slash.yaml": (
        "{flow_location: leo.py, name: a/b}",
        "slash.yaml, line 1: deployment name 'a/b' cannot be used: it must be one line of 1 to 250 characters",
    ),
    "lines.yaml": ('{flow_location: leo.py, name: "a\\nb"}', "lines.yaml, line 1: deployment name 'a\\nb' cannot be used: "),
    "half.yaml": (
        '{flow_location: leo.py, name: "a\\ud800"}',
        "half.yaml, line 1: it cannot be read as YAML: 'a\\ud800' is no text that UTF-8 can hold",
    ),
    "tag.py": (
        f"{SPEC}DeploymentSpec(flow_location='leo.py', tags=[chr(0xd800)])\n",
        "tag.py, line 2: tags: '\\ud800' is no text that UTF-8 can hold",
    ),
    "tags.yaml": ("{flow_location: leo.py, tags: 3}", "tags.yaml, line 1: tags must be a list of texts, not 3 (int)"),
    "crash.yaml": (
        "{flow_location: leo.py, on_crash: explode}",
        "crash.yaml, line 1: on_crash must be 'fail' or 'retry', not the text 'explode'",
    ),
}


@pytest.mark.parametrize("name", SPECS)
def test_a_file_of_specs(author: Author, name: str) -> None:
    """The file, mostly the line, and what is wrong; who only plans is told the same, in turns, since that takes its time."""
    content, said = SPECS[name]
    author.write({name: content})
    verb = "plan" if list(SPECS).index(name) % 3 == 0 else "create"
    (error,) = author.refused("deployment", verb, name)
    assert error.startswith(f"error: {said}")


CODE: dict[str, tuple[str, str]] = {
    "two.py": ("@flow\ndef other(): ...\n", "found 2 flows in two.py: leonardo, other; say which with flow_name"),
    "raises.py": ("raise ValueError('at import')\n", "raises.py, line 8: ValueError: at import"),
    "exits.py": ("raise SystemExit(3)\n", "exits.py, line 8: it ends the process (SystemExit: 3)"),
    "interrupts.py": ("raise KeyboardInterrupt\n", "interrupts.py, line 8: KeyboardInterrupt"),
    "generates.py": ("raise GeneratorExit\n", "generates.py, line 8: GeneratorExit"),
    "recurses.py": ("def f(): f()\nf()\n", "recurses.py, line 8: RecursionError: maximum recursion depth exceeded"),
    "ends.py": (
        "import os; os._exit(0)\n",
        "the process that was to import it ended with exit code 0: it said nothing; does the code end the process",
    ),
    "kills.py": (
        "import os; os.kill(os.getpid(), 9)\n",
        "the process that was to import it ended with signal 9 (SIGKILL): it said nothing",
    ),
    "prints.py": ("while True: print('yes ' * 1_000)\n", "importing it printed more than 10 MB; what it does belongs into the flow"),
    "runner.py": (
        "@flow(name='leonardo', task_runner='dsak')\ndef leo(): ...\n",
        "no task runner named 'dsak'; installed: concurrent, processes, sequential",
    ),
}


@pytest.mark.parametrize("name", CODE)
def test_code_that_cannot_be_imported(author: Author, name: str) -> None:
    """Where the spec stands, where in the code, and what it does."""
    code, said = CODE[name]
    author.write({name: f"{LEO}\n{code}", f"{name}.yaml": f"{{flow_location: {name}}}"})
    (error,) = author.refused("deployment", "create", f"{name}.yaml")
    assert error.startswith(f"error: {name}.yaml, line 1: the code of script {name!r} cannot be used: {said}")


NOT_FILES = {
    "nowhere.yaml": "nowhere.yaml: there is no such file",
    ".": ".: it is no file",
    "": ".: it is no file",
    "leo.txt": "leo.txt: there is no such file",
    "\udcff.yaml": "\\udcff.yaml: there is no such file",
    "home/headrace.db": "home/headrace.db: what it is cannot be told by its name; a file of specs ends with .py, .yaml or .yml",
}


@pytest.mark.parametrize("name", NOT_FILES, ids=range(len(NOT_FILES)))
def test_what_is_no_file_of_specs(author: Author, name: str) -> None:
    """It is said which is meant."""
    assert author.refused("deployment", "create", name) == [f"error: {NOT_FILES[name]}"]


# Runs that are asked for

ASKED: list[tuple[list[str], int, str]] = [
    (["--param", "name"], 2, "Invalid value for --param: 'name' has no =; write NAME=VALUE"),
    (["--param", ""], 2, "Invalid value for --param: '' has no =; write NAME=VALUE"),
    (["--param", "=x"], 2, "Invalid value for --param: '=x' has no name; write NAME=VALUE"),
    (["--param", "name=a", "--param", "name=b"], 2, "Invalid value for --param: 'name' is given twice; give it once"),
    (["--param", "nmae=x"], 2, "--param nmae=…: there is no parameter 'nmae'; did you mean 'name'?"),
    (["--param", "count=three"], 2, "--param count=three: parameter 'count' takes a whole number (int); write a JSON value, e.g. count=3"),
    (["--param", "count=1.5"], 1, "deployment 'leonardo/d': parameter 'count' must be a whole number (int), not 1.5 (float)"),
    (["--param", f"count={'9' * 5_000}"], 2, f"--param count={'9' * 59}…: parameter 'count' takes a whole number (int)"),
    (["--param", "share=.1"], 2, "--param share=.1: JSON has no such number; write 0.1"),
    (["--param", "share=NaN"], 2, "--param share=NaN: parameter 'share' takes a number (float)"),
    (["--param", "share=1e999"], 2, "--param share=1e999: parameter 'share' takes a number (float)"),
    (["--param", "name=\udcff"], 2, "parameter 'name' has a text that UTF-8 cannot hold; write it in the encoding of your terminal"),
    (["--params", "{"], 2, "Invalid value for --params: it is no JSON (Expecting property name enclosed in double quotes"),
    (["--params", ""], 2, "Invalid value for --params: it is no JSON (Expecting value"),
    (["--params", "[3]"], 2, "Invalid value for --params: it is no object by name; write e.g. --params '{\"n\": 3}'"),
    (["--params", '{"count": NaN}'], 2, "Invalid value for --params: it is no JSON (NaN is no number in JSON)"),
    (["--params", '{"extra": {"a": -Infinity}}'], 2, "Invalid value for --params: it is no JSON (-Infinity is no number in JSON)"),
    (["--params", '{"count": 1, "count": 2}'], 2, "Invalid value for --params: the key 'count' stands twice in an object; write it once"),
    (["--params", "[" * 100_000], 2, "Invalid value for --params: it is no JSON (it is nested too deep)"),
    (["--params", '{"extra": ' + '{"a": ' * 400 + "1" + "}" * 401], 2, "parameter 'extra' is nested more than 100 levels deep"),
    (["--name", "a/b"], 1, "flow run name 'a/b' cannot be used: it must be one line of 1 to 250 characters, without any of / % & < >"),
    (["--name", "a%b"], 1, "flow run name 'a%b' cannot be used: "),
    (["--name", "a&b"], 1, "flow run name 'a&b' cannot be used: "),
    (["--name", "<a"], 1, "flow run name '<a' cannot be used: "),
    (["--name", "a>"], 1, "flow run name 'a>' cannot be used: "),
    (["--name", ""], 1, "flow run name '' cannot be used: "),
    (["--name", " "], 1, "flow run name ' ' cannot be used: "),
    (["--name", "-a"], 1, "flow run name '-a' cannot be used: "),
    (["--name", "x" * 10_000], 1, f"flow run name '{'x' * 251}' cannot be used: "),
    (["--name", "a\nb"], 1, "flow run name 'a\\nb' cannot be used: "),
    (["--name", "a\x1b[31m"], 1, "flow run name 'a\\x1b[31m' cannot be used: "),
    (["--name", "a\u202eb"], 1, "flow run name 'a\\u202eb' cannot be used: "),
    (["--name", "\udcff"], 1, "flow run name '\\udcff' cannot be used: "),
    (["--tag", ""], 1, "tags: every tag is a text of at least one character, not ''"),
    (["--tag", "\udcff"], 1, "tags: '\\udcff' is no text that UTF-8 can hold"),
    (["--at", "soon"], 2, "Invalid value for '--at': 'soon' is no moment; write it as 2026-11-25T09:30"),
    (["--at", ""], 2, "Invalid value for '--at': '' is no moment"),
    (["--at", "9999-12-31T23:59:59-23:59"], 2, "Invalid value for '--at': '9999-12-31T23:59:59-23:59' is no moment"),
    (["--in", "soon"], 2, "Invalid value for '--in': 'soon' is no length of time; write seconds, or numbers with w, d, h, m or s"),
    (["--in", "-5m"], 2, "Invalid value for '--in': '-5m' is no length of time"),
    (["--in", "inf"], 2, "Invalid value for '--in': 'inf' is no length of time"),
    (["--in", "99999999999d"], 2, "Invalid value for '--in': '99999999999d' is more than a hundred years"),
    (["--at", "2100-01-01", "--in", "5m"], 2, "--at and --in cannot be given together"),
]


@pytest.mark.parametrize(("options", "code", "said"), ASKED, ids=range(len(ASKED)))
def test_a_run_that_cannot_be(author: Author, options: list[str], code: int, said: str) -> None:
    """Which option, and what would do; no run is made."""
    (error,) = author.refused("deployment", "run", "leonardo/d", *options, code=code)
    assert error.startswith(f"error: {said}")


def test_a_run_without_what_it_needs(author: Author) -> None:
    """The parameter is named, whether an agent is to start it or not."""
    for verb in ("run", "execute"):
        (error,) = author.refused("deployment", verb, "leonardo/e")
        assert error == "error: deployment 'leonardo/e' needs a value for parameter 'name', and none was given"


# Names and ids of nothing

NOBODY = [
    "nope",
    "",
    " ",
    "019",
    "zzzz",
    "%",
    "____",
    "/",
    "leonardo/",
    "/d",
    "leonardo/nope",
    "a/b/c",
    "'; --",
    "a\nb",
    "a\x1b[31m",
    "\udcff",
    "x" * 10_000,
]
LOOKS = [
    ("deployment inspect", "deployment"),
    ("deployment delete", "deployment"),
    ("deployment run", "deployment"),
    ("flow-run logs", "flow run"),
    ("flow-run delete", "flow run"),
    ("task-run inspect", "task run"),
    ("work-queue pause", "work queue"),
    ("agent start", "work queue"),
]


@pytest.mark.parametrize("name", NOBODY, ids=range(len(NOBODY)))
def test_what_is_not_there(author: Author, name: str) -> None:
    """It is said where to look, of whatever kind it was to be; names take turns, so that each command meets some."""
    place = NOBODY.index(name)
    for command, what in (LOOKS[place % len(LOOKS)], LOOKS[(place + 3) % len(LOOKS)]):
        shown = author(*command.split(), name)
        assert (shown.returncode, shown.stdout) == (1, "")
        assert shown.stderr.startswith(f"error: no {what} ")
        assert shown.stderr.endswith(f"; list what is there with `headrace {what.replace(' ', '-')} ls`\n")
        assert "Traceback" not in shown.stderr


def test_a_prefix_of_an_id(author: Author) -> None:
    """With three characters it is none; with eight that several share, they are named."""
    ids = sorted((run["id"] for run in author.json("flow-run", "ls")), reverse=True)
    (error,) = author.refused("flow-run", "inspect", ids[0][:3])
    assert error == f"error: no flow run '{ids[0][:3]}'; list what is there with `headrace flow-run ls`"
    (error,) = author.refused("flow-run", "delete", ids[0][:4])
    assert error == f"error: '{ids[0][:4]}' fits several flow runs: {', '.join(ids)}; write one of them whole"
    (error,) = author.refused("flow-run", "cancel", "otter")
    assert error.startswith("error: 'otter' fits several flow runs: ")


# Options

TYPED: list[tuple[list[str], int, str]] = [
    *(
        (["flow-run", "ls", "--limit", text], 2, f"Invalid value for '--limit': {said}")
        for text, said in (
            ("-1", "-1 is not in the range 1<=x<=200."),
            ("0", "0 is not in the range 1<=x<=200."),
            ("99999999999", "99999999999 is not in the range 1<=x<=200."),
            ("1e3", "'1e3' is not a valid whole number."),
            ("many", "'many' is not a valid whole number."),
            ("", "'' is not a valid whole number."),
        )
    ),
    (["deployment", "ls", "--limit", "-1"], 2, "Invalid value for '--limit': -1 is not in the range 1<=x<=200."),
    (["agent", "start", "q", "--limit", "0"], 2, "Invalid value for '--limit': 0 is not in the range x>=1."),
    (
        ["flow-run", "ls", "--state", "BOGUS"],
        2,
        "Invalid value for --state: no run is in a state 'BOGUS'; types of states are SCHEDULED, PENDING,",
    ),
    (["flow-run", "ls", "--state", ""], 2, "Invalid value for --state: no run is in a state ''"),
    (["flow-run", "cancel", "--state", "BOGUS", "--yes"], 2, "Invalid value for --state: no run is in a state 'BOGUS'"),
    (["flow-run", "logs", "badger", "--level", "LOUD"], 2, "Invalid value for '--level': 'LOUD' is not one of 'debug', 'info',"),
    (["flow-run", "delete"], 2, "say which runs: their ids or names, or options such as --state"),
    (["work-queue", "create", "a", "--match", "tags"], 2, "Invalid value for '--match': 'tags' has no name; write NAME=JSON"),
    (["work-queue", "create", "a", "--match", 'tags={"a"'], 2, "Invalid value for '--match': what follows tags= is no JSON (Expecting ':'"),
    (["work-queue", "create", "a", "--match", "tags=3"], 1, "queue matcher 'tags': "),
    (
        ["work-queue", "create", "a", "--match", "moon=1"],
        1,
        "no queue matcher named 'moon'; installed: deployments, flow_runners, flows, tags",
    ),
    (["work-queue", "create", "a", "--tag", "\udcff"], 1, "queue matcher 'tags': '\\udcff' is no text that UTF-8 can hold"),
    (["work-queue", "create", "a/b"], 1, "work queue name 'a/b' cannot be used: "),
    (
        ["work-queue", "create", "q"],
        1,
        "there is a work queue 'q' already; choose another name, or change it with `headrace work-queue update`",
    ),
    (["work-queue", "set-concurrency-limit", "q", "-1"], 2, "Invalid value for 'N': -1 is negative; write a whole number, 0 or more"),
    (["work-queue", "preview", "q", "--hours", "999999999"], 2, "Invalid value for '--hours': 999999999 is not in the range 0<=x<=87840."),
    (
        ["concurrency-limit", "create", "a\nb", "1"],
        2,
        "Invalid value for 'TAG': a tag is a text of at least one character, without line ends",
    ),
    (["deployment", "rollback", "leonardo/d", "--to", "0"], 2, "Invalid value for '--to': 0 is not in the range x>=1."),
    (["config", "set", "lease_seconds"], 2, "Invalid value for 'NAME=VALUE...': 'lease_seconds' is not in the form NAME=VALUE"),
    (
        ["config", "set", "lease_seconds=nan"],
        1,
        "lease_seconds='nan' from the command line cannot be used: it must be a number of seconds from 0.001",
    ),
    (["config", "set", "lease=3"], 1, "the command line sets 'lease', which is no setting"),
    (["profile", "use", "nope"], 1, "no profile named 'nope' in "),
    (["profile", "create", "a/b"], 1, "profile name 'a/b' cannot be used: "),
    (["plugins", "new", "storage", "a/b"], 1, "headrace plugins new: name='a/b' cannot be used: it must be of small letters and digits"),
    (["--profile", "nope", "flow-run", "ls"], 1, "no profile named 'nope' in "),
    (["--profile", "", "flow-run", "ls"], 1, "profile='' from flag cannot be used: it must be text that is not empty"),
    (["flow-rnu", "ls"], 2, "no command named 'flow-rnu'; did you mean 'flow-run'?"),
]


@pytest.mark.parametrize(("arguments", "code", "said"), TYPED, ids=range(len(TYPED)))
def test_what_is_typed_wrong(author: Author, arguments: list[str], code: int, said: str) -> None:
    """Which option, what was given, and what it may be."""
    (error,) = author.refused(*arguments, code=code)
    assert error.startswith(f"error: {said}")


# Settings

VARIABLES: list[tuple[str, str, str]] = [
    ("LOG_LEVEL", "LOUD", "log_level='LOUD' from environment HEADRACE_LOG_LEVEL cannot be used: it must be one of DEBUG, INFO,"),
    (
        "LEASE_SECONDS",
        "-1",
        "lease_seconds='-1' from environment HEADRACE_LEASE_SECONDS cannot be used: it must be a number of seconds from 0.001",
    ),
    ("LEASE_SECONDS", "nan", "lease_seconds='nan' from environment HEADRACE_LEASE_SECONDS cannot be used"),
    ("LEASE_SECONDS", "\udcff", "lease_seconds='\\udcff' from environment HEADRACE_LEASE_SECONDS cannot be used"),
    ("RUN_STORE", "nope", "no run store named 'nope'; installed: memory, sqlite"),
    (
        "API_URL",
        "http://[",
        "api_url='http://[' from environment HEADRACE_API_URL cannot be used: it must be an address such as http://127.0.0.1:4200/api",
    ),
    ("PROFILE", "nope", "no profile named 'nope' in "),
    ("HOME", "", "home='' from environment HEADRACE_HOME cannot be used: it must be a path"),
]


@pytest.mark.parametrize(("name", "value", "said"), VARIABLES, ids=range(len(VARIABLES)))
def test_a_setting_in_the_environment(author: Author, name: str, value: str, said: str) -> None:
    """Its name, its value, where it comes from, and what it may be; commands that mend settings, and those that tell about them, work."""
    (error,) = author.refused("flow-run", "ls", more={f"HEADRACE_{name}": value})
    assert error.startswith(f"error: {said}")
    if name != "RUN_STORE":
        shown = author("config", "view", more={f"HEADRACE_{name}": value})
        assert shown.returncode == 0
        assert shown.stderr.startswith(f"warning: {said}")


PROFILES: list[tuple[bytes, str]] = [
    (b"[", "cannot be read: Invalid initial character for a key part (at line 1, the end); mend or move it"),
    (b"\xff\xfe", "cannot be read: it is not UTF-8 text (at line 1); mend or move it"),
    (b"active = 3\n", "cannot be read: active must be the name of a profile, in quotes; mend or move it"),
    (b"profiles = 1\n", "cannot be read: a profile must be a table, [profiles.NAME]; mend or move it"),
    (
        b"[profiles.default]\nlease_seconds = 'x'\n",
        "cannot be used: it must be a number of seconds from 0.001 to 31536000 (a year); take it away with: headrace config unset lease_seconds",
    ),
    (b"[profiles.default]\nlaese_seconds = 3\n", "sets 'laese_seconds', which is no setting; did you mean"),
]


@pytest.mark.parametrize(("content", "said"), PROFILES, ids=range(len(PROFILES)))
def test_a_setting_in_a_profile(own: Author, content: bytes, said: str) -> None:
    """The file is named, and what is wrong in it; it is left as it is, and looking at settings works."""
    own.home.mkdir()
    file = own.home / "profiles.toml"
    file.write_bytes(content)
    shown = own("flow-run", "ls")
    assert (shown.returncode, shown.stdout, shown.stderr.count("\n")) == (1, "", 1)
    assert shown.stderr.startswith("error: ")
    assert str(file) in shown.stderr
    assert said in shown.stderr
    assert own("config", "view").returncode == 0
    assert file.read_bytes() == content
    assert sorted(path.name for path in own.home.iterdir()) == ["profiles.toml"]


def test_an_unknown_setting_is_warned_of_once(author: Author) -> None:
    """A slip in the environment is no reason to do nothing; it is said in one line."""
    shown = author("work-queue", "ls", more={"HEADRACE_LEASE_SECOND": "3"})
    assert shown.returncode == 0
    assert (
        shown.stderr == "warning: the environment sets 'HEADRACE_LEASE_SECOND', which is no setting; did you mean HEADRACE_LEASE_SECONDS?\n"
    )


# What is odd, and works

ODD = """
import os
import threading

from headrace import flow, task

@task(persist_result=True)
def kept():
    return threading.Lock()

@task
def lock():
    return threading.Lock()

@flow
def keeps():
    kept()

@flow(task_runner="processes")
def sends():
    lock.submit().result()

@flow(log_prints=True)
def passes():
    print(type(lock()).__name__)

@flow(log_prints=True)
def speaks():
    os.write(1, b"caf\\xe9\\n")
    os.write(2, b"\\xff\\xfe\\n")
    print("half", chr(0xd800))

@flow(log_prints=True)
def takes(**all: str):
    print(sum(map(len, all.values())))
"""


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Author:
    """An author of odd flows, each deployed."""
    author = Author(tmp_path_factory.mktemp("odd"))
    names = ("keeps", "sends", "passes", "speaks", "takes")
    author.write({"odd.py": ODD, "odd.yaml": "".join(f"- {{flow_location: odd.py, flow_name: {name}}}\n" for name in names)})
    author.done("deployment", "create", "odd.yaml")
    return author


def logs(author: Author, deployment: str) -> str:
    """What the last run of a deployment said."""
    (run,) = author.json("flow-run", "ls", "--deployment", deployment, "--limit", "1")
    return author.done("flow-run", "logs", run["id"])


def test_output_that_is_no_text(odd: Author) -> None:
    """The run completes, and what it said can be read, with what is no text as its numbers."""
    shown = odd("deployment", "execute", "speaks")
    assert shown.returncode == 0
    for said in (shown.stderr, logs(odd, "speaks")):
        assert "caf\\xe9\n" in said
        assert "\\xff\\xfe\n" in said
        assert "half \\ud800\n" in said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "keeps",
            "cannot be written by serializer 'pickle': TypeError: cannot pickle '_thread.lock' object; return something that can be, or do not keep it",
        ),
        (
            "sends",
            "cannot be written by serializer 'cloudpickle': TypeError: cannot pickle '_thread.lock' object; return what can be pickled, or choose",
        ),
    ],
)
def test_a_result_that_cannot_be_written(odd: Author, name: str, said: str) -> None:
    """The run fails, and says which result, why, and what would do."""
    shown = odd("deployment", "execute", name)
    assert shown.returncode == 1
    assert shown.stderr.splitlines()[-1].startswith("Flow run '")
    assert said in shown.stderr.splitlines()[-1]
    assert "headrace_" not in shown.stderr


def test_a_result_that_nobody_writes(odd: Author) -> None:
    """It may be anything."""
    assert odd("deployment", "execute", "passes").returncode == 0
    assert "lock" in logs(odd, "passes")


def test_parameters_of_a_megabyte(odd: Author, own: Author) -> None:
    """They are taken from a command and from a file, kept whole, and reach the flow."""
    pairs = [part for number in range(10) for part in ("--param", f"p{number}={'x' * 100_000}")]
    assert odd("deployment", "execute", "takes", *pairs).returncode == 0
    assert " - 1000000\n" in logs(odd, "takes")
    own.write({"big.yaml": f"{{flow_location: leo.py, name: big, parameters: {{name: {'x' * 1_000_000}}}}}"})
    own.done("deployment", "create", "big.yaml")
    assert len(own.json("deployment", "inspect", "big")["parameters"]["name"]) == 1_000_000
    assert own("deployment", "execute", "big").returncode == 0
    assert f"Hello {'x' * 34} 1000000\n" in logs(own, "big")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("raise KeyboardInterrupt", "cannot be used: late.py, line 8: KeyboardInterrupt"),
        ("raise SystemExit(0)", "cannot be used: late.py, line 8: it ends the process (SystemExit: 0)"),
        ("raise ValueError('late')", "cannot be used: late.py, line 8: ValueError: late"),
        ("import os; os._exit(0)", "The process of the run ended with exit code 0 before the run did."),
    ],
)
def test_code_that_was_not_verified(own: Author, code: str, said: str) -> None:
    """What would have been said when it was deployed, the run says."""
    own.write({"late.py": f"{LEO}\n{code}\n", "late.yaml": "{flow_location: late.py, flow_name: leonardo, parameters: {name: x}}"})
    own.done("deployment", "create", "late.yaml", "--no-verify")
    shown = own("deployment", "execute", "leonardo")
    assert shown.returncode == 1
    assert said in shown.stderr.splitlines()[-1]
    (run,) = own.json("flow-run", "ls")
    assert said in run["state_message"]
    assert said in own.done("flow-run", "logs", run["id"])


def test_the_queue_of_a_run_is_shown_after_it_was_taken(own: Author) -> None:
    """While it waits, those that want it; afterwards the one that it was taken from, though the queue be gone."""
    own.write({"leo.yaml": "{flow_location: leo.py, parameters: {name: Leo}}"})
    own.done("deployment", "create", "leo.yaml")
    own.done("work-queue", "create", "first")
    own("deployment", "run", "leonardo", "--name", "otter")
    assert "\nwork queues      first\n" in own.done("flow-run", "inspect", "otter")
    assert own("agent", "start", "first", "--run-once").returncode == 0
    own.done("work-queue", "delete", "first")
    assert "\nwork queue       first\n" in own.done("flow-run", "inspect", "otter")
    assert own.json("flow-run", "inspect", "otter")["work_queue"] == "first"


def test_a_flow_runner_that_no_agent_has_is_told_in_the_log(own: Author) -> None:
    """In the words of the state."""
    own.write({"leo.yaml": "{flow_location: leo.py, parameters: {name: Leo}}"})
    own.done("deployment", "create", "leo.yaml")
    own.done("work-queue", "create", "first")
    with headrace.open(load({"HEADRACE_HOME": str(own.home)}), lasting=True) as house:
        (made,) = house.client.read_deployments(DeploymentFilter(), Page())
        house.client.put_deployments((attrs.evolve(made, flow_runner=Choice("dokcer")),))
    own("deployment", "run", "leonardo", "--name", "otter")
    own("agent", "start", "first", "--run-once")
    said = "The run could not be started by flow runner 'dokcer': no flow runner named 'dokcer'; installed: docker, kubernetes, subprocess, universal"
    assert said in own.json("flow-run", "inspect", "otter")["state_message"]
    assert said in own.done("flow-run", "logs", "otter")


def test_a_flow_runner_that_is_not_here_may_be_asked_for(own: Author) -> None:
    """It may be installed where the runs are; that it is not here is said, and the queue is made."""
    shown = own("work-queue", "create", "far", "--flow-runner", "dokcer")
    assert (shown.returncode, shown.stdout.count("\n")) == (0, 1)
    assert shown.stderr == "warning: no flow runner 'dokcer' is installed here; installed: docker, kubernetes, subprocess, universal\n"
    assert own.json("work-queue", "inspect", "far")["criteria"] == {"flow_runners": ["dokcer"]}


def test_how_soon_a_run_is_due(own: Author) -> None:
    """As it was typed, to the unit."""
    own.write({"leo.yaml": "{flow_location: leo.py, parameters: {name: Leo}}"})
    own.done("deployment", "create", "leo.yaml")
    assert own.done("deployment", "run", "leonardo", "--in", "5m").endswith(" (in 5m)\n")

"""Storages with a name: made by commands and in a conversation, their secrets, the default, what lies in them, and what of it is removed."""

import json
import os
import pty
import re
import select
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from servers import s3
from servers.own import COMMAND, environment, headrace_server

from headrace import instance
from headrace.settings import load
from headrace_s3.storage import S3Storage

SECONDS = 120

Headrace = Callable[..., CompletedProcess[str]]

FLOW = """
from headrace import flow, task


@task(persist_result=True)
def large():
    return "x" * 10_000


@flow(name="keeps", persist_result=True, log_prints=True)
def keeps(name="Leo"):
    print(f"Hello {name}!")
    return large()


if __name__ == "__main__":
    keeps()
"""


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.S3Server]:
    with s3.rclone_s3(tmp_path_factory.mktemp("bucket")) as server:
        yield server


@pytest.fixture
def headrace(tmp_path: Path) -> Headrace:
    """Runs `headrace` in a home of its own."""

    def run(*arguments: str, home: str = "home", cwd: Path | None = None, **more: str) -> CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, *arguments],
            env=environment(tmp_path / home, **more),
            cwd=cwd or tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )

    return run


def done(shown: CompletedProcess[str]) -> str:
    """What a command that worked has said."""
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout


def found(shown: CompletedProcess[str]) -> Any:
    """What a command that worked has said as JSON."""
    return json.loads(done(shown))


def refused(shown: CompletedProcess[str]) -> str:
    """The one line that a command has refused with."""
    assert shown.returncode != 0, shown.stdout
    assert "Traceback" not in shown.stderr
    first, *more = shown.stderr.splitlines()
    assert all(line.startswith("try: ") for line in more), shown.stderr
    return first


def s3_flags(server: s3.S3Server, **changes: str) -> list[str]:
    """The options of a storage in the bucket, as flags."""
    options = {
        "bucket": s3.BUCKET,
        "endpoint-url": server.url,
        "aws-access-key-id": s3.KEY,
        "aws-secret-access-key": s3.SECRET,
    } | {name.replace("_", "-"): value for name, value in changes.items()}
    return [part for name, value in options.items() for part in (f"--{name}", value)]


def whole_bucket(server: s3.S3Server) -> S3Storage:
    """All that lies in it, without a prefix."""
    return S3Storage(bucket=s3.BUCKET, endpoint_url=server.url, aws_access_key_id=s3.KEY, aws_secret_access_key=s3.SECRET)


def objects(server: s3.S3Server) -> list[str]:
    """The keys in the bucket."""
    with whole_bucket(server).open() as opened:
        return list(opened.keys())


# create


def test_create_by_flags(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """A secret that is written out is encrypted in the store, its key lies apart and is the user's alone, and no command shows it; the storage is tried."""
    said = done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="one"), "--default"))
    assert re.fullmatch(r"created storage 'prod' \([0-9a-f-]{36}\)\nset the default storage to 'prod'\n", said)
    shown = [headrace("storage", *what) for what in (("ls",), ("ls", "--json"), ("inspect", "prod"), ("inspect", "prod", "--json"))]
    said += "".join(done(each) + each.stderr for each in shown)
    assert s3.SECRET not in said
    assert "***" in said
    database = b"".join(path.read_bytes() for path in (tmp_path / "home").glob("headrace.db*"))
    assert b"prod" in database
    assert s3.SECRET.encode() not in database
    key_file = tmp_path / "home" / "keys" / "sealing.json"
    assert key_file.stat().st_mode & 0o777 == 0o600
    row = found(headrace("storage", "inspect", "prod", "--json"))
    assert row["options"] == {
        "bucket": s3.BUCKET,
        "endpoint_url": bucket.url,
        "aws_access_key_id": s3.KEY,
        "prefix": "one",
        "aws_secret_access_key": "***",
    }
    assert row["is_default"]
    checked = found(headrace("storage", "check", "prod", "--json"))
    assert [step["step"] for step in checked["steps"]] == ["put", "read back", "list", "delete"]
    assert checked["is_usable"]


def test_create_by_json(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """Options come as a JSON object, or from a file that has one; a flag goes over them; a reference stays one."""
    options = {"bucket": "absent", "endpoint_url": bucket.url, "aws_access_key_id": s3.KEY, "aws_secret_access_key": "secret://env/S3"}
    (tmp_path / "s3.json").write_text(json.dumps(options))
    command = ["storage", "create", "s3", "--name", "two", "--json-fields", "@s3.json", "--json"]
    assert "there is no bucket 'absent'" in refused(headrace(*command, S3=s3.SECRET))
    made = found(headrace(*command, "--bucket", s3.BUCKET, S3=s3.SECRET))
    assert made["options"] == {**options, "bucket": s3.BUCKET}
    assert not (tmp_path / "home" / "keys").exists()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["gopher", "--name", "x"], "no storage named 'gopher'; installed: "),
        (["s3", "--name", "x"], "storage type 's3' needs --bucket"),
        (["s3", "--bucket", "x"], "Missing option '--name'"),
        (["local", "--name", "s3", "--path", "x"], "that is a type of storage"),
        (["local", "--name", "a/b", "--path", "x"], "storage name 'a/b' cannot be used"),
        (["memory", "--name", "x"], "what it keeps is gone when the process ends"),
        (["server", "--name", "x", "--url", "http://127.0.0.1:1"], "needs no name"),
        (["local", "--name", "x", "--json-fields", "[]"], "it must be a JSON object"),
        (["local", "--name", "x", "--json-fields", "{"], "it is no JSON"),
        (["local", "--name", "x", "--json-fields", '{"paht": "x"}'], "there is no option 'paht'; did you mean 'path'?"),
        (["local", "--name", "x", "--json-fields", "@absent"], "file 'absent' cannot be read: No such file"),
        (["file", "--name", "x", "--url", "memory://x"], "what it keeps is gone when the process ends"),
        (["file", "--name", "x", "--url", "sftp://u:p@h/x"], "a password in an address"),
        (["file", "--name", "x", "--url", "file:///x", "--options", "nonsense"], "write NAME=VALUE, or all of it as a JSON object"),
        (["file", "--name", "x", "--url", "file:///x", "--options", "{"], "it is no JSON"),
        (["file", "--name", "x", "--url", "file:///x", "--options", "a=1", "--options", "a=2"], "part 'a' is given twice"),
        (["local", "--name", "x", "--path", "/proc/nobody/can"], "nothing was kept, since the storage cannot be used: put:"),
        (["s3", "--name", "x", "--bucket", "b", "--aws-access-key-id", "A", "--aws-secret-access-key", "secret://env/ABSENT"], "ABSENT"),
        ([], "say which type"),
    ],
)
def test_what_create_refuses(headrace: Headrace, arguments: list[str], why: str) -> None:
    """In one sentence, and nothing is kept."""
    assert why in refused(headrace("storage", "create", *arguments))
    assert found(headrace("storage", "ls", "--json")) == []


def test_without_a_check(headrace: Headrace) -> None:
    """What cannot be tried here, as its secret is found only where it is used, may be kept all the same; checked later, it says so."""
    flags = ["--bucket", "b", "--aws-access-key-id", "A", "--aws-secret-access-key", "secret://env/ABSENT"]
    done(headrace("storage", "create", "s3", "--name", "later", *flags, "--no-check"))
    assert "the environment variable ABSENT is not set here" in refused(headrace("storage", "check", "later"))


# check


def test_check_says_what_is_wrong(headrace: Headrace, bucket: s3.S3Server) -> None:
    """No such bucket, a wrong key, nobody at the address: each in one sentence, with exit code 1, as text and as JSON."""
    for name, changes, why in (
        ("bucket", {"bucket": "absent"}, "there is no bucket 'absent'"),
        ("key", {"aws_access_key_id": "AKIAUNKNOWN"}, "the key is refused"),
        ("nobody", {"endpoint_url": "http://127.0.0.1:9"}, "it does not answer"),
    ):
        done(headrace("storage", "create", "s3", "--name", name, *s3_flags(bucket, **changes), "--no-check"))
        assert why in refused(headrace("storage", "check", name))
        shown = headrace("storage", "check", name, "--json")
        assert shown.returncode == 1
        assert why in json.loads(shown.stdout)["fault"]
        assert s3.SECRET not in shown.stdout + shown.stderr


# update, delete


def test_update(headrace: Headrace, bucket: s3.S3Server) -> None:
    """What is given changes, what is not stays, a secret among it; what does not work is not kept."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket)))
    assert "--aws-secret-access-key" in done(headrace("storage", "update", "prod", "--help"))
    assert done(headrace("storage", "update", "prod", "--prefix", "two")) == "changed storage 'prod'\n"
    assert "must be text" in refused(headrace("storage", "update", "prod", "--json-fields", '{"prefix": 5}'))
    assert "the key is refused" in refused(headrace("storage", "update", "prod", "--aws-access-key-id", "AKIAUNKNOWN"))
    options = found(headrace("storage", "inspect", "prod", "--json"))["options"]
    assert (options["prefix"], options["aws_access_key_id"], options["aws_secret_access_key"]) == ("two", s3.KEY, "***")
    done(headrace("storage", "check", "prod"))
    done(headrace("storage", "update", "prod", "--unset", "prefix", "--aws-secret-access-key", "secret://env/S3", S3=s3.SECRET))
    assert "prefix" not in found(headrace("storage", "inspect", "prod", "--json"))["options"]
    done(headrace("storage", "check", "prod", S3=s3.SECRET))
    for arguments, why in (
        (["prod"], "say what is to change"),
        (["nobody", "--prefix", "x"], "no storage 'nobody'"),
        (["prod", "--unset", "bukket"], "there is no option 'bukket'; did you mean 'bucket'?"),
        (["prod", "--paht", "x"], "No such option"),
        (["prod", "--unset", "bucket"], "bucket"),
    ):
        assert why in refused(headrace("storage", "update", *arguments, S3=s3.SECRET))


def test_a_part_is_changed(headrace: Headrace, tmp_path: Path) -> None:
    """Of an option with parts, NAME=VALUE changes one and --unset takes one away; the others stay as they are, and no secret of them is shown or typed."""

    def opened() -> Any:
        with instance.open(load({"HEADRACE_HOME": str(tmp_path / "home")})) as house:
            return house.client.open_storage("files", "a test").options["options"]

    flags = ["--options", "username=leo", "--options", "password=4711", "--options", "port=22"]
    done(headrace("storage", "create", "file", "--name", "files", "--url", f"file://{tmp_path}/kept", *flags))
    assert opened() == {"username": "leo", "password": "4711", "port": 22}
    shown = done(headrace("storage", "update", "files", "--options", "port=2222", "--options", 'note="3"', "--json"))
    assert json.loads(shown)["options"]["options"] == {"username": "***", "password": "***", "port": 2222, "note": "***"}
    assert opened() == {"username": "leo", "password": "4711", "port": 2222, "note": "3"}
    done(headrace("storage", "update", "files", "--options", "password=secret://env/NEW", "--unset", "options.note", NEW="4712"))
    assert opened() == {"username": "leo", "password": "secret://env/NEW", "port": 2222}
    for arguments, why in (
        (["--unset", "options.prot"], "option 'options' has no part 'prot'; did you mean 'port'?"),
        (["--unset", "optoins.port"], "there is no option 'optoins'; did you mean 'options'?"),
        (["--options", "4711"], "write NAME=VALUE"),
    ):
        why_not = refused(headrace("storage", "update", "files", *arguments, NEW="4712"))
        assert why in why_not
        assert "4711" not in why_not
    done(headrace("storage", "update", "files", "--options", '{"port": 23}'))
    assert opened() == {"port": 23}
    assert "headrace storage update files --options" in done(headrace("storage", "update", "--help"))


def test_a_lost_key(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """Who has lost the file of keys is told so, and by which key it was sealed; the secret can be written anew."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket)))
    key_file = tmp_path / "home" / "keys" / "sealing.json"
    key_file.unlink()
    why = refused(headrace("storage", "check", "prod"))
    assert "secret://sealed/" in why
    assert str(tmp_path / "home" / "keys") in why
    done(headrace("storage", "update", "prod", "--aws-secret-access-key", s3.SECRET))
    done(headrace("storage", "check", "prod"))


def test_rotation(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """After a rotation and a sealing anew, the old key opens nothing that the store has, and the storage works on."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket)))

    def kept() -> str:
        with sqlite3.connect(tmp_path / "home" / "headrace.db") as database:
            return str(database.execute("SELECT value FROM storages").fetchone()[0])

    before = kept()
    assert found(headrace("keys", "rotate", "--json"))["sealed_anew"] == 1
    old, new = (re.search(r"secret://sealed/([^/\"]+)/", text) for text in (before, kept()))
    assert old is not None
    assert new is not None
    assert old[1] != new[1]
    done(headrace("storage", "check", "prod"))
    assert found(headrace("keys", "prune", "--json"))["removed"] == [old[1]]
    done(headrace("storage", "check", "prod"))
    elsewhere = refused(headrace("keys", "rotate", HEADRACE_API_URL="http://127.0.0.1:9/api"))
    assert "this command is to be given there" in elsewhere


# What lies there


def script(tmp_path: Path, source: str = FLOW) -> Path:
    """A file with a flow."""
    path = tmp_path / "keeps.py"
    path.write_text(source)
    return path


def run_script(path: Path, tmp_path: Path) -> str:
    """Runs a file in the home; what it said."""
    shown = subprocess.run(
        [sys.executable, str(path)], env=environment(tmp_path / "home"), capture_output=True, text=True, check=False, timeout=SECONDS
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    return shown.stdout + shown.stderr


def folder_of(tmp_path: Path) -> str:
    """The folder of a store in storages."""
    with sqlite3.connect(tmp_path / "home" / "headrace.db") as database:
        return str(database.execute("SELECT value FROM marks WHERE name = 'store id'").fetchone()[0])


def test_the_default_has_code_and_results(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """Both lie in the folder of the store; runs find them, and a deleted run takes its results with it, wherever they are."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="default"), "--default"))
    path = script(tmp_path)
    run_script(path, tmp_path)
    (run,) = found(headrace("flow-run", "ls", "--json"))
    mine = f"default/{folder_of(tmp_path)}/"
    results = [key for key in objects(bucket) if key.startswith(f"{mine}results/{run['id']}/")]
    assert len(results) == 2
    (tmp_path / "spec.yaml").write_text("name: there\nflow_location: keeps.py\n")
    done(headrace("deployment", "create", "spec.yaml"))
    (archive,) = [key for key in objects(bucket) if key.startswith(f"{mine}code/")]
    assert re.fullmatch(rf"{re.escape(mine)}code/[0-9a-f]{{64}}\.tar\.gz", archive)
    assert "unchanged" in done(headrace("deployment", "create", "spec.yaml"))
    done(headrace("storage", "reset-default"))
    done(headrace("work-queue", "create", "q"))
    done(headrace("deployment", "run", "keeps/there", "--name", "one"))
    done(headrace("agent", "start", "q", "--run-once"))
    assert found(headrace("flow-run", "inspect", "one", "--json"))["state"] == "Completed"
    assert "Hello Leo!" in done(headrace("flow-run", "logs", "one"))
    done(headrace("flow-run", "delete", run["id"], "--yes"))
    assert not [key for key in objects(bucket) if run["id"] in key]


def test_a_flow_chooses_where_its_results_go(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """By a name, by a type, or as a value; a secret in a value is refused before the flow begins, and a name that no storage has when there is a result."""
    done(headrace("storage", "create", "s3", "--name", "own", *s3_flags(bucket, prefix="flow")))
    run_script(script(tmp_path, FLOW.replace("persist_result=True, log", 'persist_result=True, result_storage="own", log')), tmp_path)
    (run,) = found(headrace("flow-run", "ls", "--json"))
    assert len([key for key in objects(bucket) if key.startswith(f"flow/{folder_of(tmp_path)}/results/{run['id']}/")]) == 2
    value = f'S3Storage(bucket="b", aws_access_key_id="A", aws_secret_access_key="{s3.SECRET}")'
    given = f"persist_result=True, result_storage=__import__('headrace.storage', fromlist=['x']).{value}, log"
    for option, why in (
        (given, "a secret that is written out would be kept with every result"),
        ('persist_result=True, result_storage="nobody", log', "no storage 'nobody'"),
    ):
        path = script(tmp_path, FLOW.replace("persist_result=True, log", option))
        shown = subprocess.run(
            [sys.executable, str(path)], env=environment(tmp_path / "home"), capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert shown.returncode != 0
        assert why in shown.stderr
    assert s3.SECRET not in done(headrace("flow-run", "ls", "--json"))


def test_what_nothing_needs_is_removed(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """Only keys of this store, older than a day, that nothing names; those of another store in the same bucket stay."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="gc"), "--default"))
    path = script(tmp_path)
    run_script(path, tmp_path)
    (tmp_path / "spec.yaml").write_text("name: there\nflow_location: keeps.py\n")
    done(headrace("deployment", "create", "spec.yaml"))
    foreign = f"gc/{'0' * 36}/code/{'f' * 64}.tar.gz"
    with whole_bucket(bucket).open() as opened:
        opened.write(foreign, [b"somebody else's"])
    before = objects(bucket)
    assert found(headrace("storage", "gc", "--json"))["keys"] == []
    done(headrace("deployment", "delete", "keeps/there"))
    assert found(headrace("storage", "gc", "--json"))["keys"] == []
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    with sqlite3.connect(tmp_path / "home" / "headrace.db") as database:
        database.execute("UPDATE reserved SET at = ?", [long_ago])
        database.execute("PRAGMA foreign_keys = ON")
        database.execute("DELETE FROM flow_runs")
    plan = found(headrace("storage", "gc", "--plan", "--json"))
    assert (plan["is_plan"], plan["archives"], plan["results_of_runs"]) == (True, 1, 1)
    assert objects(bucket) == before
    removed = found(headrace("storage", "gc", "--json"))
    assert [key["key"] for key in removed["keys"]] == [key["key"] for key in plan["keys"]]
    assert [key for key in objects(bucket) if key.startswith("gc/")] == [foreign]
    assert found(headrace("storage", "gc", "--json"))["keys"] == []


def test_what_cannot_be_removed_is_told(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """A storage that is away is told once, and its keys are tried again next time; the others go on."""
    done(headrace("storage", "create", "s3", "--name", "away", *s3_flags(bucket, endpoint_url="http://127.0.0.1:9"), "--no-check"))
    done(headrace("storage", "create", "local", "--name", "here", "--path", "there"))
    long_ago = (datetime.now(UTC) - timedelta(days=2)).isoformat()
    keys = [(f"results/{number}/", f'{{"name":"named","options":{{"name":"{name}"}}}}') for number in "12" for name in ("away", "here")]
    with sqlite3.connect(tmp_path / "home" / "headrace.db") as database:
        database.executemany("INSERT INTO reserved (key, storage, at) VALUES (?, ?, ?)", [(*key, long_ago) for key in keys])
    shown = headrace("storage", "gc", "--json")
    assert shown.returncode == 1
    (fault,) = json.loads(shown.stdout)["faults"]
    assert "it does not answer" in fault
    rows = json.loads(shown.stdout)["keys"]
    assert [(row["key"], row["storage"]) for row in rows if row["fault"] is None] == [("results/1/", "here"), ("results/2/", "here")]
    assert len([row for row in rows if row["fault"] is not None]) == 2
    assert shown.stderr.count("it does not answer") == 1
    assert [row["storage"] for row in found(headrace("storage", "gc", "--plan", "--json"))["keys"]] == ["away", "away"]
    assert "2 keys are there still" in headrace("storage", "gc").stderr
    assert [headrace(*command).returncode for command in (("storage", "gc"), ("store", "gc"), ("store", "gc", "--json"))] == [1, 1, 1]


def test_what_killed_writers_left_is_removed(headrace: Headrace, tmp_path: Path) -> None:
    """In the own storage and in folders with a name, once it is a day old; in the folder of this store, and in no other that shares the place."""
    done(headrace("storage", "create", "local", "--name", "here", "--path", "there"))
    own = tmp_path / "home" / "storage"
    mine = [place / folder_of(tmp_path) / "results" / ".writing-1" for place in (own, tmp_path / "there")]
    others = [tmp_path / "there" / "another" / ".writing-1", mine[1].with_name(".writing-2")]
    for path in (*mine, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    for path in (*mine, others[0]):
        os.utime(path, (0, 0))
    plan = found(headrace("storage", "gc", "--plan", "--json"))
    assert sorted(row["storage"] for row in plan["unfinished"]) == ["here", "local"]
    assert all(path.exists() for path in mine)
    assert "2 values that were left unfinished were removed too" in headrace("storage", "gc").stderr
    assert not any(path.exists() for path in mine)
    assert all(path.exists() for path in others)


def test_delete(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """A storage with code or results in it is kept, unless that is forced; then they stay where they are."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="deleted"), "--default"))
    run_script(script(tmp_path), tmp_path)
    assert "storage 'prod' has 1 key of code or results" in refused(headrace("storage", "delete", "prod"))
    before = objects(bucket)
    assert done(headrace("storage", "delete", "prod", "--force")) == "deleted storage 'prod'\n"
    assert objects(bucket) == before
    assert found(headrace("storage", "ls", "--json")) == []
    assert "no storage 'prod'" in refused(headrace("storage", "delete", "prod"))


def test_where_a_storage_is_stays(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """As long as code or results are known there, so that nobody loses them by a word; a key may be renewed all the same."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="stays"), "--default"))
    run_script(script(tmp_path), tmp_path)
    assert "storage 'prod' has 1 key of code or results" in refused(headrace("storage", "update", "prod", "--prefix", "elsewhere"))
    done(headrace("storage", "update", "prod", "--aws-secret-access-key", s3.SECRET))
    done(headrace("storage", "update", "prod", "--prefix", "elsewhere", "--force"))
    assert found(headrace("storage", "inspect", "prod", "--json"))["options"]["prefix"] == "elsewhere"


# The conversation


class Terminal:
    """A command on a terminal, with somebody who types."""

    def __init__(self, *arguments: str, home: Path, cwd: Path) -> None:
        ours, theirs = pty.openpty()
        self._process = subprocess.Popen(
            [COMMAND, *arguments], env=environment(home, TERM="dumb"), cwd=cwd, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True
        )
        os.close(theirs)
        self._terminal = ours
        self.shown = ""
        self._seen = 0

    def answer(self, question: str, typed: str) -> None:
        """Waits for the question, and types."""
        self._read_until(lambda: question in self.shown[self._seen :])
        self._seen = len(self.shown)
        os.write(self._terminal, f"{typed}\n".encode())

    def ended(self) -> int:
        """The exit code, after all was read."""
        self._read_until(lambda: False)
        os.close(self._terminal)
        return self._process.wait(SECONDS)

    def _read_until(self, is_there: Callable[[], bool]) -> None:
        end = time.monotonic() + SECONDS
        while not is_there():
            ready, _, _ = select.select([self._terminal], [], [], max(end - time.monotonic(), 0))
            assert ready, f"nothing more came after: {self.shown}"
            try:
                read = os.read(self._terminal, 65536)
            except OSError:  # how Linux says that nobody is at the other end
                return
            if not read:
                return
            self.shown += read.decode()


def test_a_conversation(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """It asks for the type by number, for each option, hidden where that is secret, for a name, and whether it is the default; wrong answers are asked
    for once more."""
    types = [row["type"] for row in found(headrace("storage", "types", "--json"))]
    offered = sorted(set(types) - {"memory", "temporary", "server"})
    done(headrace("storage", "create", "local", "--name", "taken", "--path", "x"))
    terminal = Terminal("storage", "create", home=tmp_path / "home", cwd=tmp_path)
    terminal.answer("Which one", "99")
    terminal.answer("Which one", str(offered.index("s3") + 1))
    answers = {
        "BUCKET": s3.BUCKET,
        "PREFIX (optional)": "asked",
        "ENDPOINT URL (optional)": bucket.url,
        "AWS ACCESS KEY ID (optional)": s3.KEY,
        "AWS SESSION TOKEN (optional)": "",
        "AWS SECRET ACCESS KEY (optional)": s3.SECRET,
        "PROFILE NAME (optional)": "",
        "REGION NAME (optional)": "",
    }
    for question, typed in (answers | {"BUCKET": "absent"}).items():
        terminal.answer(f"{question}:", typed)
    terminal.answer("Answer once more?", "y")
    for question, typed in answers.items():
        terminal.answer(f"{question}:", typed)
    terminal.answer("NAME of the storage:", "taken")
    terminal.answer("NAME of the storage:", "asked")
    terminal.answer("Make it the default", "y")
    assert terminal.ended() == 0, terminal.shown
    assert "there is no bucket 'absent'" in terminal.shown
    assert "there is a storage 'taken' already" in terminal.shown
    assert "set the default storage to 'asked'" in terminal.shown
    assert s3.SECRET not in terminal.shown
    (kept,) = [row for row in found(headrace("storage", "ls", "--json")) if row["name"] == "asked"]
    assert kept["is_default"]
    assert kept["options"]["prefix"] == "asked"
    done(headrace("storage", "check"))


def test_a_conversation_about_options_with_parts(headrace: Headrace, tmp_path: Path) -> None:
    """What has parts of its own is asked for as JSON, hidden since passwords may be in it; what is no JSON is asked for once more. Who gives up leaves
    nothing behind."""
    types = sorted({row["type"] for row in found(headrace("storage", "types", "--json"))} - {"memory", "temporary", "server"})
    terminal = Terminal("storage", "create", home=tmp_path / "home", cwd=tmp_path)
    terminal.answer("Which one", str(types.index("file") + 1))
    terminal.answer("URL:", f"file://{tmp_path}/kept")
    first = "OPTIONS (optional), first part: its name; or @ and a file that has all as JSON:"
    terminal.answer(first, "{")
    terminal.answer(first, '{"auto_mkdir": true}')
    terminal.answer("NAME of the storage:", "parts")
    terminal.answer("Make it the default", "n")
    assert terminal.ended() == 0, terminal.shown
    assert "it is no JSON" in terminal.shown
    assert found(headrace("storage", "inspect", "parts", "--json"))["options"]["options"] == {"auto_mkdir": True}
    terminal = Terminal("storage", "create", home=tmp_path / "home", cwd=tmp_path)
    terminal.answer("Which one", str(types.index("file") + 1))
    terminal.answer("URL:", f"file://{tmp_path}/kept")
    terminal.answer(first, "auto_mkdir")
    terminal.answer("OPTIONS, auto_mkdir:", "true")
    terminal.answer("OPTIONS, another part: its name; or nothing:", "passphrase")
    terminal.answer("OPTIONS, passphrase:", "4711")
    terminal.answer("OPTIONS, another part: its name; or nothing:", "")
    terminal.answer("NAME of the storage:", "by-part")
    terminal.answer("Make it the default", "n")
    assert terminal.ended() == 0, terminal.shown
    assert "4711" not in terminal.shown
    assert found(headrace("storage", "inspect", "by-part", "--json"))["options"]["options"] == {"auto_mkdir": True, "passphrase": "***"}
    terminal = Terminal("storage", "create", home=tmp_path / "home", cwd=tmp_path)
    terminal.answer("Which one", str(types.index("local") + 1))
    terminal.answer("PATH:", "/proc/nobody/can")
    terminal.answer("Answer once more?", "n")
    assert terminal.ended() == 1
    assert [row["name"] for row in found(headrace("storage", "ls", "--json"))] == ["by-part", "parts"]


# Over a server


SPEC = """
name: there
flow_location: keeps.py
flow_storage: prod
"""


def test_a_secret_is_known_to_the_server_alone(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """Who deploys, and the agent that runs it elsewhere, know the storage by its name: code and results lie in the bucket, and the server tells who has got
    the secret. A wait for an agent that could not reach it is explained, and so is a storage that is gone."""
    (tmp_path / "elsewhere").mkdir()
    with headrace_server(tmp_path / "server") as url:
        mine = {"home": "mine", "HEADRACE_API_URL": url}
        theirs: dict[str, Any] = {"home": "theirs", "cwd": tmp_path / "elsewhere", "HEADRACE_API_URL": url}
        done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="served"), **mine))
        script(tmp_path, FLOW.replace("persist_result=True, log", 'persist_result=True, result_storage="prod", log'))
        (tmp_path / "spec.yaml").write_text(SPEC)
        done(headrace("deployment", "create", "spec.yaml", **mine))
        assert re.search(r"^storage +prod$", done(headrace("deployment", "inspect", "keeps/there", **mine)), re.MULTILINE)
        done(headrace("work-queue", "create", "q", **theirs))
        done(headrace("deployment", "run", "keeps/there", "--name", "one", **theirs))
        done(headrace("agent", "start", "q", "--run-once", **theirs))
        run = found(headrace("flow-run", "inspect", "one", "--json", **theirs))
        assert run["state"] == "Completed"
        served = [key for key in objects(bucket) if key.startswith("served/")]
        assert len([key for key in served if "/code/" in key]) == 1
        assert len([key for key in served if f"/results/{run['id']}/" in key]) == 2
        with sqlite3.connect(tmp_path / "server" / "headrace.db") as database:
            opened = [json.loads(row[0]) for row in database.execute("SELECT value FROM events WHERE kind = 'storage.opened'")]
        assert {event["details"]["name"] for event in opened} == {"prod"}
        assert any(event["details"]["user"].startswith(f"flow run {run['id']}, who says: ") for event in opened)
        homes = [path.read_bytes() for home in ("mine", "theirs", "server") for path in (tmp_path / home).rglob("*") if path.is_file()]
        assert homes
        assert not [content for content in homes if s3.SECRET.encode() in content]
        done(headrace("storage", "delete", "prod", "--force", **mine))
        done(headrace("deployment", "run", "keeps/there", "--name", "two", **theirs))
        assert "its code is in storage 'prod', and there is no storage of that name any more" in done(
            headrace("flow-run", "explain", "two", **theirs)
        )
        done(headrace("agent", "start", "q", "--run-once", **theirs))
        assert "no storage 'prod'" in done(headrace("flow-run", "explain", "two", **theirs))


def test_a_setting_names_a_storage(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """It comes before the default, for results and code of this machine; a name that no storage has is told by the doctor."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="setting")))
    shown = subprocess.run(
        [sys.executable, str(script(tmp_path))],
        env=environment(tmp_path / "home", HEADRACE_RESULT_STORAGE="prod"),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert shown.returncode == 0, shown.stderr
    assert len([key for key in objects(bucket) if key.startswith("setting/") and "/results/" in key]) == 2
    assert "storage 'prod' can be used from here" in done(headrace("storage", "check", HEADRACE_RESULT_STORAGE="prod"))
    assert "no storage 'nobody'" in headrace("doctor", HEADRACE_RESULT_STORAGE="nobody").stdout


LARGE = """
import gc
import resource
from headrace import flow

SIZE = 300_000_000


@flow(persist_result=True, result_storage="prod")
def large(size):
    return b"x" * size


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


import headrace

with headrace.open(runs_code=True) as house:
    assert house.results.read(large(1_000_000, return_state=True).reference) == b"x" * 1_000_000
    before = peak()
    reference = large(SIZE, return_state=True).reference
    assert reference.size > SIZE
    written = peak()
    gc.collect()  # the run that had it
    assert len(house.results.read(reference)) == SIZE
    assert max(written, peak()) - before < 1.6 * SIZE / 1_000_000, (before, written, peak())
"""


def test_a_large_result_takes_its_memory_once(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """300 MB are kept in a bucket and read back, and the process needs them once each time, and little more."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="large")))
    run_script(script(tmp_path, LARGE), tmp_path)


CACHED = """
from headrace import flow, task


@task(cache_key_fn=lambda context, parameters: "one", persist_result=True)
def kept():
    return "x" * 10_000


@flow(persist_result=True)
def takes():
    return kept()


takes()
"""


def test_what_another_run_has_taken_stays(headrace: Headrace, bucket: s3.S3Server, tmp_path: Path) -> None:
    """A cached result is not deleted with the run that kept it, as long as one that has taken it is remembered."""
    done(headrace("storage", "create", "s3", "--name", "prod", *s3_flags(bucket, prefix="cached"), "--default"))
    for _ in range(2):
        run_script(script(tmp_path, CACHED), tmp_path)
    taker, keeper = [run["id"] for run in found(headrace("flow-run", "ls", "--json"))]
    done(headrace("flow-run", "delete", keeper))
    read = "import headrace\nwith headrace.open() as house:\n"
    read += "    from headrace.model.filters import Page, TaskRunFilter\n"
    read += "    (run,) = house.client.read_task_runs(TaskRunFilter(), Page())\n    assert house.result(run.state) == 'x' * 10_000"
    run_script(script(tmp_path, read), tmp_path)
    assert [key for key in objects(bucket) if keeper in key]
    done(headrace("flow-run", "delete", taker))
    with sqlite3.connect(tmp_path / "home" / "headrace.db") as database:
        database.execute("UPDATE reserved SET at = ?", [(datetime.now(UTC) - timedelta(days=2)).isoformat()])
    done(headrace("storage", "gc"))
    assert not [key for key in objects(bucket) if keeper in key]

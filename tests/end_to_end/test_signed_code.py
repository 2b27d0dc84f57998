"""Agents that run only what somebody has signed whom they trust: nothing else is loaded, whatever is written in a deployment."""

import json
import os
import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
from servers.own import headrace_server

import headrace
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.deployments import Deployment, RunRequest, Signature
from headrace.model.filters import DeploymentFilter, Page
from headrace.model.orders import Order
from headrace.packaging.statements import digest_of, signed
from headrace.settings import load

COMMAND = str(Path(sysconfig.get_path("scripts"), "headrace"))
SECONDS = 60

FLOW = """
import os
from pathlib import Path

from headrace import flow

Path(os.environ["LOADED"]).write_text("VERSION")


@flow(log_prints=True)
def errand():
    print("this is VERSION")
"""

SPEC = """
name: plain
flow_location: errand.py
tags: [a]
"""


class House:
    """A home with a queue, an author who signs, and what has been loaded of a flow, which says so itself."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.loaded = folder / "loaded"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("HEADRACE_", "PYTHON"))}
        self.environment = {**kept, "HEADRACE_HOME": str(self.home), "LOADED": str(self.loaded)}

    def __call__(self, *arguments: str, code: int = 0, **variables: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [COMMAND, *arguments],
            env={**self.environment, **variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def deploy(self, *options: str, version: str = "one") -> None:
        (self.folder / "errand.py").write_text(FLOW.replace("VERSION", version))
        (self.folder / "specs.yaml").write_text(SPEC)
        self("deployment", "create", "specs.yaml", *options)
        self.loaded.unlink(missing_ok=True)  # it was imported to be verified

    def ended(self, *, requires: bool = True) -> dict[str, Any]:
        """A new run, when an agent has had it."""
        asked = json.loads(self("deployment", "run", "errand/plain", "--json").stdout)
        self("agent", "start", "q", "--run-once", *["--require-signature"] * requires)
        row: dict[str, Any] = json.loads(self("flow-run", "inspect", asked["id"], "--json").stdout)
        return row

    def refused(self) -> str:
        """Why a new run of it ended before anything of it was loaded, as its state and its explanation say."""
        row = self.ended()
        assert not self.loaded.exists()
        assert row["state_type"] == "FAILED"
        sentence: str = row["state_message"]
        assert sentence in self("flow-run", "explain", row["id"]).stdout
        assert sentence in self("flow-run", "logs", row["id"]).stdout
        assert "\n" not in sentence
        return sentence

    def open(self) -> Any:
        return headrace.open(load({"HEADRACE_HOME": str(self.home)}), lasting=True)

    def change(self, change: Callable[[Instance, Deployment], Deployment]) -> None:
        """What somebody does who may deploy, and has no key."""
        with self.open() as house:
            house.client.put_deployments((change(house, deployment(house)),))


def deployment(house: Instance) -> Deployment:
    """The one that there is."""
    (found,) = house.client.read_deployments(DeploymentFilter(), Page())
    return found


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    made("work-queue", "create", "q", "--tag", "a")
    made("keys", "create", "ann")
    made("keys", "trust", "ann")
    return made


def test_what_is_signed_runs(house: House) -> None:
    """Where somebody is trusted, what he signed runs; whose signature it is can be seen, and other agents do not mind."""
    house.deploy("--sign-with", "ann")
    assert house.ended()["state_type"] == "COMPLETED"
    assert house.loaded.read_text() == "one"
    fingerprint = json.loads(house("keys", "ls", "--json").stdout)[0]["fingerprint"]
    assert f"ann ({fingerprint})" in house("deployment", "inspect", "errand/plain").stdout
    assert json.loads(house("deployment", "inspect", "errand/plain", "--json").stdout)["code"]["signature"]["key"] == fingerprint
    assert house.ended(requires=False)["state_type"] == "COMPLETED"


def test_the_setting_signs_and_requires(house: House) -> None:
    """By settings it is the same as by options; `execute` requires a signature too, and makes no run without."""
    house.deploy()
    said = house("deployment", "execute", "errand/plain", code=1, HEADRACE_REQUIRE_SIGNATURE="true").stderr
    assert said.startswith("error: only signed code is run here, and deployment 'errand/plain' is not: nobody has signed it")
    assert not house.loaded.exists()
    assert json.loads(house("flow-run", "ls", "--json").stdout) == []
    house("config", "set", "sign_with=ann", "require_signature=true")
    house.deploy()
    house("deployment", "execute", "errand/plain")
    house.loaded.unlink()
    assert house.ended(requires=False)["state_type"] == "COMPLETED"
    assert house.loaded.exists()


def test_what_nobody_signed(house: House) -> None:
    """It is not loaded, though the same agent would run it signed, and another runs it as it is."""
    house.deploy()
    assert "deployment 'errand/plain' is not: nobody has signed it" in house.refused()
    assert house.ended(requires=False)["state_type"] == "COMPLETED"


def test_whom_nobody_trusts(house: House) -> None:
    """A key that is not trusted here signs for nothing, and neither does one that is not trusted any more."""
    house("keys", "create", "eve")
    house.deploy("--sign-with", "eve")
    assert re.search(r"is not: key [0-9a-f]{32} is not trusted here", house.refused())
    house.deploy("--sign-with", "ann")
    house("keys", "trust", "bob", house("keys", "show", "eve").stdout.strip())
    house("keys", "distrust", "ann")
    assert "is not trusted here" in house.refused()


def test_what_was_changed_after_it_was_signed(house: House) -> None:
    """A signature that is of something else is none; what it is of, the tests of statements tell one by one."""
    house.deploy("--sign-with", "ann")
    house.change(lambda _, found: attrs.evolve(found, code=attrs.evolve(found.code, entrypoint="os:system")))
    assert "its signature by 'ann' is of something else" in house.refused()


def test_the_flow_runner_is_signed_too(house: House) -> None:
    """Variables can make a Python run anything before it runs the flow: with others than the signed ones, no process is started."""
    house.deploy("--sign-with", "ann")
    variables = {"PYTHONWARNINGS": "all:0:antigravity.x:0:0", "BROWSER": f"touch {house.loaded} #%s"}
    house.change(lambda _, found: attrs.evolve(found, flow_runner=Choice("universal", {"env": variables})))
    assert "its signature by 'ann' is of something else" in house.refused()
    assert house.ended(requires=False)["state_type"] == "COMPLETED"
    assert house.loaded.exists(), "an agent that requires no signature lets itself be told anything"


def test_a_run_with_another_flow_runner(house: House) -> None:
    """A run that was asked for before its deployment got the flow runner that is signed now is not started by the one it was asked for with."""
    house.deploy("--sign-with", "ann")
    house("deployment", "run", "errand/plain")

    def signed_anew(opened: Instance, found: Deployment) -> Deployment:
        return signed(attrs.evolve(found, flow_runner=Choice("universal", {"env": {"A": "b"}})), "ann", opened.registry)

    house.change(signed_anew)
    said = house("agent", "start", "q", "--run-once", "--require-signature").stderr
    assert "the run was asked for with another flow runner than the one that was signed" in said
    assert not house.loaded.exists()
    assert house.ended()["state_type"] == "COMPLETED"


def test_no_deployment_switches_it_off(house: House) -> None:
    """What a deployment says in the environment of its runs comes too late, and is not even said to anybody."""
    house("config", "set", "require_signature=true")
    house.deploy()
    variables = {
        "HEADRACE_REQUIRE_SIGNATURE": "false",
        "HEADRACE_PLUGINS_BLOCKED": "headrace-keys",
        "HEADRACE_KEYS_PATH": str(house.folder / "keys"),
        "HEADRACE_PROFILE": "other",
    }
    house.change(lambda _, found: attrs.evolve(found, flow_runner=Choice("universal", {"env": variables})))
    assert "nobody has signed it" in house.refused()


def test_a_rollback_is_signed_as_it_was(house: House) -> None:
    """An earlier version has its own signature, and runs; what is deployed again as it was keeps the one that it has."""
    house.deploy("--sign-with", "ann")
    said = house("deployment", "plan", "specs.yaml", code=0)
    assert said.stdout == "unchanged errand/plain\n"
    house.deploy(version="two")
    assert "nobody has signed it" in house.refused()
    house("deployment", "rollback", "errand/plain")
    assert house.ended()["state_type"] == "COMPLETED"
    assert house.loaded.read_text() == "one"
    history = house("deployment", "history", "errand/plain").stdout.splitlines()
    assert [re.split(r"\s{2,}", line)[3] for line in history[1:]] == ["code, signature by a key", "code, signature by a key", "created"]


def test_a_signature_that_is_lost_is_told(house: House) -> None:
    """Whoever deploys other code without a key hears that it is not signed any more."""
    house.deploy("--sign-with", "ann")
    (house.folder / "errand.py").write_text(FLOW.replace("VERSION", "two"))
    said = house("deployment", "create", "specs.yaml")
    assert "updated   errand/plain (code: errand.py, signature by a key)" in said.stdout
    assert "errand/plain was signed, and is not any more; sign it with: --sign-with NAME" in said.stderr


def test_a_tampered_archive(house: House) -> None:
    """Bytes in the storage that the signed address is not of are not loaded, on a machine that has none of it yet."""
    house.deploy("--sign-with", "ann")
    with house.open() as opened:
        signed_one = deployment(opened).code.archive
    house.deploy(version="two")
    with house.open() as opened:
        other = deployment(opened).code.archive
        assert signed_one is not None
        assert other is not None
        with opened.code_storage(None) as storage:
            with storage.open(other.key) as file:
                content = file.read()
            storage.delete(signed_one.key)
            storage.write(signed_one.key, [content])
    house("deployment", "rollback", "errand/plain")
    row = house.ended()
    assert row["state_type"] == "FAILED"
    assert "its manifest is another than its address says" in row["state_message"]
    assert not house.loaded.exists()


# The process of a run


def ordered(house: House, statement: Callable[[Instance], str | None], **variables: str) -> dict[str, Any]:
    """A run whose process was started with an order, after its deployment was changed as a test did; the run then."""
    with house.open() as opened:
        found = deployment(opened)
        request = RunRequest(id=opened.ids.new(), deployment_id=found.id, name="it", holder=opened.ids.new())
        run = opened.client.request_run(request)
        order = Order(run_id=run.id, run_name=run.name, epoch=run.epoch, statement=statement(opened))
    environment = {**house.environment, **variables, **order.variables}
    subprocess.run([sys.executable, "-m", "headrace.engine"], env=environment, cwd=house.home, timeout=SECONDS, check=False)
    row: dict[str, Any] = json.loads(house("flow-run", "inspect", run.id, "--json").stdout)
    return row


def test_what_was_checked_is_what_is_loaded(house: House) -> None:
    """Though a deployment was changed between the check and the start of its run, what was checked is loaded, and never the other."""
    house.deploy("--sign-with", "ann")
    with house.open() as opened:
        checked = digest_of(deployment(opened))
    house.deploy(version="two")
    assert ordered(house, lambda _: checked)["state_type"] == "COMPLETED"
    assert house.loaded.read_text() == "one"


def test_what_was_never_checked(house: House) -> None:
    """A process that finds no version which says what was checked loads nothing."""
    house.deploy("--sign-with", "ann")
    row = ordered(house, lambda _: "0" * 64)
    assert row["state_type"] == "FAILED"
    assert "it has been changed since its signature was checked" in row["state_message"]
    assert not house.loaded.exists()


def test_an_order_that_says_nothing(house: House) -> None:
    """Where the settings of the run's process require a signature, it checks that itself, whoever started it."""
    house.deploy()
    row = ordered(house, lambda _: None, HEADRACE_REQUIRE_SIGNATURE="true")
    assert "nobody has signed it" in row["state_message"]
    assert not house.loaded.exists()
    house.deploy("--sign-with", "ann")
    assert ordered(house, lambda _: None, HEADRACE_REQUIRE_SIGNATURE="true")["state_type"] == "COMPLETED"


# Agents that can check nothing


def test_an_agent_that_trusts_nobody(house: House) -> None:
    """It does not begin, since it could only refuse; neither does one without the plugin, nor one whose keys others may write."""
    house("keys", "distrust", "ann")
    said = house("agent", "start", "q", "--run-once", "--require-signature", code=1).stderr
    assert said.startswith(f"error: no signature counts for anything here: no key is trusted in {house.home / 'keys'}")
    blocked = house("agent", "start", "q", "--run-once", "--require-signature", code=1, HEADRACE_PLUGINS_BLOCKED="headrace-keys").stderr
    assert blocked.startswith("error: no signature counts for anything here: no plugin that is installed knows signatures")
    (house.home / "keys" / "trusted.json").chmod(0o666)
    said = house("agent", "start", "q", "--run-once", code=1, HEADRACE_REQUIRE_SIGNATURE="yes").stderr
    assert "other users may read it (mode 0666)" in said


def test_a_key_that_is_not_there(house: House) -> None:
    """Nothing is deployed by who cannot sign it."""
    (house.folder / "errand.py").write_text(FLOW)
    (house.folder / "specs.yaml").write_text(SPEC)
    said = house("deployment", "create", "specs.yaml", "--sign-with", "joe", code=1).stderr
    assert said.startswith("error: nothing can be signed by key 'joe': no signing key 'joe'")
    assert json.loads(house("deployment", "ls", "--json").stdout) == []


# Three machines


def test_by_way_of_a_server(tmp_path: Path) -> None:
    """Who signs has the private half, the agent has the public half alone, the server has neither; what goes over the wire is believed as it was signed."""
    for name in ("author", "agent"):
        (tmp_path / name).mkdir()
    author, agent = House(tmp_path / "author"), House(tmp_path / "agent")
    with headrace_server(tmp_path / "server") as url:
        for each in (author, agent):
            each.environment["HEADRACE_API_URL"] = url
        public = author("keys", "create", "ann").stdout.strip()
        (tmp_path / "ann.txt").write_text(f"{public}\n")
        agent("keys", "trust", "ann", "--file", str(tmp_path / "ann.txt"))
        agent("work-queue", "create", "q", "--tag", "a")
        author.deploy("--sign-with", "ann")
        assert agent.ended()["state_type"] == "COMPLETED"
        assert agent.loaded.read_text() == "one"
        agent.loaded.unlink()
        author.deploy(version="two")
        assert "nobody has signed it" in agent.refused()
    assert not (tmp_path / "server" / "keys").exists()
    assert [path.name for path in (tmp_path / "agent" / "home" / "keys").iterdir()] == ["keys.lock", "trusted.json"]


def test_deployments_of_before(house: House) -> None:
    """A deployment that was kept before there were signatures is read, as one that nobody has signed."""
    from headrace.model.deployments import Code
    from headrace.wire.plain import from_plain

    old = from_plain(Code, {"entrypoint": "a:b", "archive": None, "serializer": None})
    assert old.signature is None
    assert from_plain(Code, {"entrypoint": "a:b", "signature": {"key": "k", "text": "t"}}).signature == Signature(key="k", text="t")

"""Code and results of a deployment lie on a file server; who deploys, who runs and who reads share nothing but the API and that."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from servers.files import PASSWORD, USER, FileServer, file_server
from servers.own import COMMAND, environment, headrace_server

SECONDS = 120

FLOW = """
from errands import greeting
from headrace import flow


@flow(log_prints=True, persist_result=True)
def errand(name):
    print(greeting(name))
    return [greeting(name)] * 1000
"""

ERRANDS = """
def greeting(name):
    return f"Hello {name}!"
"""

SPEC = """
name: far
flow_location: project/errand.py
project_root: project
parameters: {name: Leo}
flow_storage: STORAGE
"""

READ = "import headrace, sys\nwith headrace.open() as house: print(house.result(house.client.read_flow_run(sys.argv[1]).state)[-1])"


class Machine:
    """A home and a folder of its own, and what a command says there; it must succeed."""

    def __init__(self, folder: Path, **variables: str) -> None:
        folder.mkdir(exist_ok=True)
        self._folder = folder
        self._environment = environment(folder / "home", **variables)

    def __call__(self, *arguments: str, program: tuple[str, ...] = (COMMAND,)) -> str:
        found = subprocess.run(
            [*program, *arguments],
            env=self._environment,
            cwd=self._folder,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        assert found.returncode == 0, found.stdout
        return found.stdout


def options_of(files: FileServer) -> dict[str, str]:
    """What its protocol wants; the password is in the environment, as KEY."""
    known = {"known_host": files.host_key} if files.protocol == "sftp" else {}
    return {"username": USER, "password": "secret://env/KEY", **known}


@pytest.mark.parametrize("protocol", ["sftp", "ftp", "webdav"])
def test_code_and_results_go_by_way_of_a_file_server(protocol: str, tmp_path: Path) -> None:
    """It is deployed with the files beside it on one machine, run on another and its result read on a third; the password is shown to nobody."""
    (tmp_path / "mine" / "project").mkdir(parents=True)
    (tmp_path / "mine" / "project" / "errand.py").write_text(FLOW)
    (tmp_path / "mine" / "project" / "errands.py").write_text(ERRANDS)
    with file_server(protocol, tmp_path / "files") as files, headrace_server(tmp_path / "server") as url:
        variables = {"HEADRACE_API_URL": url, "KEY": PASSWORD}
        mine, theirs, others = (Machine(tmp_path / name, **variables) for name in ("mine", "theirs", "others"))
        options, address = options_of(files), f"{protocol}://127.0.0.1:{files.port}/team"
        storage = {"type": "file", "url": f"{address}/code", "options": options}
        (tmp_path / "mine" / "spec.yaml").write_text(SPEC.replace("STORAGE", json.dumps(storage)))
        shown = mine(
            "storage", "create", "file", "--name", "results", "--url", f"{address}/kept", "--options", json.dumps(options), "--default"
        )
        shown += mine("deployment", "create", "spec.yaml")
        assert "created   errand/far" in shown
        assert "unchanged errand/far" in mine("deployment", "create", "spec.yaml")
        (tmp_path / "mine" / "project").rename(tmp_path / "gone")
        theirs("work-queue", "create", "q")
        theirs("deployment", "run", "errand/far", "--name", "first")
        shown += theirs("agent", "start", "q", "--run-once")
        shown += theirs("flow-run", "logs", "first")
        shown += theirs("deployment", "inspect", "errand/far", "--json")
        assert "Hello Leo!" in shown
        run = json.loads(theirs("flow-run", "inspect", "first", "--json"))
        assert run["state"] == "Completed"
        assert others("-c", READ, run["id"], program=(sys.executable,)) == "Hello Leo!\n"
        assert PASSWORD not in shown
        assert {path.name for path in (files.folder / "team").iterdir()} == {"code", "kept"}

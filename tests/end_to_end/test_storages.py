"""A deployment's code lies in a bucket, or in a KV server; an agent that shares nothing with who deployed but the API and that runs it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import azure, gcs, kv, s3
from servers.own import COMMAND, environment, headrace_server

SECONDS = 120
SECRET = {"s3": s3.SECRET, "gcs": "", "azure": azure.KEY, "kv": kv.TOKEN}

FLOW = """
from errands import greeting
from headrace import flow


@flow(log_prints=True)
def errand(name):
    print(greeting(name))
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


@contextmanager
def bucket(kind: str, folder: Path) -> Iterator[dict[str, Any]]:
    """A bucket of a kind, as the storage of a spec says it; its key is in the environment, as KEY."""
    if kind == "s3":
        with s3.rclone_s3(folder) as server:
            key = {"aws_access_key_id": s3.KEY, "aws_secret_access_key": "secret://env/KEY"}
            yield {"type": "s3", "bucket": s3.BUCKET, "prefix": "code", "endpoint_url": server.url, **key}
    elif kind == "gcs":
        with gcs.fake_gcs(folder) as found:
            yield {"type": "gcs", "bucket": gcs.BUCKET, "prefix": "code", "endpoint_url": found.url}
    elif kind == "kv":
        with kv.kv_server(folder, "--token", "secret://env/TOKEN") as kept:
            yield {"type": "kv", "api_address": kept.url, "prefix": "code", "token": "secret://env/KEY"}
    else:
        if azure.azurite_binary() is None:
            pytest.skip("azurite-blob is not installed")
        with azure.azurite(folder) as blobs:
            account = {"account_name": azure.ACCOUNT, "account_key": "secret://env/KEY", "endpoint_url": blobs.url}
            yield {"type": "azure", "container": azure.CONTAINER, "prefix": "code", **account}


def said(*arguments: str, home: Path, folder: Path, **variables: str) -> str:
    """What a command printed, on both streams; it must succeed."""
    found = subprocess.run(
        [COMMAND, *arguments],
        env=environment(home, **variables),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stdout
    return found.stdout


@pytest.mark.parametrize("kind", ["s3", "gcs", "azure", "kv"])
def test_code_goes_by_way_of_a_storage(kind: str, tmp_path: Path) -> None:
    """It is deployed with the files beside it from one home and run in another; deployed again, nothing is written; the key is shown to nobody."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "errand.py").write_text(FLOW)
    (tmp_path / "project" / "errands.py").write_text(ERRANDS)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with bucket(kind, tmp_path / "bucket") as storage, headrace_server(tmp_path / "server") as url:
        (tmp_path / "spec.yaml").write_text(SPEC.replace("STORAGE", json.dumps(storage)))
        key = {"HEADRACE_API_URL": url, "KEY": SECRET[kind]}
        mine: dict[str, Any] = {"home": tmp_path / "mine", "folder": tmp_path, **key}
        theirs: dict[str, Any] = {"home": tmp_path / "theirs", "folder": elsewhere, **key}
        shown = said("deployment", "create", "spec.yaml", **mine)
        assert "created   errand/far" in shown
        assert "unchanged errand/far" in said("deployment", "create", "spec.yaml", **mine)
        (tmp_path / "project").rename(tmp_path / "gone")
        said("work-queue", "create", "q", **theirs)
        said("deployment", "run", "errand/far", "--name", "first", **theirs)
        shown += said("agent", "start", "q", "--run-once", **theirs)
        shown += said("flow-run", "logs", "first", **theirs)
        shown += said("deployment", "inspect", "errand/far", "--json", **theirs)
        assert "Hello Leo!" in shown
        assert json.loads(said("flow-run", "inspect", "first", "--json", **theirs))["state"] == "Completed"
        assert not SECRET[kind] or SECRET[kind] not in shown


def test_a_storage_that_cannot_be_reached_says_so(tmp_path: Path) -> None:
    """Who deploys is told what is wrong before anything is written; nothing is deployed."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "errand.py").write_text(FLOW)
    (tmp_path / "project" / "errands.py").write_text(ERRANDS)
    here: dict[str, Any] = {"cwd": tmp_path, "text": True, "capture_output": True, "timeout": SECONDS}
    with bucket("s3", tmp_path / "bucket") as storage:
        for changes, why in (
            ({"bucket": "absent"}, "there is no bucket 'absent'; make it, or correct its name"),
            ({"aws_access_key_id": "AKIAUNKNOWN"}, "the key is refused"),
            ({"aws_secret_access_key": s3.SECRET}, "'aws_secret_access_key' of storage 's3' is a secret, and would be seen by all who see"),
            ({"aws_secret_access_key": "secret://env/ABSENT"}, "the environment variable ABSENT is not set here"),
        ):
            (tmp_path / "spec.yaml").write_text(SPEC.replace("STORAGE", json.dumps(storage | changes)))
            variables = environment(tmp_path / "home", KEY=s3.SECRET)
            found = subprocess.run([COMMAND, "deployment", "create", "spec.yaml"], env=variables, check=False, **here)
            assert found.returncode == 1
            assert why in found.stderr
            assert s3.SECRET not in found.stderr
            assert "Traceback" not in found.stderr
            listed = subprocess.run([COMMAND, "deployment", "ls", "--json"], env=variables, check=False, **here)
            assert json.loads(listed.stdout) == []

"""What `headrace kubernetes manifest` prints is YAML that fits the schemas of Kubernetes, and is safe to apply."""

import re
import subprocess
import sys
from typing import Any

import pytest
import yaml
from servers.manifests import check

COMMAND = (sys.executable, "-c", "from headrace.cli.main import main; main()")


def printed(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([*COMMAND, "kubernetes", "manifest", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done


def objects(*arguments: str) -> dict[str, Any]:
    """What was printed, by kind; all of it fits."""
    found = list(yaml.safe_load_all(printed(*arguments).stdout))
    for each in found:
        check(each)
    assert {each["metadata"]["namespace"] for each in found} == {"team"}
    return {each["kind"]: each for each in found}


SERVER = ("server", "--image", "flows:1", "--namespace", "team")
AGENT = ("agent", "nightly", "reports", "--image", "flows:1", "--namespace", "team")


def containers(deployment: Any) -> list[Any]:
    pod = deployment["spec"]["template"]["spec"]
    return [*pod.get("initContainers", []), *pod["containers"]]


def test_a_server() -> None:
    """It has its store on a volume, an address, and first tokens, which its store is told of before it serves."""
    found = objects(*SERVER, "--storage", "20Gi", "--storage-class", "fast", "--image-pull-policy", "Always")
    assert set(found) == {"Secret", "PersistentVolumeClaim", "Deployment", "Service"}
    claim = found["PersistentVolumeClaim"]["spec"]
    assert (claim["resources"]["requests"]["storage"], claim["storageClassName"]) == ("20Gi", "fast")
    assert found["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    admin, agent, server = containers(found["Deployment"])
    assert server["command"] == ["headrace", "server", "start", "--host", "0.0.0.0", "--port", "4200"]
    assert [each["command"][-4:] for each in (admin, agent)] == [
        ["--scope", scope, "--known", "secret://env/TOKEN"] for scope in ("admin", "agent")
    ]
    tokens = found["Secret"]["stringData"]
    assert set(tokens) == {"admin", "agent"}
    assert all(re.fullmatch(r"hrt_[0-9a-f-]{36}_[\w-]{43}", token) for token in tokens.values())
    assert not any(token in yaml.dump(found["Deployment"]) for token in tokens.values())
    assert found["Service"]["spec"]["selector"].items() <= found["Deployment"]["spec"]["template"]["metadata"]["labels"].items()


def test_tokens_are_new_each_time() -> None:
    """Each call makes other tokens, and says that they are secret; with a Secret that is there already none is printed."""
    first, second = printed(*SERVER), printed(*SERVER)
    assert first.stdout != second.stdout
    assert "holds new tokens, in the Secret headrace-tokens" in first.stderr
    known = printed(*SERVER, "--existing-secret", "--secret", "mine")
    assert "hrt_" not in known.stdout + known.stderr
    assert "name: mine" in known.stdout


def test_an_agent() -> None:
    """It serves its queues as a service account with the rights that the flow runner needs, and no others."""
    found = objects(*AGENT)
    assert set(found) == {"ServiceAccount", "Role", "RoleBinding", "Deployment"}
    (container,) = containers(found["Deployment"])
    assert container["command"][:5] == ["headrace", "agent", "start", "nightly", "reports"]
    environment = {each["name"]: each for each in container["env"]}
    assert environment["HEADRACE_API_URL"]["value"] == "http://headrace-server.team:4200/api"
    assert environment["HEADRACE_API_TOKEN"]["valueFrom"] == {"secretKeyRef": {"name": "headrace-tokens", "key": "agent"}}
    assert found["Deployment"]["spec"]["template"]["spec"]["serviceAccountName"] == found["ServiceAccount"]["metadata"]["name"]
    (subject,) = found["RoleBinding"]["subjects"]
    assert (subject["name"], subject["namespace"], found["RoleBinding"]["roleRef"]["name"]) == ("headrace-agent", "team", "headrace-agent")
    assert {rule["resources"][0]: set(rule["verbs"]) for rule in found["Role"]["rules"]} == {
        "jobs": {"create", "get", "list", "watch", "delete"},
        "pods": {"get", "list", "watch", "delete"},
        "pods/log": {"get"},
        "secrets": {"create"},
        "events": {"list"},
    }


def test_an_agent_elsewhere() -> None:
    """Its name and its server can be others."""
    found = objects(*AGENT, "--name", "night-agent", "--api-url", "https://runs.example.org/api")
    assert {each["metadata"]["name"] for each in found.values()} == {"night-agent"}
    assert {"name": "HEADRACE_API_URL", "value": "https://runs.example.org/api"} in containers(found["Deployment"])[0]["env"]


@pytest.mark.parametrize("arguments", [SERVER, AGENT], ids=["server", "agent"])
def test_nobody_in_particular(arguments: tuple[str, ...]) -> None:
    """Containers run without root, without rights that they could gain, and write to nothing but their home and /tmp."""
    deployment = objects(*arguments)["Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["enableServiceLinks"] is False
    for container in containers(deployment):
        security = container["securityContext"]
        assert (security["allowPrivilegeEscalation"], security["readOnlyRootFilesystem"], security["capabilities"]) == (
            False,
            True,
            {"drop": ["ALL"]},
        )
        assert {each["mountPath"] for each in container["volumeMounts"]} == {"/var/lib/headrace", "/tmp"}


def test_what_is_missing() -> None:
    """An image must be named, and an agent's queues."""
    assert "--image" in printed("server", code=2).stderr
    assert "QUEUE" in printed("agent", "--image", "flows:1", code=2).stderr

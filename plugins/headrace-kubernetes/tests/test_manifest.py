"""What is made for an order fits the schemas of Kubernetes, says what the options say, and keeps what headrace cannot do without."""

import json
from typing import Any

import attrs
import kubernetes_validate
import pytest
from servers.manifests import ORDER, check, made

from headrace.errors import InvalidOption
from headrace.model.orders import VARIABLE
from headrace_kubernetes.manifest import HOME, main_container, secret_of, variables_of

NAME = "headrace-0193a1b2-0000-7000-8000-000000000001-2"


def pod(job: Any) -> Any:
    return job["spec"]["template"]["spec"]


def test_the_schemas_refuse() -> None:
    """A manifest with what Kubernetes does not know fails the check by which all others pass."""
    job = made()
    pod(job)["containers"][0]["imagePolicy"] = "Always"
    with pytest.raises(kubernetes_validate.ValidationError):
        check(job)


def test_the_plainest_job() -> None:
    """It runs the engine once in the image, and nothing but its name and its labels is said of the order."""
    job = made()
    assert job["metadata"]["name"] == NAME
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["ttlSecondsAfterFinished"] == 3600
    assert pod(job)["restartPolicy"] == "Never"
    assert pod(job)["automountServiceAccountToken"] is False
    assert pod(job)["enableServiceLinks"] is False
    (container,) = pod(job)["containers"]
    assert (container["name"], container["image"], container["command"]) == ("run", "flows:1", ["python3", "-m", "headrace.engine"])
    assert "imagePullPolicy" not in container


def test_labels_of_job_and_pod() -> None:
    """Job and pod are found by the same labels, those of the user among them."""
    job = made(labels={"team": "blue"})
    for part in (job, job["spec"]["template"]):
        assert part["metadata"]["labels"].items() >= {"team": "blue", "headrace/run": ORDER.run_id, "headrace/epoch": "2"}.items()
        assert part["metadata"]["annotations"]["headrace/identity"] == ORDER.identity


def test_secrets_are_no_part_of_the_job() -> None:
    """The order and its environment are in a Secret that the Job owns; the Job has nothing of it, and neither says where the agent's home is."""
    job = made()
    assert "sesame" not in json.dumps(job)
    assert "headrace.example:4200/api" not in json.dumps(job)
    secret = secret_of(ORDER, {**job, "metadata": {**job["metadata"], "uid": "7"}})
    check(secret)
    assert secret["metadata"]["name"] == NAME
    assert secret["metadata"]["ownerReferences"] == [{"apiVersion": "batch/v1", "kind": "Job", "name": NAME, "uid": "7"}]
    assert secret["stringData"] == {
        "HEADRACE_API_URL": "http://headrace.example:4200/api",
        "HEADRACE_API_TOKEN": "hrr_open_sesame",
        VARIABLE: ORDER.variables[VARIABLE],
    }
    assert secret["immutable"] is True


def test_where_variables_come_from() -> None:
    """The order's are under the Secrets that the flow runner names, under its own variables; nothing goes over the order itself."""
    container = pod(made(env={"COLOUR": "blue"}, secrets=["warehouse"]))["containers"][0]
    assert [each["secretRef"]["name"] for each in container["envFrom"]] == [NAME, "warehouse"]
    assert container["env"] == [
        {"name": VARIABLE, "valueFrom": {"secretKeyRef": {"name": NAME, "key": VARIABLE}}},
        {"name": "COLOUR", "value": "blue"},
        {"name": "HEADRACE_HOME", "value": HOME},
    ]


@pytest.mark.parametrize(("value", "written"), [("$(HOME)", "$$(HOME)"), ("$$", "$$$$"), ("a$b", "a$$b"), ("plain", "plain")])
def test_values_are_what_they_are(value: str, written: str) -> None:
    """Kubernetes would replace $(NAME) and halve two dollars; it gets them so that the process sees what was given."""
    assert {"name": "PRICE", "value": written} in pod(made(env={"PRICE": value}))["containers"][0]["env"]


def test_a_variable_that_kubernetes_does_not_take() -> None:
    """A variable of the order that could not be one in a pod is refused, rather than left out without a word."""
    order = attrs.evolve(ORDER, environment={**ORDER.environment, "NOT A NAME": "x"})
    with pytest.raises(InvalidOption, match="Kubernetes does not take 'NOT A NAME' as a variable"):
        variables_of(order)


def test_the_home_is_an_empty_folder() -> None:
    """The run has a home of its own that any user may write to, unless its flow runner says where it is."""
    job = made()
    assert pod(job)["volumes"] == [{"name": "headrace-home", "emptyDir": {}}]
    assert pod(job)["containers"][0]["volumeMounts"] == [{"name": "headrace-home", "mountPath": HOME}]
    assert "volumes" not in pod(made(env={"HEADRACE_HOME": "/data"}))


def test_every_option() -> None:
    """Each option stands where Kubernetes has it."""
    job = made(
        service_account="flows",
        image_pull_policy="Never",
        command="python3.12 -m headrace.engine",
        cpu="500m",
        memory="512Mi",
        ttl=60,
        active_deadline=120,
    )
    container = pod(job)["containers"][0]
    assert (pod(job)["serviceAccountName"], pod(job)["automountServiceAccountToken"]) == ("flows", True)
    assert (container["imagePullPolicy"], container["command"]) == ("Never", ["python3.12", "-m", "headrace.engine"])
    assert container["resources"] == {"requests": {"cpu": "500m", "memory": "512Mi"}, "limits": {"cpu": "500m", "memory": "512Mi"}}
    assert (job["spec"]["ttlSecondsAfterFinished"], job["spec"]["activeDeadlineSeconds"]) == (60, 120)


JOB: dict[str, Any] = {
    "apiVersion": "batch/v1",
    "kind": "Job",
    "metadata": {"name": "mine", "namespace": "mine", "labels": {"team": "blue"}, "annotations": {"cost": "7"}},
    "spec": {
        "backoffLimit": 6,
        "parallelism": 3,
        "template": {
            "metadata": {"labels": {"tier": "batch"}},
            "spec": {
                "restartPolicy": "OnFailure",
                "containers": [
                    {"name": "proxy", "image": "proxy:1"},
                    {
                        "name": "run",
                        "image": "mine:1",
                        "command": ["mine"],
                        "env": [{"name": "A", "value": "1"}],
                        "resources": {"limits": {"cpu": "2"}},
                    },
                ],
                "nodeSelector": {"disk": "ssd"},
            },
        },
    },
}


def test_a_job_of_ones_own() -> None:
    """What a manifest says stays, but for what an option says, and for what headrace cannot do without."""
    job = made(image=None, job=JOB, memory="1Gi", env={"B": "2"})
    container = main_container(pod(job))
    assert (container["image"], container["command"], container["resources"]["limits"]) == (
        "mine:1",
        ["mine"],
        {"cpu": "2", "memory": "1Gi"},
    )
    assert {"name": "A", "value": "1"} in container["env"]
    assert {"name": "B", "value": "2"} in container["env"]
    assert pod(job)["nodeSelector"] == {"disk": "ssd"}
    assert pod(job)["containers"][0] == {"name": "proxy", "image": "proxy:1"}
    assert job["spec"]["template"]["metadata"]["labels"].items() >= {"tier": "batch", "headrace/run": ORDER.run_id}.items()
    assert job["metadata"]["annotations"]["cost"] == "7"
    assert (job["metadata"]["name"], job["spec"]["backoffLimit"], pod(job)["restartPolicy"]) == (NAME, 0, "Never")
    assert "parallelism" not in job["spec"]
    assert "namespace" not in job["metadata"]
    assert JOB["spec"]["backoffLimit"] == 6, "what the user wrote was changed"


def test_patches_go_over_options() -> None:
    """Customizations of both kinds have the last word but one."""
    merge = {"spec": {"ttlSecondsAfterFinished": None, "template": {"spec": {"hostNetwork": True}}}}
    operation = {"op": "add", "path": "/spec/template/spec/containers/0/args", "value": ["-v"]}
    job = made(ttl=60, customizations=[merge, operation])
    assert "ttlSecondsAfterFinished" not in job["spec"]
    assert (pod(job)["hostNetwork"], pod(job)["containers"][0]["args"]) == (True, ["-v"])


@pytest.mark.parametrize(
    "customization",
    [
        {"spec": {"backoffLimit": 4, "completions": 2, "suspend": True}},
        {"spec": {"template": {"spec": {"restartPolicy": "Always"}}}},
        {"metadata": {"name": "other", "labels": {"headrace/run": "other"}, "annotations": None}},
        {"spec": {"template": {"metadata": None}}},
        {"op": "remove", "path": "/spec/template/spec/containers/0/envFrom"},
        {"op": "replace", "path": "/spec/template/spec/containers/0/env", "value": [{"name": VARIABLE, "value": "{}"}]},
    ],
)
def test_what_no_patch_changes(customization: Any) -> None:
    """However it is patched, it is found, tried once, and told which run it is for by the Secret alone."""
    job = made(customizations=[customization])
    assert (job["metadata"]["name"], job["spec"]["backoffLimit"], pod(job)["restartPolicy"]) == (NAME, 0, "Never")
    assert {"completions", "parallelism", "suspend"} & job["spec"].keys() == set()
    for part in (job, job["spec"]["template"]):
        assert part["metadata"]["labels"]["headrace/run"] == ORDER.run_id
        assert part["metadata"]["annotations"]["headrace/identity"] == ORDER.identity
    container = pod(job)["containers"][0]
    assert [each for each in container["env"] if each["name"] == VARIABLE] == [
        {"name": VARIABLE, "valueFrom": {"secretKeyRef": {"name": NAME, "key": VARIABLE}}}
    ]
    assert container["envFrom"][0] == {"secretRef": {"name": NAME}}


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"image": None}, "image=None cannot be used: name the image"),
        ({"image": None, "job": {"spec": {"template": {"spec": {"containers": [{"name": "x"}]}}}}}, "name the image"),
        ({"customizations": [{"op": "remove", "path": "/spec/template"}]}, "they leave no container that could be started"),
        ({"customizations": [{"spec": {"template": {"spec": {"containers": None}}}}]}, "name the image"),
        ({"customizations": [{"spec": {"template": {"spec": {"containers": "x"}}}}]}, "they leave no container that could be started"),
        ({"customizations": [{"op": "add", "path": "/spec/nowhere/x", "value": 1}]}, "it cannot be done to the job as it is then"),
    ],
)
def test_jobs_that_cannot_be(options: Any, why: str) -> None:
    """What could not be started is refused before anything is asked of a cluster."""
    with pytest.raises(InvalidOption) as refusal:
        made(**options)
    assert why in str(refusal.value)


@pytest.mark.parametrize(("seconds", "grace"), [(None, 30), ("5", 30), ("60", 70), ("0.5", 30)])
def test_a_node_that_is_drained_gives_grace(seconds: str | None, grace: int) -> None:
    """A pod that the cluster ends has time for the grace of its run, and some beyond."""
    assert pod(made(env={"HEADRACE_GRACE_SECONDS": seconds} if seconds else {}))["terminationGracePeriodSeconds"] == grace

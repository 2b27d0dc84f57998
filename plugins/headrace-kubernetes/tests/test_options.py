"""Options are checked when a flow runner is made, and the error says which and why."""

from typing import Any

import pytest

from headrace.errors import InvalidOption
from headrace_kubernetes.flow_runner import KubernetesFlowRunner


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"image": ""}, "image='' cannot be used: it must be text, and not empty"),
        ({"namespace": "Team"}, "namespace='Team' cannot be used: it must be up to 63 lower-case letters"),
        ({"namespace": "x" * 64}, "it must be up to 63 lower-case letters"),
        ({"service_account": "a_b"}, "service_account='a_b' cannot be used: it must be a name in Kubernetes"),
        ({"labels": {"a": 1}}, "labels={'a': 1} cannot be used: it must be names with values, all of them text"),
        ({"labels": {"a b": "c"}}, "'a b' is no name of a label"),
        ({"labels": {"A.example/x/y": "c"}}, "is no name of a label"),
        ({"labels": {"a": "b c"}}, "'b c' is no value of a label"),
        ({"labels": {"headrace/run": "mine"}}, "headrace/run is one of the labels by which runs are known"),
        ({"env": {"A": 1}}, "env={'A': 1} cannot be used: it must be names with values, all of them text"),
        ({"env": {"1A": "x"}}, "Kubernetes does not take '1A' as a variable"),
        ({"env": {"HEADRACE_ORDER": "{}"}}, "HEADRACE_ORDER"),
        ({"secrets": "warehouse"}, "secrets='warehouse' cannot be used: it must be a list of names in Kubernetes"),
        ({"secrets": ["A"]}, "it must be a list of names in Kubernetes"),
        ({"image_pull_policy": "always"}, "image_pull_policy='always' cannot be used: it must be one of Always, IfNotPresent, Never"),
        ({"command": ""}, "it must be what the container runs"),
        ({"command": "python '"}, "it must be what the container runs"),
        ({"cpu": 1}, "cpu=1 cannot be used: it must be a quantity"),
        ({"cpu": "0"}, "cpu='0' cannot be used: it must be a quantity"),
        ({"memory": "512MB"}, "memory='512MB' cannot be used: it must be a quantity"),
        ({"ttl": -1}, "ttl=-1 cannot be used: it must be a whole number of seconds"),
        ({"ttl": True}, "it must be a whole number of seconds"),
        ({"active_deadline": 0}, "active_deadline=0 cannot be used: it must be one second at least"),
        ({"start_timeout": 1.5}, "start_timeout=1.5 cannot be used: it must be a whole number of seconds"),
        ({"job": []}, "it must be a mapping: a Job of Kubernetes"),
        ({"job": {"kind": "Pod"}}, "it is a Pod of batch/v1, and must be a Job of batch/v1"),
        ({"job": {"spec": 1}}, "its spec must be a mapping"),
        ({"job": {"spec": {"template": {"spec": []}}}}, "its spec.template.spec must be a mapping"),
        ({"job": {"spec": {"template": {"spec": {"containers": {}}}}}}, "its containers must be a list of mappings"),
        ({"customizations": {"spec": {}}}, "it must be a list of patches"),
        ({"customizations": ["spec"]}, "each must be an operation of a JSON patch"),
        ({"customizations": [{"op": "put", "path": "/a"}]}, "op must be one of add, remove, replace, move, copy, test"),
        ({"customizations": [{"op": "add", "path": "a", "value": 1}]}, "an operation has a path, which begins with /"),
        ({"customizations": [{"op": "add", "path": "/a"}]}, "the operation add has a value"),
        ({"customizations": [{"op": "move", "path": "/a"}]}, "the operation move has a from"),
        ({"stream_output": "yes"}, "stream_output='yes' cannot be used: it must be true or false"),
        ({"kubeconfig": ""}, "kubeconfig='' cannot be used: it must be text, and not empty"),
    ],
)
def test_options_that_cannot_be(options: Any, why: str) -> None:
    """An option that cannot be used is refused at once."""
    with pytest.raises(InvalidOption) as refusal:
        KubernetesFlowRunner(**options)
    assert why in str(refusal.value)
    assert "ubernetes" in str(refusal.value).partition(":")[0]


@pytest.mark.parametrize(
    "options",
    [
        {"labels": {"example.org/team": "blue", "empty": ""}},
        {"cpu": "0.5", "memory": "1Gi"},
        {"cpu": "250m", "memory": "1.5G"},
        {"env": {"a.b-C_1": ""}},
        {"command": "python3 -X dev -m headrace.engine"},
        {"ttl": None, "active_deadline": None},
        {"service_account": "team.flows"},
    ],
)
def test_options_that_can_be(options: Any) -> None:
    """What Kubernetes takes is taken."""
    assert KubernetesFlowRunner(**options)


def test_it_runs_elsewhere() -> None:
    """No Python of this machine runs the code."""
    assert KubernetesFlowRunner(image="a").interpreter is None

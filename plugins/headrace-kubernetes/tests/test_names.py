"""Names and labels in a cluster: Kubernetes takes them, and each is one run's."""

import re

import pytest
from servers.manifests import ORDER

from headrace_kubernetes.names import label, labels_of, labels_of_identity, name_of, slug

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("_flow_run", "flow-run"),
        ("...flow_run", "flow-run"),
        ("._-flow_run", "flow-run"),
        ("9flow-run", "9flow-run"),
        ("-flow.run", "flow-run"),
        ("flow*run", "flow-run"),
        ("flow9.-foo_bar^x", "flow9-foo-bar-x"),
        ("Flow RUN", "flow-run"),
        ("Größe", "gr-e"),
        ("x" * 44 + "-y", "x" * 44),
        ("^*", "or-else"),
        ("", "or-else"),
    ],
)
def test_run_names(text: str, told: str) -> None:
    """The name of a run is told in lower case, with a hyphen for whatever Kubernetes does not take."""
    assert slug(text, or_else="or-else") == told
    assert NAME.fullmatch(told)


def test_plain_identities_are_legible() -> None:
    """The Job of a run is called as the run's id and the epoch are."""
    assert name_of(ORDER.identity) == "headrace-0193a1b2-0000-7000-8000-000000000001-2"
    assert name_of("run-1.1") == "headrace-run-1-1"


@pytest.mark.parametrize("run_id", ["Run", "run.1", "run_1", "-run", "run-", "x" * 300, "^", "ünï", "a/b", "run\n1"])
def test_any_identity_has_a_name(run_id: str) -> None:
    """Whatever the id of a run is, Kubernetes takes the name and the labels, and another run has others."""
    name = name_of(f"{run_id}.7")
    assert NAME.fullmatch(name)
    assert name == name_of(f"{run_id}.7")
    assert name != name_of(f"{run_id}.8")
    assert all(LABEL.fullmatch(value) for value in labels_of_identity(f"{run_id}.7").values())


def test_no_two_have_one_name() -> None:
    """Identities that look alike have names of their own."""
    alike = ["run-1.1", "run.1.1", "run_1.1", "Run-1.1", "run-1-1.1", "run.1", "run-11.1", "run-1.11", "RUN-1.1"]
    assert len({name_of(identity) for identity in alike}) == len(alike)


@pytest.mark.parametrize("address", ["", "http://headrace.example:4200/api", "https://" + "a" * 100 + ".example/api", "^"])
def test_orchestrations_are_told_apart(address: str) -> None:
    """The address of an orchestration is a label, or what stands for it is; a text that fits stays as it is."""
    assert LABEL.fullmatch(label(address))
    assert label("it-fits_1.2") == "it-fits_1.2"
    assert label(address) != label(address + "/other")


def test_labels() -> None:
    """A run is found by its id and epoch, by its orchestration, and by people by its name."""
    labels = labels_of(ORDER, "http://headrace.example:4200/api")
    assert {name: labels[name] for name in ("headrace/run", "headrace/epoch", "headrace/run-name", "app.kubernetes.io/managed-by")} == {
        "headrace/run": ORDER.run_id,
        "headrace/epoch": "2",
        "headrace/run-name": "certain-cormorant",
        "app.kubernetes.io/managed-by": "headrace",
    }
    assert labels["headrace/orchestration"].startswith("http-headrace-example-4200-api-")

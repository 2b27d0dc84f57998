"""Names and labels of what is made in a cluster for a run.

The name is made from the identity alone, so that whoever starts the same again makes the same name, which Kubernetes gives only once.
"""

import re
from hashlib import sha256

from headrace.model.orders import Order

RUN, EPOCH, RUN_NAME, ORCHESTRATION, MANAGED = (
    "headrace/run",
    "headrace/epoch",
    "headrace/run-name",
    "headrace/orchestration",
    "app.kubernetes.io/managed-by",
)
IDENTITY = "headrace/identity"
"""The annotation with the identity; a label could not hold every one."""

OWN = "headrace/"
"""How the labels begin by which runs are known."""

_LONGEST = 63
_LONGEST_NAME = 45
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def name_of(identity: str) -> str:
    """What the Job, and the Secret, of an identity is called: what can be read of it, and what makes it unique where that is not all."""
    run_id, _, epoch = identity.rpartition(".")
    plain = f"headrace-{run_id}-{epoch}"
    if len(plain) <= _LONGEST and _NAME.fullmatch(plain):
        return plain
    legible = slug(run_id, or_else="run")[:_LONGEST_NAME].rstrip("-")
    return f"headrace-{legible}-{_digest(identity)[:8]}"


def slug(text: str, *, or_else: str) -> str:
    """A text as a part of a name: lower case, and a hyphen for whatever else is between letters and digits."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:_LONGEST_NAME].rstrip("-") or or_else


def label(text: str) -> str:
    """A text as the value of a label: itself, or what stands for it."""
    if not text or (len(text) <= _LONGEST and _LABEL.fullmatch(text)):
        return text
    return f"{slug(text, or_else='x')}-{_digest(text)[:16]}"


def labels_of(order: Order, orchestration: str) -> dict[str, str]:
    """The labels of the Job and of the pod of an order."""
    return {
        **labels_of_all(orchestration),
        **labels_of_identity(order.identity),
        RUN_NAME: slug(order.run_name, or_else=slug(order.run_id, or_else="run")),
    }


def labels_of_all(orchestration: str) -> dict[str, str]:
    """What is the same for all runs of an orchestration; several may share a namespace."""
    return {MANAGED: "headrace", ORCHESTRATION: label(orchestration)}


def labels_of_identity(identity: str) -> dict[str, str]:
    """What only one has."""
    run_id, _, epoch = identity.rpartition(".")
    return {RUN: label(run_id), EPOCH: label(epoch)}


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()

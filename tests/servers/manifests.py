"""Objects of Kubernetes without a cluster: an order, its Job, and the schemas of Kubernetes itself that they must fit."""

from typing import Any

import kubernetes_validate

from headrace.model.orders import Order
from headrace_kubernetes.flow_runner import KubernetesFlowRunner
from headrace_kubernetes.manifest import job_of

VERSIONS = ("1.25", "1.30", "1.36")
"""Versions of Kubernetes whose schemas manifests must fit, strictly: nothing stands in them that it does not know."""

ORDER = Order(
    run_id="0193a1b2-0000-7000-8000-000000000001",
    run_name="certain-cormorant",
    epoch=2,
    environment={
        "HEADRACE_API_URL": "http://headrace.example:4200/api",
        "HEADRACE_API_TOKEN": "hrr_open_sesame",
        "HEADRACE_HOME": "/agent",
    },
)


def check(manifest: Any) -> None:
    """Holds an object against the schemas. Raises ValidationError."""
    for version in VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


def made(**options: Any) -> Any:
    """The Job for the order, which fits."""
    job = job_of(ORDER, KubernetesFlowRunner(**{"image": "flows:1", **options}), "http://headrace.example:4200/api")
    check(job)
    return job

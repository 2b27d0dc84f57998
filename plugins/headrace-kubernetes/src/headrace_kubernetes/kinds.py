"""The kinds of object that are asked for. They are plain mappings: what a newer Kubernetes, or a manifest, has in them stays in them."""

from lightkube.generic_resource import GenericNamespacedResource, create_api_info


class Job(GenericNamespacedResource):
    """Runs a pod once."""

    _api_info = create_api_info("batch", "v1", "Job", "jobs")


class Pod(GenericNamespacedResource):
    """Containers on one node."""

    _api_info = create_api_info("", "v1", "Pod", "pods")


class Secret(GenericNamespacedResource):
    """Values that are not for everybody."""

    _api_info = create_api_info("", "v1", "Secret", "secrets")


class Event(GenericNamespacedResource):
    """What the cluster has to say about another object."""

    _api_info = create_api_info("", "v1", "Event", "events")

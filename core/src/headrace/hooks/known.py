"""Which distribution would bring a provider that is not installed; only for advice in errors."""

KNOWN = {
    ("run store", "sqlite"): "headrace-sqlite",
    ("storage", "local"): "headrace-files",
    ("storage", "temporary"): "headrace-files",
    ("storage", "file"): "headrace-files",
    ("serializer", "pickle"): "headrace-pickle",
    ("storage", "s3"): "headrace-s3",
    ("storage", "gcs"): "headrace-gcs",
    ("storage", "azure"): "headrace-azure",
    ("storage", "kv"): "headrace-kv",
    ("flow runner", "subprocess"): "headrace-subprocess",
    ("flow runner", "docker"): "headrace-docker",
    ("flow runner", "kubernetes"): "headrace-kubernetes",
    ("schedule", "interval"): "headrace-schedules",
    ("schedule", "cron"): "headrace-schedules",
    ("schedule", "rrule"): "headrace-schedules",
    ("queue matcher", "tags"): "headrace-queues",
    ("queue matcher", "deployments"): "headrace-queues",
    ("queue matcher", "flow_runners"): "headrace-queues",
    ("task runner", "concurrent"): "headrace-tasks",
    ("task runner", "processes"): "headrace-tasks",
}

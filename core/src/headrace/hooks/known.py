"""Which distribution would bring a provider that is not installed; only for advice in errors."""

KNOWN = {
    ("run store", "sqlite"): "headrace-sqlite",
    ("storage", "local"): "headrace-files",
    ("storage", "temporary"): "headrace-files",
    ("storage", "file"): "headrace-files",
    ("serializer", "pickle"): "headrace-pickle",
    ("task runner", "concurrent"): "headrace-tasks",
    ("task runner", "processes"): "headrace-tasks",
}

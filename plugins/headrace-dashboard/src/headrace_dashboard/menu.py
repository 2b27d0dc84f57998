"""The menu: the pages that are reached from every other one."""

import attrs


@attrs.frozen
class Entry:
    """A page in the menu."""

    name: str
    path: str
    key: str
    icon: str


MENU = (
    Entry("Overview", "", "o", "overview"),
    Entry("Flow runs", "flow-runs", "r", "runs"),
    Entry("Flows", "flows", "f", "flows"),
    Entry("Deployments", "deployments", "d", "deployments"),
    Entry("Calendar", "calendar", "c", "calendar"),
    Entry("Work queues", "work-queues", "w", "queues"),
    Entry("Agents", "agents", "a", "agents"),
    Entry("Storage", "storages", "s", "storage"),
    Entry("Limits", "concurrency-limits", "l", "limits"),
    Entry("Plugins", "plugins", "p", "plugin"),
    Entry("Settings", "settings", "e", "settings"),
)

"""Storages that have a name in the orchestration, and what it knows of the keys in them."""

from datetime import datetime

import attrs

from headrace.model.choices import Choice

NAMED = "named"
"""The name in a choice that means a storage of the orchestration by its own name, which is the choice's one option."""

LOCAL, SERVER, MEMORY = "local", "server", "memory"
"""Types of storage that the orchestration has of its own."""

SEALED = "secret://sealed"
"""What is shown in place of a secret that is kept encrypted; given back, it means the same secret."""

LASTS_HOURS = 24
"""How long a key is left alone after it was reserved, whether anything names it or not: what it is for may be under way."""


@attrs.frozen(kw_only=True)
class NamedStorage:
    """A storage by its name. `choice` is its type and its options, the secrets among them as references; one may be the default.

    `revision` counts its changes. Moments are aware, in UTC.
    """

    id: str
    name: str
    choice: Choice
    is_default: bool = False
    revision: int = 0
    created: datetime
    updated: datetime


@attrs.frozen(kw_only=True)
class StoragePlace:
    """Where code and results go: a storage, and the folder in it that all keys of this orchestration lie in. `storage` None: there is no default."""

    storage: Choice | None
    folder: str

    def key(self, key: str) -> str:
        """A key of the orchestration's, as the storage has it."""
        return f"{self.folder}/{key}"


@attrs.frozen(kw_only=True)
class Reserved:
    """A key that was reserved in a storage before it was written; one that ends in / means all that begin so.

    `removing` is when somebody began to remove what lies there.
    """

    storage: Choice
    key: str
    at: datetime
    removing: datetime | None = None


def is_harmless(choice: Choice) -> bool:
    """Whether a choice may be opened by whoever finds it in data, as in a result's reference: by its name the orchestration knows it, and a folder of the
    orchestration, or of this machine, asks nobody and looks nothing up. Any other says whom to connect to and how, and so is believed from people only."""
    return choice.name in (NAMED, LOCAL, SERVER, MEMORY)


def named(name: str) -> Choice:
    """The choice that means a storage by its name."""
    return Choice(NAMED, {"name": name})


def name_in(choice: Choice) -> str | None:
    """The name that a choice means a storage by; None where it says everything itself."""
    return str(choice.options.get("name")) if choice.name == NAMED else None


def storage_name(choice: Choice) -> str:
    """What a storage is called where it is chosen: its name, else its type."""
    return name_in(choice) or choice.name

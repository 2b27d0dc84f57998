"""Places: what choices of storages mean here, and where code and results go."""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from headrace.errors import InvalidOption, MayPass
from headrace.hooks.registry import Registry
from headrace.hooks.secrets import written_secret
from headrace.model.choices import Choice
from headrace.model.storages import LOCAL, MEMORY, SERVER, StoragePlace, name_in, named
from headrace.ports.client import OpenClient
from headrace.ports.storage import Storage
from headrace.settings import HIDDEN, Settings
from headrace.wire.parameters import plain_parameters

HTTP = "http"

UNRESERVED = "unreserved"
"""The folder of results that the orchestration was not told of."""


@attrs.frozen(kw_only=True)
class Places:
    """The storages of an orchestration, as they are seen from this process. `client` gives the orchestration when it is asked for."""

    settings: Settings
    registry: Registry
    client: Callable[[], OpenClient]

    @property
    def own(self) -> Choice:
        """Where code and results go if nobody has said anything: where the orchestration is, or on this machine."""
        return own_storage(self.settings, self.registry)

    def usual(self) -> StoragePlace:
        """Where code and results go if nothing else is said here: what the settings name, else the default of the orchestration, else its own."""
        place = self.client().read_place()
        return attrs.evolve(place, storage=self.own if self.settings.result_storage else place.storage or self.own)

    def of_results(self, root_id: str, choice: Choice | None) -> StoragePlace:
        """Where results of a root run go, which the orchestration knows from then on. A folder of this machine takes them without its word, where that cannot
        be had just now. Raises NotFound, MayPass."""
        choice = choice or (self.own if self.settings.result_storage else self.usual().storage)
        assert choice is not None, "there is always one that is usual"
        try:
            return self.client().reserve_results(root_id, choice)
        except MayPass:
            if choice.name != LOCAL:
                raise
            return StoragePlace(storage=choice, folder=UNRESERVED)

    def storage(self, choice: Choice) -> Storage:
        """The storage that a choice means here. Secrets that its options refer to are looked up, and stand nowhere else. Raises NotFound, SecretUnresolved,
        ProviderUnusable, NotInstalled."""
        name = name_in(choice)
        if name is not None:
            choice = self.client().open_storage(name, _somebody())
        return storage_of(self.settings, self.registry, choice)


def chosen_storage(registry: Registry, wanted: Any, *, where: str) -> Choice:
    """The storage that code means: by its type or its name, or as a value of a class that is installed. Raises NotInstalled, InvalidOption."""
    if isinstance(wanted, str):
        return Choice(wanted) if registry.has("storage", wanted) else named(wanted)
    choice = wanted if isinstance(wanted, Choice) else registry.choice_of("storage", wanted)
    if name_in(choice) is not None:
        return choice
    option = written_secret(registry.load("storage", choice.name), choice.options)
    if option is not None:
        why = "a secret that is written out would be kept with every result; refer to it (secret://env/NAME), or give the storage a name"
        raise InvalidOption(where=where, option=f"{choice.name}.{option}", value=HIDDEN, why=why)
    return Choice(choice.name, plain_parameters(choice.options))


def client_choice(settings: Settings) -> Choice | None:
    """The client that is set, else one over HTTP where there is an address; None for an orchestration in this process."""
    if not (settings.client or settings.api_url):
        return None
    options: Mapping[str, Any] = {"url": settings.api_url, "token": settings.api_token} if settings.api_url else {}
    return Choice(settings.client or HTTP, options)


def own_storage(settings: Settings, registry: Registry) -> Choice:
    """The storage that is set, else where the orchestration is: the folder of its server, or one under the home, or memory."""
    if not settings.result_storage and settings.api_url and registry.has("storage", SERVER):
        return Choice(SERVER)
    name = settings.result_storage or (LOCAL if registry.has("storage", LOCAL) else MEMORY)
    if name == LOCAL:
        return _folder(settings)
    return Choice(name) if registry.has("storage", name) else named(name)


def storage_of(settings: Settings, registry: Registry, choice: Choice) -> Storage:
    """The storage that a choice with a type means here. That of the server is reached as the server is; who is the server has it as a folder."""
    reached = client_choice(settings)
    if choice.name == SERVER:
        choice = _folder(settings) if reached is None else Choice(SERVER, reached.options)
    storage: Storage = registry.make("storage", Choice(choice.name, registry.resolved(choice.options)))
    return storage


def _folder(settings: Settings) -> Choice:
    return Choice(LOCAL, {"path": str(settings.home / "storage")})


def _somebody() -> str:
    """Who asks, for those who want to know later."""
    import getpass  # what few need
    import socket

    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in containers
        user = "somebody"
    return f"{user} on {socket.gethostname()}"

"""Secrets of storages on their way out of a server, and into it."""

from types import SimpleNamespace
from typing import Any

import pytest
from starlette.requests import Request

import headrace.instance
from headrace.errors import NotAllowed
from headrace.hooks import hookimpl
from headrace.hooks.registry import Registry, discovered, inline
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.storages import SEALED, NamedStorage
from headrace.ports.client import operations
from headrace.settings import load
from headrace.testing.clock import START
from headrace_server.secrets_out import check_way, told

HERE, ELSEWHERE = ("127.0.0.1", 1), ("192.0.2.7", 1)


@pytest.fixture
def house(tmp_path: Any) -> Any:
    def seal(secret: str) -> str:
        return f"{SEALED}/1/{secret[::-1]}"

    sealing = SimpleNamespace(headrace_seal=hookimpl(seal, tryfirst=True))
    registry = Registry([*discovered(), inline(sealing)])
    with headrace.instance.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"}), registry=registry) as opened:
        for name, secrets in (("plain", {"key": "secret://env/X"}), ("sealed", {"key": "K"})):
            storage = NamedStorage(id=name, name=name, choice=Choice("acme"), created=START, updated=START)
            opened.client.put_storage(storage, secrets)
        yield opened


def request(scheme: str, client: tuple[str, int] | None) -> Request:
    """A request as it arrives."""
    scope = {"type": "http", "method": "POST", "scheme": scheme, "path": "/", "headers": [], "client": client, "server": ("h", 80)}
    return Request(scope)


@pytest.mark.parametrize(
    ("scheme", "client", "name", "is_refused"),
    [
        ("http", HERE, "sealed", False),
        ("http", ("::1", 1), "sealed", False),
        ("https", ELSEWHERE, "sealed", False),
        ("http", ELSEWHERE, "plain", False),
        ("http", ELSEWHERE, "nobody", False),
        ("http", ELSEWHERE, "sealed", True),
        ("http", None, "sealed", True),
    ],
)
def test_secrets_leave_over_tls_alone(house: Instance, scheme: str, client: Any, name: str, *, is_refused: bool) -> None:
    """Unless they stay on this machine; a storage without secrets of the server's is opened anyway."""
    opens = operations()["open_storage"]
    if not is_refused:
        check_way(request(scheme, client), opens, {"name": name, "user": "me"}, "leo", house.client)
        return
    with pytest.raises(NotAllowed, match="secrets travel over TLS only"):
        check_way(request(scheme, client), opens, {"name": name, "user": "me"}, "leo", house.client)


@pytest.mark.parametrize(
    ("secrets", "is_refused"),
    [({}, False), ({"key": "secret://env/K", "deep": {"list": [SEALED, 3, ""]}}, False), ({"deep": {"list": ["K"]}}, True)],
)
def test_secrets_come_over_tls_alone(house: Instance, secrets: dict[str, str], *, is_refused: bool) -> None:
    """A storage without any is made over any way."""
    brings = operations()["put_storage"]
    arguments = {"storage": None, "secrets": secrets}
    check_way(request("https", ELSEWHERE), brings, arguments, "leo", house.client)
    if not is_refused:
        check_way(request("http", ELSEWHERE), brings, arguments, "leo", house.client)
        return
    with pytest.raises(NotAllowed):
        check_way(request("http", ELSEWHERE), brings, arguments, "leo", house.client)


def test_who_opens_is_who_the_server_knows() -> None:
    """What somebody says of themselves stands behind it."""
    assert told(operations()["open_storage"], {"name": "s", "user": "root"}, "leo")["user"] == "leo, who says: root"
    assert told(operations()["put_storage"], {"secrets": {}}, "leo") == {"secrets": {}}

"""The storage is one, and loses nothing when its server is lost."""

import os
import re
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest
from servers.kv import TOKEN, KvServer, kv_server
from servers.object_stores import check_connections_are_closed, check_memory_of_a_large_value, check_two_values_are_never_mixed
from servers.process import free_ports

import headrace
from headrace.errors import InvalidOption, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.model.tokens import Scope, Token, digest_of
from headrace.ports.storage import OpenStorage, Storage
from headrace.settings import load
from headrace.testing.clock import START
from headrace.testing.conformance.storage import CHUNK, StorageConformance, read
from headrace_kv.storage import KVServerStorage
from headrace_server.listening import Address
from headrace_server.serving import served

StorageOn = Callable[[KvServer], KVServerStorage]
USES: list[Callable[[OpenStorage], Any]] = [
    lambda storage: storage.open("key"),
    lambda storage: storage.write("key", [b"value"]),
    lambda storage: storage.write("key", [b"value" * 1_000_000] * 8),
    lambda storage: storage.exists("key"),
    lambda storage: storage.delete("key"),
    lambda storage: list(storage.keys()),
]


class TestKVServerStorage(StorageConformance):
    @pytest.fixture
    def storage(self, server: KvServer, storage_on: StorageOn) -> Storage:
        return storage_on(server)


def test_keys_lie_under_the_prefix(server: KvServer, storage_on: StorageOn) -> None:
    """Two storages of one server do not see each other, one without a prefix sees both; each value is a file there."""
    one = storage_on(server)
    with (
        one.open() as opened,
        attrs.evolve(one, prefix=f"{one.prefix}-other").open() as other,
        attrs.evolve(one, prefix="").open() as whole,
    ):
        opened.write("folder/key", [b"value"])
        assert list(other.keys()) == []
        assert list(whole.keys(f"{one.prefix}/")) == [f"{one.prefix}/folder/key"]
        assert read(whole, f"{one.prefix}/folder/key") == b"value"
    assert (server.values / one.prefix / "folder" / "key").read_bytes() == b"value"


@pytest.mark.parametrize("prefix", ["team/flows", "/team/flows/", "team/flows/"])
def test_a_prefix_is_written_in_any_way(prefix: str) -> None:
    """Slashes around a prefix mean nothing, nor does one at the end of the address."""
    storage = KVServerStorage(api_address="http://127.0.0.1:4201/api/", prefix=prefix)
    assert (storage.api_address, storage.prefix) == ("http://127.0.0.1:4201/api", "team/flows")


@pytest.mark.parametrize("key", ["%2e%2e/x", "a%2Fb", "a?b=c&d#e", "a+b c", "files", "api/files/x", "-", "~", "a\nb\rc", "CON:", "𝄞"])
def test_keys_are_what_they_are(server: KvServer, storage_on: StorageOn, key: str) -> None:
    """Nothing in a key is read as a part of an address."""
    with storage_on(server).open() as opened:
        opened.write(key, [key.encode()])
        assert read(opened, key).decode() == key
        assert opened.exists(key)
        assert list(opened.keys(key)) == list(opened.keys()) == [key]
        opened.delete(key)
        assert list(opened.keys()) == []


def test_keys_that_no_file_can_have(server: KvServer, storage_on: StorageOn) -> None:
    """They are refused with a sentence, and by their own names, whoever it is that cannot have them."""
    with storage_on(server).open() as opened:
        opened.write("key", [b"value"])
        for key, why in (
            ("half\ud800", "half of a surrogate pair"),
            ("key/below", "a part of it is the key of a value"),
            (".writing-x", "are for values being written"),
        ):
            with pytest.raises(WrongKey, match=why) as caught:
                opened.write(key, [b"value"])
            assert caught.value.key == key
        with pytest.raises(WrongKey):
            opened.keys("half\ud800")
        for key in ("k" * 300, "deep/" * 2_000 + "key"):
            with pytest.raises(StorageUnusable, match=f"at {server.url} cannot be used: File name too long"):
                opened.write(key, [b"value"])
            assert not opened.exists(key)
        with pytest.raises(WrongKey, match="characters as it is sent, and no more than 16384 are taken"):
            opened.exists("k" * 20_000)
        assert list(opened.keys()) == ["key"]


def test_an_absent_key_is_named_as_it_was_asked_for(server: KvServer, storage_on: StorageOn) -> None:
    """No error names the prefix, nor a folder of the server."""
    with storage_on(server).open() as opened, pytest.raises(NotStored) as caught:
        opened.open("key")
    assert str(caught.value) == "nothing is stored under key 'key' in the storage of the server"


# What may be wrong


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize(("token", "why"), [(None, "no token was sent"), ("wrong", "the token is not known here")])
def test_a_wrong_token_is_told(
    server: KvServer, storage_on: StorageOn, use: Callable[[OpenStorage], Any], token: str | None, why: str
) -> None:
    """Whatever is asked first, also where most of a value is never read."""
    storage = attrs.evolve(storage_on(server), token=token)
    says = f"at {server.url} cannot be used: it does not know who is asking: {why}; give as token one that it knows"
    with storage.open() as opened, pytest.raises(StorageUnusable, match=re.escape(says)) as raised:
        use(opened)
    assert not isinstance(raised.value, StorageAway), "nothing that waiting helps"


@pytest.mark.parametrize("use", USES)
def test_nobody_at_the_address_is_told(use: Callable[[OpenStorage], Any]) -> None:
    """An address at which nobody listens may be one of a server that comes back."""
    (port,) = free_ports(1)
    with KVServerStorage(api_address=f"http://127.0.0.1:{port}/api").open() as opened:
        with pytest.raises(StorageAway, match=f"at http://127.0.0.1:{port}/api cannot be used: Connection refused"):
            use(opened)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("path", ["", "/api/v1", "/api/files/x"])
def test_a_wrong_address_is_told(server: KvServer, use: Callable[[OpenStorage], Any], path: str) -> None:
    """A place of the server that is no storage is not taken for a key that is absent."""
    url = server.url.removesuffix("/api") + path
    with KVServerStorage(api_address=url, token=TOKEN).open() as opened:
        with pytest.raises(StorageUnusable, match="there is no storage of headrace: .*; look at api_address, which is like http://"):
            use(opened)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"api_address": ""}, "api_address='' cannot be used"),
        ({"api_address": "127.0.0.1:4201"}, "it must be an address such as"),
        ({"api_address": 5}, "it must be an address such as"),
        ({"api_address": "ftp://host/api"}, "it must be an address such as"),
        ({"api_address": "http://host/api?token=hunter2"}, "without a user, a query"),
        ({"api_address": "http://host/api", "prefix": "a/../b"}, "prefix='a/../b' cannot be used"),
        ({"api_address": "http://host/api", "token": "hunter2 hunter2"}, "a token is one word"),
        ({"api_address": "http://host/api", "token": "hunter2\n"}, "a token is one word"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], why: str) -> None:
    """What cannot be meant is refused when it is written, and no token is shown."""
    with pytest.raises(InvalidOption, match=why) as raised:
        KVServerStorage(**options)
    assert "token" not in options or "hunter2" not in str(raised.value)


def test_secrets_are_not_shown() -> None:
    """The token is not in the repr."""
    assert "hunter2" not in repr(KVServerStorage(api_address="http://host/api", token="hunter2"))


# Servers that are lost, or full


def test_a_server_that_is_killed_in_a_write_is_told(tmp_path: Path, storage_on: StorageOn) -> None:
    """The writer is told what it may try again. What was answered is there when the server comes back, and nothing of the rest."""
    with kv_server(tmp_path) as server:
        storage = attrs.evolve(storage_on(server), token=None)
        with storage.open() as opened:
            opened.write("key", [b"old"])
            with _half_sent(server, f"{storage.prefix}/key"):
                os.kill(server.pid, signal.SIGKILL)
            with pytest.raises(StorageAway):
                opened.open("key")
    with kv_server(tmp_path, port=server.port), storage.open() as opened:
        assert read(opened, "key") == b"old"
        assert list(opened.keys()) == ["key"]


def test_a_server_that_is_lost_while_a_value_is_made(tmp_path: Path, storage_on: StorageOn) -> None:
    """Who makes a value for long learns at its end that nobody is there any more; who comes back then is asked as if nothing had been."""
    with kv_server(tmp_path) as server:
        storage = attrs.evolve(storage_on(server), token=None)
        with storage.open() as opened:
            opened.write("key", [b"old"])

            def chunks() -> Iterator[bytes]:
                yield from [CHUNK] * 100
                os.kill(server.pid, signal.SIGKILL)
                os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
                yield from [CHUNK] * 100

            with pytest.raises(StorageAway, match=f"at {server.url} cannot be used: Connection refused"):
                opened.write("key", chunks())
            with kv_server(tmp_path, port=server.port):
                assert read(opened, "key") == b"old"
                opened.write("key", [CHUNK] * 200)
                assert read(opened, "key") == CHUNK * 200


def test_half_a_value_is_none(server: KvServer, storage_on: StorageOn) -> None:
    """Where whoever writes is lost, the old value stays."""
    storage = storage_on(server)
    with storage.open() as opened:
        opened.write("key", [b"old"])
        with _half_sent(server, f"{storage.prefix}/key"):
            pass
        assert read(opened, "key") == b"old"
        assert list(opened.keys()) == ["key"]


def test_a_full_server_is_told(tmp_path: Path, storage_on: StorageOn) -> None:
    """What does not fit is refused with a sentence, what is there stays, and there is room again when some of it is gone."""
    with kv_server(tmp_path, "--storage-limit", "0.001") as server, attrs.evolve(storage_on(server), token=None).open() as opened:
        opened.write("one", [b"x" * 1_000_000])
        full = r"the server's storage is full: it may hold 0.001 GiB; delete what nobody needs, or raise --storage-limit"
        for size in (100_000, 30_000_000):
            with pytest.raises(StorageUnusable, match=full):
                opened.write("two", [b"y" * size])
        assert list(opened.keys()) == ["one"]
        opened.delete("one")
        opened.write("two", [b"y" * 1_000_000])
        assert read(opened, "two") == b"y" * 1_000_000


def test_a_large_value_is_never_whole_in_memory(server: KvServer, storage_on: StorageOn) -> None:
    """300 MB are written and read by a process whose memory grows by less than 180 MB meanwhile, and so does that of the server."""
    before = _most_memory(server.pid)
    check_memory_of_a_large_value(KVServerStorage, attrs.asdict(storage_on(server)))
    assert _most_memory(server.pid) - before < 100


def test_values_are_not_mixed(server: KvServer, storage_on: StorageOn) -> None:
    """Who reads while a value is written anew reads one of the two."""
    check_two_values_are_never_mixed(storage_on(server))


def test_a_storage_closes_its_connections(server: KvServer, storage_on: StorageOn) -> None:
    """Who opens it many times has no more files open than who opened it once."""
    check_connections_are_closed(storage_on(server))


# Other servers


def test_any_server_of_headrace_will_do(tmp_path: Path) -> None:
    """What goes to the address of a web API lies in the storage of its server; a token of its scope agent is needed where tokens are."""
    with headrace.open(load({"HEADRACE_HOME": str(tmp_path), "HEADRACE_RUN_STORE": "memory"})) as house:
        given = {}
        for scope in (Scope.VIEWER, Scope.AGENT):
            token = Token(id=house.ids.new(), name=scope, scope=scope, created=START, digest=digest_of("secret"))
            house.client.create_token(token)
            given[scope] = f"hrt_{token.id}_secret"
        with served(house, Address(needs_token=True)) as url:
            with KVServerStorage(api_address=url, prefix="team", token=given[Scope.AGENT]).open() as opened:
                opened.write("key", [b"value"])
                assert list(opened.keys()) == ["key"]
                assert read(opened, "key") == b"value"
            with KVServerStorage(api_address=url, token=given[Scope.VIEWER]).open() as opened:
                with pytest.raises(StorageUnusable, match="viewer may not ask for read_file: it takes the scope run, not viewer"):
                    opened.open("team/key")
            with KVServerStorage(api_address=url).open() as opened, pytest.raises(StorageUnusable, match="no token was sent"):
                opened.exists("team/key")
        with house.code_storage() as storage:
            assert read(storage, "team/key") == b"value"


@contextmanager
def _half_sent(server: KvServer, key: str) -> Iterator[None]:
    """Half a value is on its way to a server; at the end whoever sends it is gone."""
    path = "/api/files/" + key.replace("/", "%2F")
    head = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 8000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as sending:
        sending.sendall(head.encode() + b"new" * 1_000_000)
        yield


def _most_memory(pid: int) -> float:
    """The most memory that a process has had, in MB."""
    found = re.search(r"VmHWM:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024

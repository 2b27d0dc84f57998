"""Storage on servers of file protocols: real ones, that ask who one is."""

import errno
import ftplib
import gc
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncssh
import attrs
import httpx
import pytest
from servers.cutting import between
from servers.files import PASSWORD, USER, FileServer, file_server
from servers.object_stores import check_connections_are_closed, check_memory_of_a_large_value
from servers.process import free_ports
from webdav4.client import InsufficientStorage

from headrace.errors import InvalidOption, NotStored, StorageAway, StorageUnusable, WrongKey
from headrace.ports.storage import OpenStorage, Storage
from headrace.testing.conformance.storage import CHUNK, StorageConformance, broken_off, read
from headrace_files.file import FileStorage
from headrace_files.troubles import understood

Servers = Callable[[str], FileServer]
PROTOCOLS = ["sftp", "ftp", "webdav"]
ALL = [*PROTOCOLS, "http"]
USES: list[Callable[[OpenStorage], Any]] = [
    lambda storage: storage.open("key"),
    lambda storage: storage.write("key", [b"value"]),
    lambda storage: storage.exists("key"),
    lambda storage: storage.delete("key"),
    lambda storage: list(storage.keys()),
]


def storage_on(server: FileServer, folder: str = "flows", *, port: int = 0, **options: Any) -> FileStorage:
    """The storage, as its protocol wants to be asked for it."""
    known = {"known_host": server.host_key} if server.protocol == "sftp" else {}
    chosen = {"username": USER, "password": PASSWORD, **known, **options}
    return FileStorage(url=f"{server.protocol}://127.0.0.1:{port or server.port}/{folder}", options=chosen)


class TestFileStorageOverSftp(StorageConformance):
    @pytest.fixture
    def storage(self, servers: Servers) -> Storage:
        return storage_on(servers("sftp"), str(uuid4()))


class TestFileStorageOverFtp(StorageConformance):
    @pytest.fixture
    def storage(self, servers: Servers) -> Storage:
        return storage_on(servers("ftp"), str(uuid4()))


class TestFileStorageOverOldFtp(StorageConformance):
    @pytest.fixture
    def storage(self, servers: Servers) -> Storage:
        return storage_on(servers("old ftp"), str(uuid4()))


class TestFileStorageOverWebdav(StorageConformance):
    @pytest.fixture
    def storage(self, servers: Servers) -> Storage:
        return storage_on(servers("webdav"), str(uuid4()))


# What a server is asked for


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("key", ["a[1]*?.b", "*", "a/*/b", "%41#b", "%", "a+b;c=d&e", " begins and ends with a space "])
def test_names_are_taken_as_they_are(servers: Servers, protocol: str, key: str) -> None:
    """What protocols and addresses read as signs of their own are characters."""
    with storage_on(servers(protocol), str(uuid4())).open() as opened:
        opened.write(key, [key.encode()])
        assert read(opened, key) == key.encode()
        assert list(opened.keys()) == [key]
        opened.delete(key)
        assert not opened.exists(key)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_values_of_every_size(servers: Servers, protocol: str) -> None:
    """No byte is lost or added where what goes with one request, or is on its way at once, ends."""
    with storage_on(servers(protocol), str(uuid4())).open() as opened:
        for size in (1, 32_767, 32_768, 32_769, 65_536, 1_048_575, 1_048_576, 1_048_577, 1_081_344, 2_097_152, 3_000_001):
            value = random.Random(size).randbytes(size)
            opened.write("key", [value])
            assert read(opened, "key") == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("key", ["a\nb", "a\rDELE b"])
def test_a_name_is_one_line(servers: Servers, protocol: str, key: str) -> None:
    """A key with a line of its own is refused, since what follows could be a command."""
    with storage_on(servers(protocol), str(uuid4())).open() as opened:
        for use in (lambda: opened.write(key, [b"value"]), lambda: opened.open(key), lambda: opened.delete(key)):
            with pytest.raises(WrongKey, match="a name is one line"):
                use()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_key_is_no_folder(servers: Servers, protocol: str) -> None:
    """A key cannot be both a value and a folder of others; who tries is told so, and nothing changes."""
    with storage_on(servers(protocol), str(uuid4())).open() as opened:
        opened.write("a/b", [b"value"])
        for key in ("a", "a/b/c", "a/b/c/d"):
            with pytest.raises(WrongKey, match="choose another key"):
                opened.write(key, [b"other"])
            assert list(opened.keys()) == ["a/b"]
        assert read(opened, "a/b") == b"value"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_an_interrupted_write_leaves_no_file(servers: Servers, protocol: str) -> None:
    """Nothing remains on the server of a value that was not finished."""
    server, folder = servers(protocol), str(uuid4())
    with storage_on(server, folder).open() as opened:
        opened.write("key", [b"old"])
        with pytest.raises(Exception, match="^$"):
            opened.write("key", broken_off(1_000_000))
    assert os.listdir(server.folder / folder) == ["key"]


def test_two_storages_of_one_server_are_two_connections(servers: Servers) -> None:
    """What one closes, the other goes on using."""
    storage = storage_on(servers("sftp"), str(uuid4()))
    with storage.open() as first:
        with attrs.evolve(storage).open() as second:
            second.write("key", [b"value"])
        assert read(first, "key") == b"value"


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_storage_closes_its_connections(servers: Servers, protocol: str) -> None:
    """Who opens it many times has no more files open than who opened it once."""
    check_connections_are_closed(storage_on(servers(protocol), str(uuid4())))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_large_value_is_never_whole_in_memory(servers: Servers, protocol: str) -> None:
    """300 MB are written and read by a process whose memory grows by less than 180 MB meanwhile."""
    storage = storage_on(servers(protocol), str(uuid4()))
    check_memory_of_a_large_value(FileStorage, {"url": storage.url, "options": storage.options})


# Who one is, and who the server is


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("use", USES)
def test_a_wrong_password_is_told(servers: Servers, protocol: str, use: Callable[[OpenStorage], Any]) -> None:
    """Whatever is asked first, what is wrong is said, where to correct it, and never the password."""
    storage = storage_on(servers(protocol), password="hunter2")
    with pytest.raises(StorageUnusable, match="the user name or the password is refused; correct them in the options") as raised:
        with storage.open() as opened:
            use(opened)
    assert not isinstance(raised.value, StorageAway)
    assert "hunter2" not in str(raised.value)


def test_a_host_that_is_not_known_is_refused(servers: Servers) -> None:
    """No password goes to a host whose key nobody here knows; what is to be done is said, with the key."""
    server = servers("sftp")
    other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAnsy4a3EQdmwVqfRcJ2ZJ3gPbGQ1uZb3YyM0ZlPmyfn"
    for options in ({"known_hosts": b""}, {"known_host": other}):
        storage = storage_on(server, **({"known_host": None} | options))
        with pytest.raises(
            StorageUnusable, match="it shows a key that is not known here; if .* give it as known_host in the options"
        ) as raised:
            with storage.open():
                pass
        assert server.host_key in str(raised.value)


def test_a_key_opens(tmp_path: Path) -> None:
    """A private key, as a text that may come from a secret, is enough; one that the server does not know is refused."""
    key, other = asyncssh.generate_private_key("ssh-ed25519"), asyncssh.generate_private_key("ssh-ed25519")
    key.write_public_key(tmp_path / "authorized")
    with file_server("sftp", tmp_path / "server", options=["--authorized-keys", str(tmp_path / "authorized")]) as server:
        text = key.export_private_key().decode()
        with storage_on(server, password=None, private_key=text).open() as opened:
            opened.write("key", [b"value"])
            assert read(opened, "key") == b"value"
        wrong = storage_on(server, password=None, private_key=other.export_private_key().decode())
        with pytest.raises(StorageUnusable, match="the user name or the password is refused"):
            with wrong.open():
                pass


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_may_only_read_is_told(tmp_path: Path, protocol: str) -> None:
    """Where the server takes nothing from this user, reading works, and writing says that it is a matter of rights."""
    with file_server(protocol, tmp_path) as server, storage_on(server).open() as opened:
        opened.write("folder/key", [b"value"])
    with file_server(protocol, tmp_path, options=["--read-only"]) as server, storage_on(server).open() as opened:
        assert read(opened, "folder/key") == b"value"
        for key in ("folder/key", "folder/new", "other/new"):
            with pytest.raises(StorageUnusable, match="rights") as raised:
                opened.write(key, [b"value"])
            assert not isinstance(raised.value, StorageAway)
        assert list(opened.keys()) == ["folder/key"]


# Servers that are away


@pytest.mark.parametrize("protocol", ALL)
@pytest.mark.parametrize(
    ("host", "why"),
    [("127.0.0.1", "it does not answer: .*refused|it does not answer: .*failed"), ("nowhere.invalid", "there is no host of this name")],
)
def test_nobody_at_the_address_is_told(protocol: str, host: str, why: str) -> None:
    """As something that may pass."""
    (port,) = free_ports(1)
    with pytest.raises(StorageAway, match=why):
        with FileStorage(url=f"{protocol}://{host}:{port}/flows").open() as opened:
            opened.exists("key")


@pytest.mark.parametrize(
    ("protocol", "is_time"),
    [
        ("sftp", lambda went, piece: went > 5_000_000),
        ("webdav", lambda went, piece: went > 5_000_000),
        ("ftp", lambda went, piece: piece.startswith(b"STOR ")),
    ],
)
def test_a_server_that_is_killed_in_a_write_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str, is_time: Callable[[int, bytes], bool]
) -> None:
    """The writer may try again, and what was there before is there when the server comes back, and nothing else; no library complains besides."""
    with file_server(protocol, tmp_path) as server:
        with storage_on(server).open() as opened:
            opened.write("key", [b"old"])
        with between(server.port, is_time=is_time, act=lambda: os.kill(server.pid, signal.SIGKILL)) as port:
            with storage_on(server, port=port).open() as opened:
                for key in ("key", "new"):
                    with pytest.raises(StorageAway, match="it does not answer"):
                        opened.write(key, [CHUNK] * 100)
        gc.collect()
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    with file_server(protocol, tmp_path) as server, storage_on(server).open() as opened:
        assert read(opened, "key") == b"old"
        assert list(opened.keys()) == ["key"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_connection_that_is_lost_is_made_anew(tmp_path: Path, protocol: str) -> None:
    """A storage that is open while its server is started again goes on, without a word."""
    with file_server(protocol, tmp_path) as server:
        storage = storage_on(server)
        with storage.open() as opened:
            opened.write("key", [b"value"])
            os.kill(server.pid, signal.SIGKILL)
            os.waitid(os.P_PID, server.pid, os.WEXITED | os.WNOWAIT)
            with pytest.raises(StorageAway, match="it does not answer"):
                opened.exists("key")
            with file_server(protocol, tmp_path, port=server.port) as again:
                assert read(opened, "key") == b"value"
                os.kill(again.pid, signal.SIGKILL)
                os.waitid(os.P_PID, again.pid, os.WEXITED | os.WNOWAIT)
            with file_server(protocol, tmp_path, port=server.port):
                opened.write("key", [b"new"])
                assert read(opened, "key") == b"new"


@pytest.mark.parametrize("protocol", ALL)
def test_a_server_that_falls_silent_is_told(tmp_path: Path, protocol: str) -> None:
    """Nobody waits for ever for a server that neither answers nor goes."""
    with file_server(protocol, tmp_path) as server, storage_on(server, timeout=0.5).open() as opened:
        assert not opened.exists("key")
        os.kill(server.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, server.pid, os.WSTOPPED | os.WNOWAIT)
        for use in USES if protocol != "http" else USES[:1]:
            with pytest.raises(StorageAway, match="it does not answer: nothing came in time"):
                use(opened)


# What is only read


def test_a_web_server_is_read(servers: Servers) -> None:
    """What lies in the folder that it shows is read; it takes nothing, and does not tell what it has."""
    server = servers("http")
    (server.folder / "published" / "with space").mkdir(parents=True)
    (server.folder / "published" / "with space" / "50%#?").write_bytes(CHUNK * 40)
    with storage_on(server, "published").open() as opened:
        assert read(opened, "with space/50%#?") == CHUNK * 40
        assert opened.exists("with space/50%#?")
        assert not opened.exists("absent")
        with pytest.raises(NotStored):
            opened.open("absent")
        for use in (lambda: opened.write("key", iter([b"value"])), lambda: opened.delete("with space/50%#?")):
            with pytest.raises(StorageUnusable, match="it can only be read; put there what it is to have with another tool"):
                use()
        with pytest.raises(StorageUnusable, match="a web server does not tell what it has"):
            list(opened.keys())


def test_a_web_server_asks_who_one_is(servers: Servers) -> None:
    """A wrong password is told, and no page is taken for a value."""
    with storage_on(servers("http"), password="hunter2").open() as opened:
        for use in (lambda: opened.open("key"), lambda: opened.exists("key")):
            with pytest.raises(
                StorageUnusable, match=r"the user name or the password is refused; correct them in the options \(401 Unauthorized\)"
            ):
                use()


def test_an_archive_is_read(tmp_path: Path) -> None:
    """A folder in a zip file is a storage that takes nothing; whether others reach it is up to where the file is."""
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("flows/a/key", "value")
        archive.writestr("other", "other")
    storage = FileStorage(url=f"zip://flows::file://{tmp_path}/code.zip")
    assert not storage.reaches_others
    assert FileStorage(url="zip://flows::sftp://host/code.zip").reaches_others
    with storage.open() as opened:
        assert list(opened.keys()) == ["a/key"]
        assert read(opened, "a/key") == b"value"
        with pytest.raises(NotStored):
            opened.open("absent")
        for use in (lambda: opened.write("key", [b"value"]), lambda: opened.delete("a/key")):
            with pytest.raises(StorageUnusable, match="it can only be read"):
                use()


# What is written wrongly


@pytest.mark.parametrize(
    ("url", "options", "why"),
    [
        ("sftp:///folder", {}, "it names no host"),
        ("sftp://host:99999/folder", {}, "Port out of range"),
        (
            "ftp://127.0.0.1/folder",
            {"colour": "blue"},
            "FTP has no option 'colour'; it has username, password, port, timeout, encoding and tls",
        ),
        ("webdav://127.0.0.1/folder", {"colour": "blue"}, "colour"),
        ("http://127.0.0.1/folder", {"colour": "blue"}, "colour"),
        ("sftp://127.0.0.1/folder", {"private_key": "hunter2"}, "private"),
    ],
)
def test_what_cannot_be_meant_is_told(url: str, options: dict[str, Any], why: str) -> None:
    """An address or an option that no server could be reached by is no trouble that passes."""
    with pytest.raises(StorageUnusable, match=why) as raised:
        with FileStorage(url=url, options=options).open():
            pass
    assert not isinstance(raised.value, StorageAway)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("protocol", "library", "extra"), [("sftp", "asyncssh", "sftp"), ("webdav", "webdav4", "webdav"), ("https", "httpx", "http")]
)
def test_a_missing_library_is_named(protocol: str, library: str, extra: str) -> None:
    """Where what a protocol needs is not installed, the error says what to install; other protocols need none of it."""
    program = f"""
import sys
sys.modules[{library!r}] = None
from headrace.errors import StorageUnusable
from headrace_files.file import FileStorage
with FileStorage(url="memory://folder").open() as opened:
    opened.exists("key")
try:
    with FileStorage(url="{protocol}://host/folder").open():
        pass
except StorageUnusable as error:
    assert "pip install 'headrace-files[{extra}]'" in str(error), error
else:
    raise AssertionError("it opened")
"""
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


# What errors mean


def http_error(status: int) -> Exception:
    """What httpx raises for an answer."""
    request = httpx.Request("GET", "http://host/folder")
    return httpx.HTTPStatusError("long words", request=request, response=httpx.Response(status, request=request))


@pytest.mark.parametrize(
    ("error", "passes", "why"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True, "there is no room left; make room and try again"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True, "there is no room left"),
        (asyncssh.SFTPNoSpaceOnFilesystem("full"), True, "there is no room left"),
        (asyncssh.SFTPQuotaExceeded("full"), True, "there is no room left"),
        (InsufficientStorage("/folder/key"), True, "there is no room left"),
        (http_error(507), True, r"there is no room left; make room and try again \(507 Insufficient Storage\)"),
        (ftplib.error_temp("452 Insufficient storage space"), True, "there is no room left"),
        (ftplib.error_perm("552 Quota exceeded"), True, "there is no room left"),
        (asyncssh.PermissionDenied("no"), False, "the user name or the password is refused; correct them in the options"),
        (ftplib.error_perm("530 Login incorrect"), False, "the user name or the password is refused"),
        (http_error(401), False, "the user name or the password is refused"),
        (asyncssh.SFTPPermissionDenied("no"), False, "this user may not do this here; give the rights for it, or take another folder"),
        (asyncssh.SFTPFailure("Permission denied"), False, "this user may not do this here"),
        (ftplib.error_perm("553 Could not create file"), False, "this user may not do this here"),
        (http_error(403), False, "this user may not do this here"),
        (asyncssh.SFTPFailure("Failure"), False, "the server could not do it, and says no more than 'Failure'"),
        (ftplib.error_temp("421 Too many connections"), True, "it does not answer: 421 Too many connections"),
        (ftplib.error_temp("450 File is busy"), True, "it cannot serve now"),
        (http_error(503), True, r"it cannot serve now \(503 Service Unavailable\)"),
        (http_error(429), True, "it cannot serve now"),
        (asyncssh.ConnectionLost("gone"), True, "it does not answer: gone"),
        (asyncssh.SFTPConnectionLost("gone"), True, "it does not answer: gone"),
        (httpx.RemoteProtocolError("gone"), True, "it does not answer: gone"),
        (EOFError(), True, "it does not answer: EOFError"),
        (TimeoutError("timed out"), True, "it does not answer: nothing came in time"),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True, "it does not answer"),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed"), True, "it does not answer"),
        (
            socket.gaierror(-2, "Name or service not known"),
            True,
            "there is no host of this name; correct the address, or see to the network",
        ),
        (ssl.SSLCertVerificationError("self-signed certificate"), False, "its certificate is not one that is trusted here"),
    ],
)
def test_errors_are_understood(error: Exception, passes: bool, why: str) -> None:
    """Each in a sentence, and whether waiting helps."""
    trouble = understood(error)
    assert trouble is not None
    assert re.match(why, trouble.why)
    assert trouble.passes == passes


@pytest.mark.parametrize(
    "error", [asyncssh.KeyExchangeFailed("no common algorithm"), httpx.UnsupportedProtocol("pigeon"), ValueError("other")]
)
def test_what_no_waiting_helps_is_no_lost_connection(error: Exception) -> None:
    """What nobody knows more of than it says itself is left as it is."""
    assert understood(error) is None


@pytest.mark.parametrize("option", ["proxy_command", "colour", "config"])
def test_a_storage_starts_no_programs(option: str) -> None:
    """What asyncssh takes besides is refused, since some of it is programs."""
    with pytest.raises(InvalidOption, match=f"an sftp server is reached without '{option}'"):
        FileStorage(url="sftp://127.0.0.1/folder", options={option: "x"})

"""`headrace kv-server`: serve a storage."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headrace.cli import show
from headrace.errors import CannotServe, InvalidOption, StorageUnusable
from headrace.hooks.secrets import SCHEME, is_reference

if TYPE_CHECKING:
    from headrace.cli.invocation import Invocation
    from headrace.ports.storage import Storage
    from headrace_kv.app import KvApp
    from headrace_server.listening import Address, Listening

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 4201
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LEAST_TOKEN = 16
"""With fewer characters a token can be guessed by who may try."""

GIB = 1 << 30

_FILE = click.Path(exists=True, dir_okay=False)


@click.group()
def kv_server() -> None:
    """Serve a storage that other machines reach, and nothing else."""


@kv_server.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="The address to listen at; one that others reach takes a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="The port; 0 is any that is free.")
@click.option(
    "--folder", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Where values are kept; else `kv` in the home."
)
@click.option(
    "--storage-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="GIB",
    help="What the folder may hold.",
)
@click.option(
    "--token",
    "references",
    multiple=True,
    metavar="SECRET",
    help="A token that who asks must have, as secret://env/NAME or secret://file/PATH; may be given again.",
)
@click.option(
    "--allowed-host", "names", multiple=True, metavar="NAME", help="What else the server is called, as by a proxy; may be given again."
)
@click.option(
    "--log-level", type=click.Choice(LEVELS, case_sensitive=False), default="INFO", show_default=True, help="DEBUG tells each request."
)
@click.option("--ssl-certfile", type=_FILE, metavar="FILE", help="Serve over TLS, with this certificate and those above it, in PEM.")
@click.option("--ssl-keyfile", type=_FILE, metavar="FILE", help="The key of the certificate, if it is in a file of its own.")
@click.pass_obj
def start(
    invocation: "Invocation",
    host: str,
    port: int,
    folder: Path | None,
    storage_limit: float,
    references: tuple[str, ...],
    names: tuple[str, ...],
    log_level: str,
    ssl_certfile: str | None,
    ssl_keyfile: str | None,
) -> None:
    """Serve a storage until Ctrl+C or SIGTERM.

    Flow code and results go there from every machine whose storage is `kv` with this address. On
    this machine nobody need say who they are, unless a token is given; then everybody must.

    \b
    headrace kv-server start
    headrace kv-server start --port 0 --folder /srv/flows --storage-limit 50
    headrace kv-server start --host 0.0.0.0 --token secret://env/KV_TOKEN
    """
    if ssl_keyfile and not ssl_certfile:
        raise click.UsageError("--ssl-keyfile needs --ssl-certfile")
    tokens = [_token(invocation, reference) for reference in references]
    where = f"{host}:{port}"
    _check_server(where)
    from headrace_server import logs
    from headrace_server.listening import Address
    from headrace_server.signals import signals_heard

    address = Address(host=host, port=port, certificate=ssl_certfile, key=ssl_keyfile, names=names)
    _check_open(address, tokens)
    place = (folder or invocation.settings.home / "kv").expanduser().absolute()
    storage, kept = _kept(invocation, place)
    logs.install(log_level.upper())
    listening = _listening(storage, place, address, tokens, most_bytes=round(storage_limit * GIB))
    with signals_heard(listening.end):
        show.remark(f"The KV server listens at {listening.url}, which is the api_address of storages of the kind kv. Ctrl+C ends it.")
        show.remark(f"It keeps {_counted(kept)} in {place}, {storage_limit:g} GiB at most; {_who(tokens)}.")
        listening.serve()
    show.remark("KV server stopped.")
    if listening.is_forced:
        sys.stderr.flush()
        os._exit(1)  # what is still being written in threads is not waited for; nobody was told that it is kept


def _token(invocation: "Invocation", reference: str) -> str:
    """The token that is meant. Raises SecretUnresolved, InvalidOption, BadParameter."""
    if not is_reference(reference):
        why = f"a token on the command line is seen by all who see the processes of this machine; give it as {SCHEME}env/NAME or {SCHEME}file/PATH"
        raise click.BadParameter(why, param_hint="'--token'")
    token = str(invocation.registry.secret(reference))
    if not token.isascii() or not token.isprintable() or " " in token or len(token) < LEAST_TOKEN:
        why = f"a token is one word of letters, digits and signs of ASCII, {LEAST_TOKEN} of them or more"
        raise InvalidOption(where="the KV server", option="token", value=reference, why=why)
    return token


def _check_server(where: str) -> None:
    """Serving takes more than using what is served. Raises CannotServe."""
    try:
        import headrace_server.logs  # noqa: F401
    except ModuleNotFoundError:
        raise CannotServe(where=where, why="headrace-server is not installed; pip install 'headrace-kv[server]'") from None


def _check_open(address: "Address", tokens: list[str]) -> None:
    """Nobody serves others without knowing who they are. Raises CannotServe."""
    from headrace_server.names import is_loopback

    if not tokens and not is_loopback(address.host):
        why = "others reach this address, so who asks must have a token; make one, as with `openssl rand -hex 32`, and give --token secret://…"
        raise CannotServe(where=f"{address.host}:{address.port}", why=why)


def _kept(invocation: "Invocation", place: Path) -> tuple["Storage", int]:
    """The storage, and how many values are in it. Raises NotInstalled, StorageUnusable for a folder that cannot be used."""
    from datetime import timedelta

    from headrace.clock import SystemClock
    from headrace.model.choices import Choice
    from headrace.model.storages import LASTS_HOURS
    from headrace.ports.storage import Tidies

    storage: Storage = invocation.registry.make("storage", Choice("local", {"path": str(place)}))
    try:
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise StorageUnusable(where=f"folder {place}", why=error.strerror or str(error)) from None
    if not os.access(place, os.R_OK | os.W_OK | os.X_OK):
        raise StorageUnusable(where=f"folder {place}", why="this user may not read and write it")
    with storage.open() as opened:
        if isinstance(opened, Tidies):  # what an earlier server was writing when it was killed
            opened.tidy("", SystemClock().now() - timedelta(hours=LASTS_HOURS))
        return storage, len(list(opened.keys()))


def _listening(storage: "Storage", place: Path, address: "Address", tokens: list[str], *, most_bytes: int) -> "Listening[KvApp]":
    from headrace.clock import SystemClock
    from headrace.ids import Ids
    from headrace_kv.app import KvApp
    from headrace_kv.door import Door
    from headrace_server.listening import Listening
    from headrace_server.names import Names

    clock = SystemClock()
    door = Door.of(Names.of(address.host, address.names), tokens, clock)
    ids = Ids(clock)
    return Listening(address, lambda: KvApp(storage, door, ids.new, folder=place, most_bytes=most_bytes))


def _counted(kept: int) -> str:
    return f"{kept} value{'' if kept == 1 else 's'}"


def _who(tokens: list[str]) -> str:
    return "who asks must have a token" if tokens else "whoever is on this machine may use it"

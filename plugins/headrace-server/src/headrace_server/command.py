"""`headrace server`: serve the web API, and look after the store that is behind it."""

import os
import sys
from typing import TYPE_CHECKING, Any

import click

from headrace.cli import show
from headrace.errors import ApiAway, CannotServe
from headrace_server.token_command import token

if TYPE_CHECKING:
    from headrace.cli.invocation import Invocation
    from headrace.instance import Instance
    from headrace_server.listening import Address

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 4200
SECONDS = 10.0
"""How long `status` waits for an answer."""

_FILE = click.Path(exists=True, dir_okay=False)


@click.group()
def server() -> None:
    """Serve the web API, and look after the store behind it."""


server.add_command(token)


@server.command()
@click.option("--host", default=DEFAULT_HOST, show_default=True, help="The address to listen at; one that others reach takes a token.")
@click.option("--port", type=click.IntRange(0, 65535), default=DEFAULT_PORT, show_default=True, help="The port; 0 is any that is free.")
@click.option(
    "--allowed-host", "names", multiple=True, metavar="NAME", help="What else the server is called, as by a proxy; may be given again."
)
@click.option("--require-token", is_flag=True, help="Also who is on this machine must say who they are, as where a proxy stands before it.")
@click.option("--no-services", is_flag=True, help="Only answer: another server of the same store steps the services.")
@click.option("--no-dashboard", is_flag=True, help="Serve no pages, if a dashboard is installed.")
@click.option(
    "--storage-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=10.0,
    show_default=True,
    metavar="GIB",
    help="What its storage may hold, for clients that choose no other.",
)
@click.option("--log-level", metavar="LEVEL", help="What to tell: DEBUG (each request), INFO, WARNING, ERROR; else as the setting says.")
@click.option("--ssl-certfile", type=_FILE, metavar="FILE", help="Serve over TLS, with this certificate and those above it, in PEM.")
@click.option("--ssl-keyfile", type=_FILE, metavar="FILE", help="The key of the certificate, if it is in a file of its own.")
@click.pass_obj
def start(
    invocation: "Invocation",
    host: str,
    port: int,
    names: tuple[str, ...],
    require_token: bool,  # noqa: FBT001 - click calls by keyword
    no_services: bool,  # noqa: FBT001
    no_dashboard: bool,  # noqa: FBT001
    storage_limit: float,
    log_level: str | None,
    ssl_certfile: str | None,
    ssl_keyfile: str | None,
) -> None:
    """Serve the web API until Ctrl+C or SIGTERM.

    It is the orchestration of this machine, whatever address settings name. What is being asked
    at the end is still answered; the second time it stops at once. Several servers may share a run store.

    \b
    headrace server start
    headrace server start --port 8080 --no-services
    """
    from headrace import instance
    from headrace.services.rounds import Rounds
    from headrace_server import logs
    from headrace_server.beside import Beside
    from headrace_server.listening import Address
    from headrace_server.serving import Serving
    from headrace_server.signals import signals_heard

    here = invocation.here()
    if ssl_keyfile and not ssl_certfile:
        raise click.UsageError("--ssl-keyfile needs --ssl-certfile")
    address = Address(
        host=host, port=port, certificate=ssl_certfile, key=ssl_keyfile, names=names, needs_token=require_token, dashboard=not no_dashboard
    )
    logs.install(_level(log_level or here.settings.log_level))
    with instance.open(here.settings, registry=here.registry, lasting=True) as house:
        _check_open(house, address)
        services = None if no_services else Rounds.of_all_installed(house)
        names_of_services = services.names if services is not None else ()
        serving = Serving(house, address, services=names_of_services, storage_bytes=round(storage_limit * (1 << 30)))
        with Beside(house, services).stepping(), signals_heard(serving.end):
            show.remark(_greeting(serving.url, names_of_services))
            show.remark(f"To use it: headrace config set HEADRACE_API_URL={serving.url}")
            if serving.page is not None:
                show.remark(f"To look at it: {serving.page}")
            serving.serve()
        show.remark("Server stopped.")
        if serving.is_forced:
            sys.stderr.flush()
            os._exit(1)  # what is still being asked in threads is not waited for; the store undoes what was not done


def _level(name: str) -> str:
    level = name.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"):
        raise click.BadParameter(f"{name!r} is no level; there are: DEBUG, INFO, WARNING, ERROR, CRITICAL", param_hint="'--log-level'")
    return level


def _check_open(house: "Instance", address: "Address") -> None:
    """Nobody serves others without knowing who they are. Raises CannotServe."""
    from headrace_server.in_process import in_process
    from headrace_server.names import is_loopback
    from headrace_server.tokens import Tokens

    is_open = is_loopback(address.host) and not address.needs_token
    if is_open or Tokens(in_process(house.client).store, house.clock).is_any_valid():
        return
    why = "who asks must say who they are, and there is no token; make one with: headrace server token --here create NAME --scope admin"
    raise CannotServe(where=f"{address.host}:{address.port}", why=why)


def _greeting(url: str, services: tuple[str, ...]) -> str:
    stepping = f"services: {', '.join(services)}" if services else "no services step here"
    return f"headrace serves the API at {url} ({stepping}). Ctrl+C ends it."


# Looking at one that runs


@server.command()
@click.option("--url", metavar="ADDRESS", help="The API of the server, as in HEADRACE_API_URL; else the one that settings name.")
@show.json_option
@click.pass_obj
def status(invocation: "Invocation", url: str | None, as_json: bool) -> None:  # noqa: FBT001 - click calls by keyword
    """Tell whether a server answers, and how it is.

    The exit code is 0 if it does.
    """
    settings = invocation.settings
    address = (url or settings.api_url or f"http://{DEFAULT_HOST}:{DEFAULT_PORT}/api").rstrip("/")
    found = _report(address, settings.api_token)
    if as_json:
        show.json({"url": address, **found})
        return
    show.record(
        {
            "url": address,
            "version": found["version"],
            "up": show.duration(found["up_seconds"]),
            "run store": found["run_store"],
            "services": ", ".join(found["services"]),
        }
    )


def _report(address: str, token: str) -> dict[str, Any]:
    """What the server says of itself. Raises ApiAway, and what it refuses with."""
    import json
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from headrace.wire.problems import error_of

    headers = {"Accept": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    try:
        with urlopen(Request(f"{address}/server", headers=headers), timeout=SECONDS) as answer:
            return dict(json.load(answer)["result"])
    except HTTPError as error:
        with error:
            raise error_of(_json_of(error.read()), status=error.code) from None
    except URLError as error:
        raise ApiAway(where=address, why=getattr(error.reason, "strerror", None) or str(error.reason)) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ApiAway(where=address, why=f"it is no API of headrace ({error})") from None


def _json_of(raw: bytes) -> Any:
    import json

    try:
        return json.loads(raw)
    except ValueError:
        return None


# The store behind it


class _OfStore(click.Group):
    """The commands of `headrace store`, for the store of this machine whatever address settings name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return _store(ctx).list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return _store(ctx).get_command(ctx, cmd_name)


def _store(ctx: click.Context) -> click.Group:
    invocation: Invocation = ctx.find_root().obj
    group: click.Group = invocation.registry.load("command", "store")
    return group


@server.group(cls=_OfStore)
@click.pass_context
def database(ctx: click.Context) -> None:
    """Look after the run store behind the server.

    It is the one that this machine's settings name; the commands are those of `headrace store`.
    """
    ctx.obj = ctx.obj.here()

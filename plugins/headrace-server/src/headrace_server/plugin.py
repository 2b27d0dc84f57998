"""What headrace-server offers, and the hooks that it calls."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from headrace.hooks import Provider, hookimpl
from headrace.hooks.specs import hookspec

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.routing import BaseRoute

    from headrace.ports.client import OpenClient
    from headrace_server.doors import Asker


class ServerSpecs:
    """The hooks of the server; each is shown as a plugin would write it."""

    @hookspec(firstresult=True)
    def headrace_authenticate(self, request: "Request") -> "Asker | None":
        """Who is asking, by a way of one's own; None where it is not known so, and the tokens decide::

        @hookimpl(optionalhook=True)
        def headrace_authenticate(request):
            if (name := name_in_session(request)) is not None:
                return Asker(name=name, scope=Scope.OPERATOR)
        """

    @hookspec
    def headrace_routes(self, client: "OpenClient") -> "Iterable[BaseRoute]":  # type: ignore[empty-body]
        """Routes beside those of the API; to read them takes the scope viewer, to change anything the scope operator::

        @hookimpl(optionalhook=True)
        def headrace_routes(client):
            yield Route("/acme/runs", AcmePage(client))
        """


@hookimpl
def headrace_addhooks(plugins: Any) -> None:
    plugins.add_hookspecs(ServerSpecs)


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("server", "headrace_server.command:server", "Serve the web API, and look after its store")

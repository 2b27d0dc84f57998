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
    from headrace_server.pages import Lent, Panel


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
    def headrace_routes(self, client: "OpenClient", server: "Lent") -> "Iterable[BaseRoute]":  # type: ignore[empty-body]
        """Routes beside those of the API; to read them takes the scope viewer, to change anything the scope operator::

        @hookimpl(optionalhook=True)
        def headrace_routes(client):
            yield Route("/acme/runs", AcmePage(client))

        `server` lends what pages may need beside the client. A route that is an `OpenRoute` of headrace_server.pages is open to everybody.
        """

    @hookspec
    def headrace_panels(self, place: str, page: Any) -> "Iterable[Panel]":  # type: ignore[empty-body]
        """Boxes on pages of a dashboard; `place` is the page, such as "overview" or "flow-run", and `page` has what it shows::

        @hookimpl(optionalhook=True)
        def headrace_panels(place, page):
            if place == "flow-run":
                yield Panel(title="Cost", content=f"{cost_of(page.run):.2f} EUR", link="acme/costs")

        At the place "menu" the link of a panel is that of a page in the menu.
        """


@hookimpl
def headrace_addhooks(plugins: Any) -> None:
    plugins.add_hookspecs(ServerSpecs)


@hookimpl
def headrace_commands() -> Iterator[Provider[Any]]:
    yield Provider("server", "headrace_server.command:server", "Serve the web API, and look after its store")

"""The page that says what is wrong, and what to do."""

from http import HTTPStatus

from starlette.requests import Request

from headrace.errors import HeadraceError
from headrace_dashboard.view import View
from headrace_server.pages import Lent


class TroublePage(View):
    """What is wrong, in place of a page."""

    template = "trouble.html"
    title = "Not possible"

    def __init__(self, server: Lent, request: Request, error: HeadraceError) -> None:
        super().__init__(server, request)
        self.trouble = error
        self.advice = ""


class BugPage(View):
    """What nobody foresaw, in place of a page."""

    template = "trouble.html"
    title = "This is a bug in headrace"
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, server: Lent, request: Request, number: str) -> None:
        super().__init__(server, request)
        self.advice = f"The server's log tells more under {number}."

"""The page that says what is wrong, and what to do."""

from http import HTTPStatus

from headrace.errors import HeadraceError
from headrace_dashboard.view import View
from headrace_dashboard.visit import Visit


class TroublePage(View):
    """What is wrong, in place of a page."""

    template = "trouble.html"
    title = "Not possible"

    def __init__(self, visit: Visit, error: HeadraceError) -> None:
        super().__init__(visit)
        self.trouble = error
        self.advice = ""


class BugPage(View):
    """What nobody foresaw, in place of a page."""

    template = "trouble.html"
    title = "This is a bug in headrace"
    status = HTTPStatus.INTERNAL_SERVER_ERROR

    def __init__(self, visit: Visit, number: str) -> None:
        super().__init__(visit)
        self.advice = f"The server's log tells more under {number}."

"""Pages that only a copy has: what is in it, and what is told where something is not."""

from collections.abc import Sequence

from headrace_dashboard.copies.sheets import Sheet
from headrace_dashboard.view import View
from headrace_dashboard.visit import Visit


class ContentsPage(View):
    """What is in a copy."""

    template = "copied.html"
    title = "What is in this copy"
    section = "copy"
    is_missing = False

    def __init__(self, visit: Visit, sheets: Sequence[Sheet]) -> None:
        super().__init__(visit)
        self.sheets = sheets


class NotCopiedPage(ContentsPage):
    """What is told where a page was not copied."""

    title = "Not copied"
    is_missing = True

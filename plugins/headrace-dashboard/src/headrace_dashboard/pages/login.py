"""The page on which one says who one is, where a token is needed."""

from urllib.parse import urlsplit

from headrace.errors import NotAuthenticated
from headrace_dashboard.browsing import Browsing
from headrace_dashboard.forms import Form
from headrace_dashboard.view import Done, View


class LoginPage(View):
    """Where one says who one is."""

    template = "login.html"
    title = "Sign in"
    is_open = True
    visit: Browsing

    def do_login(self, form: Form) -> Done:
        """Keeps the token in this browser, where no script sees it. Raises NotAuthenticated."""
        token = form.text("token")
        if not token:
            raise NotAuthenticated(why="no token was given")
        self.visit.check(token)
        return Done("", to=self._goal(form.text("next")), cookies={self.visit.cookie: token})

    def do_logout(self, _: Form) -> Done:
        """Forgets it."""
        return Done("You have signed out.", to="login", cookies={self.visit.cookie: ""})

    def _goal(self, wanted: str) -> str:
        """A page of this site, whatever was asked for."""
        parts = urlsplit(wanted)
        is_here = not parts.scheme and not parts.netloc and not wanted.startswith(("/", "\\"))
        return f"./{wanted}" if is_here else "./"

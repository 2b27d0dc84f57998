"""Who looks, and what they may do."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from servers.own import COMMAND, environment, headrace_server

from headrace_dashboard.site import PAGES


@pytest.fixture
def tokens(home: Path) -> dict[str, str]:
    """A token for each of some scopes."""
    made = {}
    for scope in ("viewer", "operator"):
        command = [COMMAND, "server", "token", "--here", "create", scope, "--scope", scope, "--json"]
        done = subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True)
        made[scope] = json.loads(done.stdout)["token"]
    return made


@pytest.fixture
def http(home: Path, tokens: dict[str, str]) -> Iterator[httpx.Client]:
    """A browser before a server that asks who one is."""
    with headrace_server(home, "--no-services", "--require-token") as api:
        with httpx.Client(base_url=api.removesuffix("api"), headers={"Accept": "text/html"}) as client:
            yield client


def sign_in(http: httpx.Client, token: str, **more: str) -> httpx.Response:
    return http.post("login", data={"do": "login", "token": token, **more})


def test_led_to_the_login(http: httpx.Client) -> None:
    """Who is not known is led to where one says who one is, and from there to where one wanted to go; by relative addresses."""
    asked = http.get("flow-runs?state=FAILED")
    assert (asked.status_code, asked.headers["location"]) == (303, "./login?next=flow-runs%3Fstate%3DFAILED")
    deeper = http.get("flow-runs/x/log.txt")
    assert deeper.headers["location"].startswith("../../login?next=")
    shown = http.get("login?next=flow-runs")
    assert shown.status_code == 200
    assert "Sign in" in shown.text
    assert 'value="flow-runs"' in shown.text
    assert http.get("flow-runs", headers={"Accept": "application/json"}).status_code == 401
    assert http.get("api/agents").status_code == 401


@pytest.mark.parametrize("path", [re.sub(r"\{[^}]*\}", "x", path) for path, _ in PAGES] + ["/live"])
def test_every_page_asks_who_it_is(http: httpx.Client, tokens: dict[str, str], path: str) -> None:
    """None is shown to who is not known, and on none anything is done."""
    assert http.get(path).status_code == 303
    assert http.get(path, headers={"Accept": "*/*"}).status_code == 401
    assert http.post(path, data={"do": "delete"}).status_code in (303, 405)


def test_signing_in_and_out(http: httpx.Client, tokens: dict[str, str]) -> None:
    """The token is kept where no script and no other site sees it, opens pages, and not the API; signing out forgets it."""
    done = sign_in(http, tokens["operator"], next="flow-runs?state=FAILED")
    assert (done.status_code, done.headers["location"]) == (303, "./flow-runs?state=FAILED")
    cookie = done.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    page = http.get("flow-runs")
    assert page.status_code == 200
    assert "operator" in page.text
    assert tokens["operator"] not in page.text
    assert http.get("api/agents").status_code == 401
    assert http.post("login", data={"do": "logout"}).status_code == 303
    assert http.get("flow-runs").status_code == 303


@pytest.mark.parametrize("token", ["", "nonsense", "hrt_x_y"])
def test_a_token_that_is_not_known(http: httpx.Client, token: str) -> None:
    """Is refused with a sentence, and nothing is kept."""
    answer = sign_in(http, token)
    assert answer.status_code == 401
    assert 'role="alert"' in answer.text
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("wanted", ["https://elsewhere.example/", "//elsewhere.example/", "/absolute", "\\\\elsewhere.example"])
def test_nobody_is_led_away(http: httpx.Client, tokens: dict[str, str], wanted: str) -> None:
    """What is wanted after signing in is a page of this site."""
    assert sign_in(http, tokens["viewer"], next=wanted).headers["location"] == "./"


def test_who_may_only_look(http: httpx.Client, tokens: dict[str, str]) -> None:
    """Sees no buttons, and is refused what takes more."""
    sign_in(http, tokens["viewer"])
    page = http.get("flow-runs")
    assert page.status_code == 200
    assert "Cancel…" not in page.text
    assert http.post("flow-runs", data={"do": "change", "change": "delete"}).status_code == 403


def test_pages_of_others(site: Any) -> None:
    """A page of another address can have nothing done, and shows this site in no frame; nothing in a page runs that is not a file of the site."""
    asked = {"Origin": "http://elsewhere.example"}
    assert site.http.post("flow-runs", data={"do": "change", "change": "delete"}, headers=asked).status_code == 403
    policy = site.http.get("flow-runs").headers["content-security-policy"]
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy


def test_a_cookie_is_of_one_server(http: httpx.Client, tokens: dict[str, str], home: Path, site: Any) -> None:
    """It is called after the server's home and sent to nobody beside its pages; where no token is needed, one that is not known says nothing."""
    given = sign_in(http, tokens["viewer"]).headers["set-cookie"]
    name = given.partition("=")[0]
    assert name.startswith("headrace_token_")
    assert "path=" not in given.lower()
    assert site.http.get("", headers={"Cookie": f"{name}=of_another; headrace_token=of_another"}).status_code == 200

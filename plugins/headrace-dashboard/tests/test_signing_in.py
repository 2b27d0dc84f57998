"""Signing in and out in a real browser, and what is offered to who may only look."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from playwright.sync_api import expect
from servers.own import COMMAND, environment, headrace_server

import headrace
from headrace.model.deployments import Code, Deployment
from headrace.settings import load


@attrs.frozen
class Guarded:
    """A server that asks who one is, with a token for each of two scopes."""

    address: str
    tokens: dict[str, str]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    """One of them, with a deployment."""
    home: Path = tmp_path_factory.mktemp("guarded") / "home"
    tokens = {}
    for scope in ("viewer", "operator"):
        command = [COMMAND, "server", "token", "--here", "create", f"{scope}-name", "--scope", scope, "--json"]
        tokens[scope] = json.loads(subprocess.run(command, env=environment(home), capture_output=True, text=True, check=True).stdout)[
            "token"
        ]
    with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house:
        now = house.clock.now()
        house.client.put_deployments(
            (Deployment(id="etl-daily", name="daily", flow_name="etl", code=Code(entrypoint="flows:etl"), created=now, updated=now),)
        )
    with headrace_server(home, "--no-services", "--require-token") as api:
        yield Guarded(api.removesuffix("api"), tokens)


def sign_in(page: Any, token: str) -> None:
    """Types a token."""
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Sign in").click()


def test_in_and_out(guarded: Guarded, opened: Any) -> None:
    """Who is not known is asked, told what is wrong, led to where they wanted, and asked again after they signed out."""
    with opened(guarded.address) as page:
        page.goto("deployments/etl-daily")
        expect(page.get_by_label("Token")).to_be_focused()
        sign_in(page, "hrt_no_token")
        expect(page.get_by_role("alert")).to_be_visible()
        sign_in(page, guarded.tokens["operator"])
        expect(page.get_by_role("heading", level=1)).to_have_text("etl/daily")
        expect(page.get_by_text("operator-name")).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("etl/daily Paused")
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Token")).to_be_visible()
        page.goto("deployments/etl-daily")
        expect(page.get_by_label("Token")).to_be_visible()


def test_who_may_only_look(guarded: Guarded, opened: Any) -> None:
    """Nothing that changes anything is offered, and all is shown, the code too."""
    with opened(guarded.address) as page:
        page.goto("deployments/etl-daily")
        sign_in(page, guarded.tokens["viewer"])
        expect(page.get_by_role("heading", level=1)).to_contain_text("etl/daily")
        for path in (
            "deployments/etl-daily",
            "deployments/etl-daily/schedules/new",
            "deployments/etl-daily/code",
            "flow-runs",
            "work-queues",
        ):
            page.goto(path)
            expect(page.locator("button[name=do]")).to_have_text("Sign out")
        page.goto("deployments/etl-daily/schedules/new")
        expect(page.get_by_text("You may look at schedules, and not change any.")).to_be_visible()
        page.goto("deployments/etl-daily/code")
        expect(page.get_by_text("Its code is not kept: flows:etl is installed where its runs are.")).to_be_visible()


def test_signed_out_elsewhere(guarded: Guarded, opened: Any) -> None:
    """A page whose session has ended says so when something changes, and stays as it was."""
    with opened(guarded.address) as page:
        page.goto("deployments/etl-daily")
        sign_in(page, guarded.tokens["operator"])
        page.goto("deployments")
        page.wait_for_load_state("networkidle")
        page.context.clear_cookies()
        page.evaluate("refreshAll()")
        expect(page.get_by_text("you are not signed in any more")).to_be_visible()
        expect(page.get_by_role("navigation", name="Pages")).to_have_count(1)
        page.get_by_role("link", name="Load it anew").click()
        expect(page.get_by_label("Token")).to_be_visible()

"""The tutorial on the pages of the dashboard, in a real browser, from the moment on that a deployment is there."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect, sync_playwright
from servers.own import COMMAND, environment, headrace_server

EXAMPLES = Path(__file__).parents[2] / "examples" / "tutorial"


def test_the_main_job(tmp_path: Path) -> None:
    """A queue is made, a run asked for, an agent started by the command that is shown; the page that is open shows how it runs, and Hello Leo!"""
    shutil.copytree(EXAMPLES, tmp_path / "tutorial")
    home = tmp_path / "home"
    _run([COMMAND, "deployment", "create", "leo_deployment.py"], home, tmp_path / "tutorial")
    with headrace_server(home) as api, sync_playwright() as playwright:
        browser: Any = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(base_url=api.removesuffix("api"))
        command = _make_queue(page)
        page.goto("deployments")
        page.get_by_role("button", name="Quick run of leonardo_dicapriflow/leonardo-deployment").click()
        heading = page.get_by_role("heading", level=1)
        expect(heading).to_contain_text("Scheduled")
        _run([COMMAND, *command.split()[1:], "--run-once"], home, tmp_path)
        expect(heading).to_contain_text("Completed")
        expect(page.locator(".log")).to_contain_text("Hello Leo!")
        browser.close()


def _make_queue(page: Page) -> str:
    """Makes the work queue; gives the command that its page shows."""
    page.goto("work-queues/new")
    page.get_by_label("Name").fill("tutorial_queue")
    page.get_by_label("Tags").fill("tutorial")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("status")).to_have_text("tutorial_queue was created.")
    shown = page.get_by_text("headrace agent start tutorial_queue").first
    return str(shown.inner_text())


def _run(command: list[str], home: Path, folder: Path) -> None:
    done = subprocess.run(command, env=environment(home), cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr

"""The page on the dashboard: the plugin that it shows does what it says."""

import re
from pathlib import Path
from urllib.request import urlopen

from servers.own import headrace_server

import headrace
from headrace.model.runs import FlowRun
from headrace.model.states import State
from headrace.settings import load

PAGE = Path(__file__).parents[2] / "docs" / "dashboard.md"


def read(address: str) -> str:
    with urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def test_boxes_and_pages_of_ones_own(tmp_path: Path) -> None:
    """The box is on the page of a run, and the page is in the menu."""
    (block,) = re.findall(r"^```py\n# headrace_acme/plugin.py\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    (tmp_path / "headrace_plugin.py").write_text(block)
    home = tmp_path / "home"
    with headrace.open(load({"HEADRACE_HOME": str(home)}), lasting=True) as house:
        run_id = house.ids.new()
        run = FlowRun(
            id=run_id, name="otter", state=State.pending(), created=house.clock.now(), flow_name="f", root_id=run_id, parameters={"a": 1}
        )
        house.client.create_flow_run(run)
    with headrace_server(home, "--no-services", folder=tmp_path) as api:
        address = api.removesuffix("api")
        shown = read(f"{address}flow-runs/{run_id}")
        assert "1 were given." in shown
        assert 'href="../acme"' in shown
        assert read(f"{address}acme") == "0 agents"


def test_every_page_has_its_picture() -> None:
    """Each that is linked is there; and each that is there is of a page that is taken."""
    folder = PAGE.with_name("screenshots")
    taken = set(re.findall(r'Picture\("([\w-]+)"', Path(__file__).parents[1].joinpath("screenshots", "take.py").read_text()))
    linked = set(re.findall(r"screenshots/([\w-]+)\.png", PAGE.read_text()))
    assert {file.stem for file in folder.iterdir()} == taken
    assert linked <= taken

"""What a work queue asks of runs, as it is typed and shown."""

from typing import Any

import click
import pytest

from headrace.cli import criteria
from headrace.cli.naming import deployment_names
from headrace.errors import Ambiguous, NotFound, NotInstalled, WrongData
from headrace.instance import Instance
from headrace.model.criteria import all_in_words
from headrace.model.deployments import Code, Deployment
from headrace.model.queues import WorkQueue

NOTHING: dict[str, Any] = {"tags": (), "deployments": (), "flow_runners": (), "matches": {}}


def deployed(house: Instance, *full_names: str) -> dict[str, str]:
    """The ids of deployments that are made, by their names."""
    now = house.clock.now()
    code = Code(entrypoint="flows:hello")
    made = [
        Deployment(id=house.ids.new(), flow_name=flow, name=name, code=code, created=now, updated=now)
        for flow, _, name in (full_name.partition("/") for full_name in full_names)
    ]
    return {found.full_name: found.id for found in house.client.put_deployments(tuple(made))}


def checked(house: Instance, **given: Any) -> dict[str, Any]:
    """The criteria that come of what is typed."""
    return criteria.checked(house.registry, house.client, **{**NOTHING, **given})


def queue_with(house: Instance, **asked: Any) -> WorkQueue:
    """A queue with these criteria."""
    now = house.clock.now()
    return WorkQueue(id=house.ids.new(), name="q", criteria=asked, created=now, updated=now)


def test_a_flow_runner_that_is_not_installed_is_warned_of(house: Instance, capsys: pytest.CaptureFixture[str]) -> None:
    """It is taken all the same, since it may be installed where the runs are."""
    if not house.registry.has("queue matcher", "flow_runners"):
        pytest.skip("queue matcher 'flow_runners' is not installed")
    assert checked(house, flow_runners=("universal", "dokcer")) == {"flow_runners": ["dokcer", "universal"]}
    installed = ", ".join(house.registry.offers("flow runner"))
    assert capsys.readouterr().err == f"warning: no flow runner 'dokcer' is installed here; installed: {installed}\n"
    checked(house, flow_runners=("universal",))
    assert capsys.readouterr().err == ""


def test_each_is_checked_by_its_matcher(house: Instance) -> None:
    """What is typed is kept in the shape that its matcher gives it; what is not typed is not asked for."""
    assert checked(house) == {}
    assert checked(house, matches={"flows": ["b", "a", "b"]}) == {"flows": ["a", "b"]}


def test_what_no_matcher_takes(house: Instance) -> None:
    """A matcher that is not there is named with those that are; a shape that it refuses is refused in its words."""
    with pytest.raises(NotInstalled, match="no queue matcher named 'nobody'; installed: .*flows"):
        checked(house, matches={"nobody": 1})
    with pytest.raises(WrongData, match="queue matcher 'flows': one text is needed"):
        checked(house, matches={"flows": 1})


def test_one_criterion_is_typed_in_one_way(house: Instance) -> None:
    """A criterion that is given by its own option and by --match is a slip."""
    with pytest.raises(click.UsageError, match="tags is asked for by --match and by an option of its own"):
        checked(house, tags=("a",), matches={"tags": ["a"]})


@pytest.mark.parametrize(("given", "error"), [("nobody", NotFound), ("nightly", Ambiguous), ("hello/weekly", NotFound)])
def test_a_deployment_that_is_not_one(house: Instance, given: str, error: type[Exception]) -> None:
    """A deployment is found before anything is asked of its matcher."""
    deployed(house, "hello/nightly", "bye/nightly")
    with pytest.raises(error):
        checked(house, deployments=(given,))


def test_titles(house: Instance) -> None:
    """Deployments are shown by their names; those that are gone, and what is no list of texts, have none."""
    ids = deployed(house, "hello/nightly", "bye/nightly")
    asked = [
        queue_with(house, deployments=[ids["hello/nightly"], "gone"]),
        queue_with(house, deployments=[ids["bye/nightly"], ids["hello/nightly"]]),
        queue_with(house, deployments={"odd": 1}),
        queue_with(house, flows=["gone"]),
    ]
    assert criteria.titles(house.client, asked) == {found: name for name, found in ids.items()}
    assert criteria.titles(house.client, []) == {}


def test_titles_of_many_deployments(house: Instance) -> None:
    """All are shown by their names, however many there are."""
    ids = deployed(house, *(f"hello/{number}" for number in range(450)))
    assert len(deployment_names(house.client, [*ids.values(), *ids.values()])) == 450


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({}, "every run of every deployment"),
        ({"flows": ["a", "b"]}, "flows: a, b"),
        ({"flows": ["a"], "tags": ["eu", "d1"]}, "flows: a; tags: eu, hello/nightly"),
        ({"hours": {"from": 8, "to": 17}}, 'hours: {"from": 8, "to": 17}'),
        ({"odd": [1, "ü"], "empty": [], "text": "a"}, 'odd: [1, "ü"]; empty: []; text: "a"'),
    ],
)
def test_in_words(house: Instance, asked: dict[str, Any], words: str) -> None:
    """Lists of texts are read as such, with names in place of ids; anything else is JSON."""
    assert all_in_words(queue_with(house, **asked), {"d1": "hello/nightly"}) == words

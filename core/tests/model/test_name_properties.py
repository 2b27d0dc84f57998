"""What holds of all names, whatever they are made of."""

import random
import shlex
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.cli import lookup
from headrace.errors import Ambiguous, InvalidName
from headrace.instance import Instance
from headrace.model.deployments import Code, Deployment, RunRequest
from headrace.model.filters import DeploymentFilter, Page
from headrace.model.names import FORBIDDEN, LONGEST, checked_name
from headrace.model.queues import WorkQueue
from headrace.model.run_names import run_name
from headrace.wire.plain import from_text, to_text

odd = st.sampled_from(
    [
        "",
        " ",
        "-",
        "a-b",
        "水車",
        "é",
        "e\u0301",
        "\u202e",
        "\ud800",
        "\x1b[0m",
        "\n",
        "\u2028",
        "\u200b",
        "😀",
        "'",
        '"',
        "\\",
        "..",
        ".",
        "019a",
        "$(x)",
        "a b",
    ]
)
texts = st.text(max_size=12) | st.lists(odd | st.text(max_size=3), max_size=4).map("".join) | st.integers(240, 260).map("x".__mul__)
many = settings(max_examples=300)
with_a_house = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
"""All examples share a house, in which each forgets what it made."""


def is_accepted(name: str) -> bool:
    """Whether it may be a name."""
    try:
        checked_name("flow", name)
    except InvalidName:
        return False
    return True


accepted = texts.filter(is_accepted)


@many
@given(name=texts)
def test_a_name_is_taken_as_it_is_or_refused_in_a_sentence(name: str) -> None:
    """The sentence is one line that any terminal can show, and says what is wrong with which name, cut where it is too long."""
    try:
        assert checked_name("flow", name) is name
    except InvalidName as refused:
        said = str(refused)
        assert said.startswith("flow name ")
        assert said.isprintable()
        assert len(said) < 20 * LONGEST


@many
@given(name=accepted)
def test_an_accepted_name_does_no_harm(name: str) -> None:
    """It is one line, steers no terminal, is no option, and comes back from an address, a shell and a file."""
    assert name.isprintable()
    assert name.splitlines() == [name]
    assert not FORBIDDEN & set(name)
    assert not name.startswith("-")
    assert 1 <= len(name) <= LONGEST
    assert unquote(quote(name, safe="")) == name
    assert shlex.split(shlex.quote(name)) == [name]
    assert name.encode().decode() == name
    assert from_text(str, to_text(name)) == name


@with_a_house
@given(flow=accepted, own=accepted, run=accepted)
def test_what_is_called_so_is_found(house: Instance, flow: str, own: str, run: str) -> None:
    """A deployment by its full name and its own, a work queue and a run by theirs, as the command line looks for them."""
    client, now = house.client, house.clock.now()
    deployment = Deployment(id=house.ids.new(), name=own, flow_name=flow, code=Code(entrypoint="m:f"), created=now, updated=now)
    client.put_deployments((deployment,))
    queue = client.put_work_queue(WorkQueue(id=house.ids.new(), name=own, created=now, updated=now))
    made = client.request_run(RunRequest(id=house.ids.new(), deployment_id=deployment.id, name=run))
    try:
        assert lookup.deployment(client, f"{flow}/{own}").id == deployment.id
        assert client.read_deployments(DeploymentFilter(names=(own,)), Page())[0].full_name == f"{flow}/{own}"
        assert queue.id in candidates(lambda: lookup.work_queue(client, own).id)
        assert made.id in candidates(lambda: lookup.flow_run(client, run).id)
    finally:
        client.delete_flow_run(made.id)
        client.delete_deployment(deployment.id)
        client.delete_work_queue(queue.id)


def candidates(look: Callable[[], str]) -> tuple[str, ...]:
    """What is found, or what it might be: a name may also be the start of an id."""
    try:
        return (look(),)
    except Ambiguous as several:
        return several.candidates


@with_a_house
@given(name=texts.filter(lambda name: not is_accepted(name)))
def test_a_refused_name_is_given_to_nothing(house: Instance, name: str) -> None:
    """Neither to a work queue nor to a run, and nothing is half made."""
    client, now = house.client, house.clock.now()
    with pytest.raises(InvalidName):
        client.put_work_queue(WorkQueue(id="q", name=name, created=now, updated=now))
    client.put_deployments((Deployment(id="d", name="d", flow_name="f", code=Code(entrypoint="m:f"), created=now, updated=now),))
    with pytest.raises(InvalidName):
        client.request_run(RunRequest(id="r", deployment_id="d", name=name, is_named=True))


@many
@given(seed=st.integers())
def test_a_name_that_is_made_up_is_accepted(seed: int) -> None:
    """Whatever the generator is at, and it is the same again for the same seed."""
    name = run_name(random.Random(seed))
    assert checked_name("flow run", name) == run_name(random.Random(seed))
    assert shlex.quote(name) == name

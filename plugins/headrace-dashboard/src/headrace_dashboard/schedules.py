"""Changes of a deployment's schedules, one at a time: what others change beside it at the same time is kept."""

from collections.abc import Callable, Iterable
from contextlib import suppress

import attrs

from headrace.errors import ChangedMeanwhile, WrongData
from headrace.model.deployments import Deployment
from headrace.model.schedules import DeploymentSchedule
from headrace.ports.client import OpenClient
from headrace.wire.schedule_words import in_words
from headrace_dashboard.forms import Form

MOST_TRIES = 50
"""How often a change is made anew that changes of other things have come before."""

Schedules = tuple[DeploymentSchedule, ...]


@attrs.frozen
class Seen:
    """The schedule that somebody had before their eyes: which one, and in which version."""

    schedule_id: str
    version: str

    def among(self, found: Deployment) -> DeploymentSchedule | None:
        """The schedule, if it is still there. Raises ChangedMeanwhile where it is another by now."""
        there = next((each for each in found.schedules if each.id == self.schedule_id), None)
        if there is not None and str(there.version) != self.version:
            raise _changed(found)
        return there


def seen(form: Form) -> Seen:
    """What a form says of it."""
    return Seen(form.text("schedule"), form.text("version"))


def add(client: OpenClient, deployment_id: str, wanted: DeploymentSchedule) -> Deployment:
    """Gives a deployment one more; asked twice, it has one. Raises WrongData."""

    def added(found: Deployment) -> Schedules:
        if wanted.wanted in [each.wanted for each in found.schedules]:
            return found.schedules
        _check_new(found, wanted, found.schedules)
        return (*found.schedules, wanted)

    return _put(client, deployment_id, added)


def change(client: OpenClient, deployment_id: str, which: Seen, wanted: DeploymentSchedule) -> Deployment:
    """Puts another in the place of one. Raises ChangedMeanwhile, WrongData."""

    def changed(found: Deployment) -> Schedules:
        before = which.among(found)
        if before is None:
            raise _changed(found)
        _check_new(found, wanted, [each for each in found.schedules if each != before])
        return tuple(wanted if each == before else each for each in found.schedules)

    return _put(client, deployment_id, changed)


def remove(client: OpenClient, deployment_id: str, which: Seen) -> Deployment:
    """Takes one away; one that is gone already stays so. Raises ChangedMeanwhile."""

    def left(found: Deployment) -> Schedules:
        gone = which.among(found)
        return tuple(each for each in found.schedules if each != gone)

    return _put(client, deployment_id, left)


def _put(client: OpenClient, deployment_id: str, changed: Callable[[Deployment], Schedules]) -> Deployment:
    for _ in range(MOST_TRIES):
        found = client.read_deployment(deployment_id)
        wanted = changed(found)
        if wanted == found.schedules:
            return found
        with suppress(ChangedMeanwhile):
            return client.put_schedules(found.id, found.version, wanted)
    raise _changed(found)


def _check_new(found: Deployment, wanted: DeploymentSchedule, others: Iterable[DeploymentSchedule]) -> None:
    if wanted.kind in [each.kind for each in others]:
        raise WrongData(where=f"deployment {found.full_name!r}", why=f"it has this schedule already: {in_words(wanted)}")


def _changed(found: Deployment) -> ChangedMeanwhile:
    return ChangedMeanwhile(what="this schedule of deployment", name=found.full_name)

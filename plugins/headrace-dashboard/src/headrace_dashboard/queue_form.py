"""A work queue as a form has it, and what it would take, before it is kept."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from itertools import islice
from typing import Any, Self

import attrs

from headrace.errors import HeadraceError, InvalidOption, WrongData
from headrace.hooks.known import KNOWN
from headrace.hooks.wanting import Matcher, is_wanted, reasons
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.model.criteria import DEPLOYMENTS, FLOW_RUNNERS, TAGS, texts_in
from headrace.model.deployments import Deployment
from headrace.model.filters import MOST_ROWS, DeploymentFilter, FlowRunFilter, Page, all_of
from headrace.model.queues import WorkQueue
from headrace.model.runs import FlowRun
from headrace.model.states import NOT_ENDED, State
from headrace.ports.client import OpenClient
from headrace.wire.typed_json import parsed
from headrace_dashboard.forms import Form
from headrace_dashboard.numbers import whole_number

OWN = (TAGS, DEPLOYMENTS, FLOW_RUNNERS)
OFFERED = 100
"""As many deployments can be ticked; others are written down."""

MOST_LIMIT = 1_000_000
MOST_LOOKED_AT = 1_000
"""As many runs that have not ended are held against criteria."""

SHOWN = 10
SEVERAL = {TAGS: "tags", FLOW_RUNNERS: "other_flow_runners", DEPLOYMENTS: "other_deployments"}
"""The fields of several lines that criteria of one's own have."""


@attrs.frozen
class Tick:
    """Something that can be ticked."""

    value: str
    title: str
    is_chosen: bool


@attrs.frozen
class JsonField:
    """What a queue matcher looks for that has no fields made for it."""

    name: str
    summary: str
    text: str
    trouble: str = ""


@attrs.frozen(kw_only=True)
class QueueForm:
    """What was typed, or what the queue is."""

    name: str = ""
    description: str = ""
    limit: str = ""
    is_paused: bool = False
    revision: str = "0"
    tags: str = ""
    deployments: frozenset[str] = frozenset()
    other_deployments: str = ""
    flow_runners: frozenset[str] = frozenset()
    other_flow_runners: str = ""
    matches: Mapping[str, str] = attrs.field(factory=dict)

    @classmethod
    def of(cls, queue: WorkQueue) -> Self:
        """That of a queue as it is."""
        asked = queue.criteria
        own = {name: texts_in(asked.get(name)) for name in OWN}
        return cls(
            name=queue.name,
            description=queue.description,
            limit="" if queue.concurrency_limit is None else str(queue.concurrency_limit),
            is_paused=queue.is_paused,
            revision=str(queue.revision),
            tags="\n".join(own[TAGS]),
            deployments=frozenset(own[DEPLOYMENTS]),
            flow_runners=frozenset(own[FLOW_RUNNERS]),
            matches={name: json.dumps(wanted, ensure_ascii=False) for name, wanted in asked.items() if not own.get(name)},
        )

    @classmethod
    def typed(cls, form: Form) -> Self:
        """As it was typed."""
        return cls(
            name=form.text("name"),
            description=form.text("description"),
            limit=form.text("limit"),
            is_paused=bool(form.text("is_paused")),
            revision=form.text("revision", "0"),
            tags=form.text("tags"),
            deployments=frozenset(form.texts("deployment")),
            other_deployments=form.text("other_deployments"),
            flow_runners=frozenset(form.texts("flow_runner")),
            other_flow_runners=form.text("other_flow_runners"),
            matches={name.removeprefix("match."): text.strip() for name, text in form if name.startswith("match.") and text.strip()},
        )

    @property
    def concurrency_limit(self) -> int | None:
        """The limit; None: any number. Raises InvalidOption."""
        if not self.limit:
            return None
        limit = whole_number(self.limit)
        if limit is None or limit > MOST_LIMIT:
            why = f"it is a whole number from 0 to {MOST_LIMIT:,}, or nothing for any number"
            raise InvalidOption(where="work queue", option="limit", value=self.limit[:100], why=why)
        return limit

    def criteria(self, house: Instance) -> dict[str, Any]:
        """What is asked for, each as its matcher keeps it. Raises NotInstalled, NotFound, WrongData."""
        own: dict[str, list[str]] = {
            TAGS: _lines(self.tags),
            DEPLOYMENTS: [*self.deployments, *(_deployment_id(house.client, text) for text in _lines(self.other_deployments))],
            FLOW_RUNNERS: [*self.flow_runners, *_lines(self.other_flow_runners)],
        }
        wanted = {
            **{name: _json(name, text) for name, text in self.matches.items()},
            **{name: texts for name, texts in own.items() if texts},
        }
        return {name: house.registry.make("queue matcher", Choice(name)).checked(asked) for name, asked in wanted.items()}

    def queue(self, house: Instance, queue: WorkQueue) -> WorkQueue:
        """The queue after the change, as a change of what was seen. Raises what is wrong."""
        unusable = {
            name: asked for name, asked in queue.criteria.items() if self.matches.get(name) == json.dumps(asked, ensure_ascii=False)
        }
        asked = attrs.evolve(self, matches={name: text for name, text in self.matches.items() if name not in unusable})
        return attrs.evolve(
            queue,
            name=self.name,
            description=self.description,
            concurrency_limit=self.concurrency_limit,
            is_paused=self.is_paused,
            criteria={**unusable, **asked.criteria(house)},
            revision=whole_number(self.revision) or 0,
            updated=house.clock.now(),
        )

    # What can be chosen

    def deployment_ticks(self, found: Sequence[Deployment]) -> list[Tick]:
        """Deployments by their names, and those that are asked for and gone."""
        known = {each.id: each.full_name for each in found}
        gone = [Tick(each, f"{each} (deleted)", is_chosen=True) for each in sorted(self.deployments - known.keys())]
        ticks = [Tick(each, name, each in self.deployments) for each, name in known.items()]
        return [*sorted(ticks, key=lambda tick: (not tick.is_chosen, tick.title)), *gone]

    def flow_runner_ticks(self, house: Instance) -> list[Tick]:
        """Flow runners that are installed here or known, and others that are asked for."""
        known = {*house.registry.offers("flow runner"), *(name for port, name in KNOWN if port == "flow runner"), *self.flow_runners}
        return [Tick(name, name, name in self.flow_runners) for name in sorted(known)]

    def json_fields(self, house: Instance) -> list[JsonField]:
        """The other matchers, those included that are asked for and cannot be used here."""
        offers = house.registry.offers("queue matcher")
        names = [name for name in offers if name not in OWN]
        names += [name for name in self.matches if name not in names]
        return [self._json_field(house, name, offers[name][0].provider.summary if name in offers else "") for name in names]

    def _json_field(self, house: Instance, name: str, summary: str) -> JsonField:
        trouble = ""
        try:
            house.registry.load("queue matcher", name)
        except HeadraceError as error:
            trouble = str(error)
        return JsonField(name, summary, self.matches.get(name, ""), trouble)


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _json(name: str, text: str) -> Any:
    try:
        return parsed(text)
    except ValueError as error:
        why = f'what it is to look for is no JSON ({error}); a text needs quotation marks, as in ["nightly"]'
        raise WrongData(where=f"queue matcher {name!r}", why=why) from None


def _deployment_id(client: OpenClient, text: str) -> str:
    """That of a deployment by its name; an id is taken as it is."""
    flow, slash, name = text.partition("/")
    if not slash:
        return client.read_deployment(text).id
    found = client.read_deployments(DeploymentFilter(flow_names=(flow,), names=(name,)), Page(limit=1))
    return found[0].id if found else client.read_deployment(text).id


# What would match


@attrs.frozen(kw_only=True)
class Preview:
    """What a queue would take: deployments whose runs it wants and does not, and runs that have not ended."""

    has_criteria: bool
    fitting: Sequence[Deployment]
    others: Sequence[tuple[Deployment, str]]
    has_more_deployments: bool
    waiting: Sequence[FlowRun]
    waiting_count: int
    under_way: Sequence[FlowRun]
    looked_at: int
    has_more_runs: bool
    deployments: Mapping[str, Deployment]


def previewed(house: Instance, queue: WorkQueue) -> Preview:
    """Judged by the same matching by which runs are put into queues."""
    matcher = _matcher(house)
    found = house.client.read_deployments(DeploymentFilter(), Page(limit=MOST_ROWS))
    judged = [(each, _why_not(queue, _run_of(each), matcher)) for each in found]
    runs = runs_not_ended(house.client)
    of_deployments = [run for run in runs if run.deployment_id is not None]
    known = {each.id: each for each in found}
    deployments = {**known, **_deployments(house.client, {run.deployment_id for run in of_deployments} - known.keys())}
    wanted = [run for run in of_deployments if is_wanted(queue, run, matcher)]
    waiting = [run for run in wanted if run.state.is_scheduled() and not _is_paused(deployments, run)]
    waiting.sort(key=lambda run: (run.state.scheduled_time or run.created, run.id))
    return Preview(
        has_criteria=bool(queue.criteria),
        fitting=[each for each, why in judged if not why],
        others=[(each, why) for each, why in judged if why],
        has_more_deployments=len(found) == MOST_ROWS,
        waiting=waiting[:SHOWN],
        waiting_count=len(waiting),
        under_way=[run for run in wanted if not run.state.is_scheduled()],
        looked_at=len(runs),
        has_more_runs=len(runs) >= MOST_LOOKED_AT,
        deployments=deployments,
    )


def runs_not_ended(client: OpenClient) -> list[FlowRun]:
    """Root runs that have not ended, those made first first, as many as are looked at."""
    wanted = FlowRunFilter(state_types=NOT_ENDED, root_only=True)
    return list(islice(all_of(client.read_flow_runs, wanted, newest_first=False), MOST_LOOKED_AT))


def _matcher(house: Instance) -> Matcher:
    return cache(lambda name: house.registry.make("queue matcher", Choice(name)))


def _run_of(deployment: Deployment) -> FlowRun:
    """A run of a deployment as it would be."""
    return FlowRun(
        id=deployment.id,
        root_id=deployment.id,
        name="a run",
        state=State.scheduled(deployment.updated),
        created=deployment.updated,
        tags=deployment.tags,
        flow_name=deployment.flow_name,
        flow_version=deployment.flow_version,
        parameters=deployment.parameters,
        deployment_id=deployment.id,
        flow_runner=deployment.flow_runner,
        max_restarts=deployment.max_restarts,
    )


def _why_not(queue: WorkQueue, run: FlowRun, matcher: Matcher) -> str:
    return "; ".join(reason.why for reason in reasons(queue, run, matcher) if not reason.fits)


def _deployments(client: OpenClient, ids: Iterable[str | None]) -> Mapping[str, Deployment]:
    wanted = tuple(sorted(each for each in ids if each is not None))[:MOST_ROWS]
    return {each.id: each for each in client.read_deployments(DeploymentFilter(ids=wanted), Page())} if wanted else {}


def _is_paused(deployments: Mapping[str, Deployment], run: FlowRun) -> bool:
    found = deployments.get(run.deployment_id or "")
    return found is not None and found.is_paused

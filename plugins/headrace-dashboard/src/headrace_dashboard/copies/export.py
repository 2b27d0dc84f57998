"""Exporting: a copy is planned, written and, for support, swept."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

import headrace
from headrace import instance
from headrace.cli import show
from headrace.cli.hidden_secrets import HiddenSecrets
from headrace.hooks.registry import Registry
from headrace.instance import Instance
from headrace.model.logs import LogLine
from headrace.settings import HIDDEN, Settings
from headrace_dashboard.copies.copy import Copy
from headrace_dashboard.copies.known_secrets import KnownSecrets
from headrace_dashboard.copies.looking import looked_at, without_logs, without_parameters
from headrace_dashboard.copies.plan import Plan, Wanted, chosen_runs
from headrace_dashboard.copies.sweeping import sweep_again, swept, without_keys
from headrace_dashboard.copies.writing import Growing, checked, written
from headrace_dashboard.visit import CopyFacts

REPORT = "report.txt"


@attrs.frozen(kw_only=True)
class Asked:
    """What somebody wants to have copied, and where to; `report` is what a support bundle tells of the installation, None for any other copy."""

    target: Path
    pages: tuple[str, ...]
    number: int
    given: tuple[str, ...]
    report: Iterable[str] | None
    has_logs: bool
    has_parameters: bool
    overwrites: bool


@attrs.frozen(kw_only=True)
class Done:
    """What was copied. `secrets` were replaced, and something stands in their place in so many files; `unknown` are storages whose secrets could not be had,
    to be looked for."""

    target: Path
    pages: int
    secrets: int = 0
    swept_files: int = 0
    unknown: tuple[str, ...] = ()


def exported(settings: Settings, registry: Registry, environment: Mapping[str, str], asked: Asked) -> Done:
    """Writes a copy. Raises CopyNotWritten, NotFound, Ambiguous, and what the client raises."""
    target = checked(asked.target, overwrites=asked.overwrites)
    with instance.open(settings, registry=registry, lasting=True) as house:
        plan = _planned(house, asked)
        facts = CopyFacts(
            made=house.clock.now(),
            version=headrace.__version__,
            has_logs=asked.has_logs,
            has_parameters=asked.has_parameters,
            is_support=asked.report is not None,
        )
        marks = {"headrace": facts.version, "made": facts.made.isoformat(), "is_support": facts.is_support}
        with written(target, made=facts.made, facts=marks) as growing:
            if asked.report is None:
                _write(house, plan, facts, growing, None)
                return Done(target=target, pages=len(plan.sheets))
            return _bundled(house, plan, facts, growing, asked.report, target, HiddenSecrets.of(settings, environment))


def _planned(house: Instance, asked: Asked) -> Plan:
    show.progress("looking for what is to be copied")
    wanted = Wanted(
        pages=asked.pages,
        runs=asked.number,
        chosen=chosen_runs(house.client, asked.given),
        failed_first=asked.report is not None,
        has_logs=asked.has_logs,
    )
    return Plan(house.client, wanted).made()


def _bundled(
    house: Instance, plan: Plan, facts: CopyFacts, growing: Growing, report: Iterable[str], target: Path, hidden: HiddenSecrets
) -> Done:
    """A copy without secrets, with a report."""
    looking = KnownSecrets(house)
    hidden = hidden.knowing(looking.of(plan.runs, plan.deployments))
    _write(house, plan, facts, growing, hidden)
    growing.write(REPORT, (swept(part, hidden, is_html=False) for part in report))
    show.progress("looking once more for secrets")
    sweep_again(growing.files, hidden)
    return Done(
        target=target,
        pages=len(plan.sheets),
        secrets=len(hidden.replaced),
        swept_files=sum(HIDDEN in path.read_text(encoding="utf-8") for path in growing.files),
        unknown=tuple(looking.unknown),
    )


def _write(house: Instance, plan: Plan, facts: CopyFacts, growing: Growing, hidden: HiddenSecrets | None) -> None:
    def change(answer: Any) -> Any:
        shown = answer if facts.has_parameters else without_parameters(answer)
        shown = shown if facts.has_logs else without_logs(shown)
        if hidden is None:
            return shown
        is_log = isinstance(shown, list) and all(isinstance(each, LogLine) for each in shown)
        return hidden.gone(without_keys(shown, hidden) if is_log else shown)

    def sweep(text: str, *, is_html: bool) -> str:
        return text if hidden is None else swept(text, hidden, is_html=is_html)

    Copy(house=looked_at(house, change), plan=plan, facts=facts, sweep=sweep, say=show.progress).write(growing)

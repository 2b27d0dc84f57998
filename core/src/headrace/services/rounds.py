"""Services at work, a round at a time; whoever calls owns the thread, the signals and the waiting."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Self

import attrs

from headrace.errors import HeadraceError, MayPass
from headrace.instance import Instance
from headrace.model.choices import Choice
from headrace.ports.service import Service

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=1), timedelta(seconds=60)
"""After how long a round that failed is tried again: at first, and at most."""

logger = logging.getLogger("headrace.services")


@attrs.define
class _Turn:
    """When a service is to do its next round, by the monotonic clock: a clock on the wall that is set back keeps no round waiting."""

    service: Service
    at: float
    failures: int = 0


class Rounds:
    """Steps services when they are due. A round that fails is told once and tried again; it stands in no other's way. What all of them meet, such as a
    server that is away, is told once for all."""

    def __init__(self, house: Instance, services: Mapping[str, Service]) -> None:
        self._house = house
        now = house.clock.monotonic()
        self._turns = {name: _Turn(service, now) for name, service in services.items()}
        self._away = ""

    @classmethod
    def of_all_installed(cls, house: Instance) -> Self:
        """Every service that a plugin offers; one that cannot be loaded is told and left out."""
        services: dict[str, Service] = {}
        for name in house.registry.offers("service"):
            try:
                services[name] = house.registry.make("service", Choice(name))
            except HeadraceError as error:
                logger.error("Service %r is left out: %s", name, error)
        return cls(house, services)

    @property
    def names(self) -> tuple[str, ...]:
        """Which services these are."""
        return tuple(self._turns)

    def step(self) -> datetime | None:
        """Does the rounds that are due; when the next one is, if there is any."""
        for name, turn in self._turns.items():
            began, now = self._house.clock.monotonic(), self._house.clock.now()
            if turn.at <= began:
                turn.at = began + (self._round(name, turn, now) - now).total_seconds()
        first = min((turn.at for turn in self._turns.values()), default=None)
        return None if first is None else self._house.clock.now() + timedelta(seconds=first - self._house.clock.monotonic())

    def _round(self, name: str, turn: _Turn, now: datetime) -> datetime:
        try:
            following = turn.service.step(self._house.client, now)
        except MayPass as error:
            is_told, self._away = self._away == str(error), str(error)
            return self._failed(turn, now, "" if is_told else f"Services are tried again later: {error}", None)
        except HeadraceError as error:
            return self._failed(turn, now, f"Service {name!r} is tried again later: {error}", None)
        except Exception as error:
            return self._failed(turn, now, f"Service {name!r} failed, and is tried again later: {error}", error)
        turn.failures, self._away = 0, ""
        return following

    def _failed(self, turn: _Turn, now: datetime, sentence: str, error: Exception | None) -> datetime:
        turn.failures += 1
        if turn.failures == 1 and sentence:
            logger.warning("%s", sentence, exc_info=error)
        return now + min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(turn.failures - 1, 10)))

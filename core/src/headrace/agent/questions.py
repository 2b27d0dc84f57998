"""The questions of an agent to a server: each is asked in a thread beside, so that a signal is heard while the server says nothing."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, cast

import attrs

from headrace.errors import ApiAway
from headrace.instance import Instance
from headrace.places import client_choice
from headrace.ports.client import OpenClient

HEARD_SECONDS = 0.6
"""How long a question that is under way when a signal comes may still take."""

TICK = 0.25
"""A signal that comes just when the waiting begins is heard after that."""

Question = Callable[[], Any]


@attrs.frozen
class _Answer:
    """What came of a question."""

    result: Any = None
    error: BaseException | None = None


_HURRY = _Answer()


class Questions:
    """Asks a client, the one at `where`, from one thread. Its methods are those of the client. Raises ApiAway for what is given up.

    What was given up may be answered all the same: every question of an agent may be asked twice.
    """

    def __init__(self, client: OpenClient, *, where: str) -> None:
        self._client = client
        self._where = where
        self._most = inf
        self._is_hurried = False
        self._asked_beside: SimpleQueue[tuple[Question, SimpleQueue[_Answer]] | None] | None = None
        self._answers: SimpleQueue[_Answer] = SimpleQueue()

    def hurry(self) -> None:
        """Gives up, after a moment, what is being asked, and so all that is asked until `allow`. A signal's handler may call it in the middle of anything."""
        self._is_hurried = True
        self._answers.put(_HURRY)  # which is made for that

    def allow(self, seconds: float = inf) -> None:
        """From now on every question may take so long."""
        self._most = seconds
        self._is_hurried = False

    def close(self) -> None:
        """Lets go of the thread, which ends with what it is asking."""
        if self._asked_beside is not None:
            self._asked_beside.put(None)
            self._asked_beside = None

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = getattr(self._client, name)

        def asked(*values: Any, **named: Any) -> Any:
            return self._asked(partial(operation, *values, **named))

        vars(self)[name] = asked  # found at once the next time
        return asked

    def _asked(self, question: Question) -> Any:
        answers = self._answers = SimpleQueue()  # before it is known whether there is hurry, so that no signal falls between
        most = left = HEARD_SECONDS if self._is_hurried else self._most
        self._beside().put((question, answers))
        while True:
            tick = min(TICK, max(0.0, left))
            try:
                answer = answers.get(timeout=tick)
            except Empty:
                left -= tick
                if left > 0:
                    continue
                self.close()
                raise ApiAway(
                    where=self._where, why=f"nothing came within {most:.3g} seconds, and it is not waited for any longer"
                ) from None
            if answer is not _HURRY:
                break
            most = left = min(left, HEARD_SECONDS)
        if answer.error is not None:
            raise answer.error
        return answer.result

    def _beside(self) -> "SimpleQueue[tuple[Question, SimpleQueue[_Answer]] | None]":
        if self._asked_beside is None:
            self._asked_beside = SimpleQueue()
            # nobody waits in the end for what was given up
            Thread(target=_answer, args=(self._asked_beside,), name="headrace-questions", daemon=True).start()
        return self._asked_beside


@contextmanager
def asking_beside(house: Instance) -> Iterator[tuple[Instance, Questions | None]]:
    """A house that asks like this, where its orchestration is reached by a client; one in this process is asked as ever."""
    reached = client_choice(house.settings)
    if reached is None:
        yield house, None
        return
    with closing(Questions(house.client, where=house.settings.api_url or reached.name)) as questions:
        # its methods come from the client when they are asked for, which no type checker sees
        yield attrs.evolve(house, client=cast(OpenClient, questions)), questions


def _answer(asked: "SimpleQueue[tuple[Question, SimpleQueue[_Answer]] | None]") -> None:
    while (each := asked.get()) is not None:
        question, answers = each
        try:
            answer = _Answer(result=question())
        except BaseException as error:
            answer = _Answer(error=error)
        answers.put(answer)
        del each, question, answers, answer  # which would keep what was asked until the next

"""The questions of an agent, and signals in the middle of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from threading import Event
from typing import Any

import pytest

from headrace.agent import questions as module
from headrace.agent.questions import Questions, asking_beside
from headrace.errors import ApiAway, NotFound
from headrace.instance import Instance

WHERE = "http://127.0.0.1:4200/api"


class Client:
    """Answers, or says nothing until it is let go."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let_go = Event()

    def answer(self, value: str, *, more: str = "") -> str:
        self.asked.append(value)
        return value + more

    def refuse(self) -> None:
        raise NotFound(what="flow run", name="a", command="flow-run ls")

    def say_nothing(self, number: int | None = None) -> str:
        if number is not None:
            os.kill(os.getpid(), number)
        self.let_go.wait()
        self.asked.append("late")
        return "late"


@pytest.fixture
def client() -> Iterator[Client]:
    client = Client()
    yield client
    client.let_go.set()


@pytest.fixture
def questions(client: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Questions]:
    """Questions that a signal (SIGUSR1) hurries."""
    monkeypatch.setattr(module, "HEARD_SECONDS", 0.05)
    with closing(Questions(client, where=WHERE)) as questions:
        before = signal.signal(signal.SIGUSR1, lambda *_: questions.hurry())
        yield questions
        signal.signal(signal.SIGUSR1, before)


def test_what_is_asked_is_answered(questions: Questions, client: Client) -> None:
    """As by the client itself, errors too; what the client has not, is not there."""
    assert questions.answer("a", more="b") == "ab"
    with pytest.raises(NotFound):
        questions.refuse()
    with pytest.raises(AttributeError):
        questions.guess()
    assert client.asked == ["a"]


def test_a_signal_in_the_middle_of_a_question(questions: Questions, client: Client) -> None:
    """It is given up after a moment, and what is asked then is answered, by another thread."""
    with pytest.raises(ApiAway, match=r"nothing came within 0\.05 seconds"):
        questions.say_nothing(signal.SIGUSR1)
    assert client.asked == []
    assert questions.answer("a") == "a"


def test_a_signal_between_two_questions(questions: Questions, client: Client) -> None:
    """What is asked after it is hurried too, until more is allowed: no signal falls between."""
    signal.raise_signal(signal.SIGUSR1)
    with pytest.raises(ApiAway):
        questions.say_nothing()
    questions.allow()
    client.let_go.set()
    assert questions.say_nothing() == "late"


def test_no_question_takes_longer_than_is_allowed(questions: Questions) -> None:
    """Without a signal too."""
    questions.allow(0.01)
    with pytest.raises(ApiAway, match=r"nothing came within 0\.01 seconds"):
        questions.say_nothing()


def test_what_comes_in_time_is_not_given_up(questions: Questions, client: Client) -> None:
    """A signal loses no answer that comes soon."""
    client.let_go.set()
    assert questions.say_nothing(signal.SIGUSR1) == "late"


def test_an_orchestration_in_this_process_is_asked_as_ever(house: Instance) -> None:
    """There is nobody who might not answer."""
    with asking_beside(house) as (same, questions):
        assert same is house
        assert questions is None

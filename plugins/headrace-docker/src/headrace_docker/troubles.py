"""What errors of Docker mean, in a sentence each."""

import re
from collections.abc import Iterator

import attrs
from docker.errors import APIError, DockerException  # type: ignore[import-untyped]
from requests.exceptions import RequestException

FAILURES = (DockerException, RequestException, OSError)
"""What asking an engine may raise."""

_NOT_RUN = re.compile(r'exec: \\?"(?P<program>[^"\\]+)\\?":? (?P<why>.*)', re.DOTALL)
_NO_REGISTRY = (
    "dial tcp",
    "no such host",
    "Client.Timeout",
    "i/o timeout",
    "connection refused",
    "TLS handshake",
    "context deadline",
    "EOF",
)
_LONGEST = 600


@attrs.frozen
class Refused(Exception):
    """The engine does not do it; `why` says so in a sentence, and what to do."""

    why: str

    def __str__(self) -> str:
        return self.why


@attrs.frozen
class Away(Refused):
    """No engine answers, or it is not for this user."""


def understood(error: Exception, *, where: str) -> Refused:
    """The same in words. `where` is the engine's address."""
    if isinstance(error, APIError):
        return Refused(_answered(error))
    return Away(_why_away(error, where))


def is_status(error: Exception, code: int) -> bool:
    """Whether that is what the engine answered with."""
    return isinstance(error, APIError) and error.response is not None and error.response.status_code == code


def _answered(error: APIError) -> str:
    text = one_line(str(error.explanation or error))
    started = _NOT_RUN.search(text)
    if started is not None and ("not found" in started["why"] or "no such file" in started["why"] or "permission denied" in started["why"]):
        return f"the image has no program {started['program']!r} that it can run; say by command how Python is called there"
    return f"Docker answers: {text}"


def why_no_image(text: str, image: str) -> str:
    """Why an image could not be had, from what the engine said of it."""
    said = one_line(text)
    if any(sign in said for sign in _NO_REGISTRY):
        return f"there is no image {image!r} on this engine, and its registry cannot be reached ({said})"
    if "denied" in said or "unauthorized" in said or "authentication required" in said:
        return f"there is no image {image!r} on this engine, and its registry does not give it to this user, or has none; docker login may help ({said})"
    if "not found" in said or "manifest unknown" in said:
        return f"there is no image {image!r}, neither on this engine nor in its registry ({said})"
    return f"the image {image!r} could not be pulled ({said})"


def _why_away(error: Exception, where: str) -> str:
    cause = next((found for found in _causes(error) if isinstance(found, OSError) and found.errno is not None), None)
    if isinstance(cause, PermissionError):
        return f"this user may not ask the Docker Engine at {where}; add the user to the group docker, and start the agent anew"
    if isinstance(cause, (FileNotFoundError, ConnectionRefusedError)):
        return f"no Docker Engine answers at {where}; start it, or set DOCKER_HOST to where one is"
    return f"the Docker Engine at {where} does not answer: {one_line(str(error))}"


def _causes(error: object) -> Iterator[object]:
    """The error, what caused it, and those that libraries put into the arguments of theirs."""
    ahead, seen = [error], set[int]()
    while ahead:
        found = ahead.pop(0)
        if not isinstance(found, (BaseException, tuple)) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        if isinstance(found, tuple):
            ahead.extend(found)
        else:
            ahead.extend([*found.args, found.__cause__, found.__context__])


def one_line(text: str) -> str:
    """What others wrote, made fit for a sentence."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"

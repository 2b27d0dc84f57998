"""What errors of a cluster mean, in a sentence each."""

import ssl
from collections.abc import Iterator

import attrs
import httpx2
from lightkube.core.exceptions import ApiError, ConfigError

FAILURES = (httpx2.HTTPError, httpx2.InvalidURL, ConfigError, ssl.SSLError, OSError)
"""What asking a cluster may raise."""

_LONGEST = 600


@attrs.frozen
class Refused(Exception):
    """The cluster does not do it; `why` says so in a sentence, and what to do."""

    why: str

    def __str__(self) -> str:
        return self.why


class Missing(Refused):
    """There is no such object."""


class Taken(Refused):
    """There is an object of that name."""


class Away(Refused):
    """Nobody answers, or not now; asking again later may help."""


@attrs.frozen(kw_only=True)
class Asked:
    """What was asked, and of whom, for a sentence about it: `jobs` in which namespace, at which address, with whose credentials."""

    what: str
    namespace: str
    where: str
    whose: str


def understood(error: Exception, asked: Asked) -> Refused:
    """The same in words."""
    if isinstance(error, ApiError):
        return _answered(_Answer.of(error), asked)
    if isinstance(error, httpx2.HTTPStatusError):
        return _unexplained(error.response, asked)
    if isinstance(error, ConfigError):
        return Refused(
            f"it cannot be told which cluster is meant, and who asks: {one_line(str(error))}; look at the kubeconfig ({asked.whose})"
        )
    return Away(_why_away(error, asked))


@attrs.frozen(kw_only=True)
class _Answer:
    """What Kubernetes answers when it does not do something."""

    code: int
    reason: str = ""
    message: str = ""
    kind: str = ""

    @classmethod
    def of(cls, error: ApiError) -> "_Answer":
        status = error.status
        kind = getattr(status.details, "kind", None) if status.details is not None else None
        return cls(code=status.code or 0, reason=status.reason or "", message=one_line(status.message or ""), kind=kind or "")


def _answered(answer: _Answer, asked: Asked) -> Refused:
    match answer.code:
        case 401:
            why = f"the cluster at {asked.where} does not know who asks ({asked.whose})"
            return Refused(f"{why}: the token or certificate is wrong, or has expired; get a new one")
        case 403:
            return Refused(_why_forbidden(answer.message, asked))
        case 404:
            return Missing(_why_missing(answer, asked))
        case 409 if answer.reason == "AlreadyExists":
            return Taken(f"Kubernetes has it already: {answer.message}")
        case 409:
            return Away(f"Kubernetes was just changing it: {answer.message}")
        case 410:
            return Away(f"what was looked at is too long ago ({answer.message or 'Gone'})")
        case 400 | 413 | 415 | 422:
            return Refused(f"Kubernetes does not take it, correct the options of the flow runner: {answer.message} ({answer.code})")
        case _:
            return Away(f"the cluster at {asked.where} cannot do it now: {answer.message} ({answer.code})")


def _unexplained(response: httpx2.Response, asked: Asked) -> Refused:
    """Where nothing but a number was answered, as it is to a watch, or there is something else at that address."""
    if response.status_code in (401, 403, 410):
        return _answered(_Answer(code=response.status_code, message="cannot"), asked)
    why = f"what answers at {asked.where} is no API server of Kubernetes, or something before it refuses ({response.status_code})"
    return Away(why) if response.status_code >= 500 else Refused(f"{why}; look at the kubeconfig ({asked.whose})")


def _why_forbidden(message: str, asked: Asked) -> str:
    if "exceeded quota" in message:
        return f"the quota of namespace {asked.namespace!r} is used up; wait for others to end, ask for less, or raise it ({message})"
    if "being terminated" in message:
        return f"namespace {asked.namespace!r} is being removed ({message})"
    if "is forbidden: User" in message or "cannot" in message:
        advice = "give them the role that `headrace kubernetes manifest agent` prints"
        return f"who asks ({asked.whose}) may not do this with {asked.what} in namespace {asked.namespace!r}; {advice} ({message})"
    return f"the rules of the cluster forbid it in namespace {asked.namespace!r}: {message}"


def _why_missing(answer: _Answer, asked: Asked) -> str:
    if answer.kind == "namespaces" or answer.message.startswith("namespaces "):
        return f"there is no namespace {asked.namespace!r} in the cluster at {asked.where}; make it, or name another one by namespace"
    if "could not find the requested resource" in answer.message:
        return f"the cluster at {asked.where} knows no {asked.what}: it is too old, or no API server of Kubernetes"
    return f"it is not there: {answer.message}"


def _why_away(error: Exception, asked: Asked) -> str:
    causes = list(_causes(error))
    untrusted = next((each for each in causes if isinstance(each, ssl.SSLCertVerificationError)), None)
    if untrusted is not None or "CERTIFICATE_VERIFY_FAILED" in str(error):
        said = getattr(untrusted, "verify_message", "") or one_line(str(error))
        return f"the certificate of the cluster at {asked.where} is not trusted: {said}; look at certificate-authority in the kubeconfig ({asked.whose})"
    if any(isinstance(each, ConnectionRefusedError) for each in causes) or "refused" in str(error).lower():
        return f"no API server answers at {asked.where} (connection refused); start the cluster, or correct the address in the kubeconfig ({asked.whose})"
    if isinstance(error, (httpx2.TimeoutException, TimeoutError)):
        return f"no API server answers at {asked.where} in time; look at the network between here and there"
    said = one_line(str(error)) or type(error).__name__
    return f"the cluster at {asked.where} cannot be reached: {said}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def one_line(text: str) -> str:
    """What others wrote, made fit for a sentence."""
    words = " ".join(text.split())
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"

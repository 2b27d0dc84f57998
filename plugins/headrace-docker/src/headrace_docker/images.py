"""Images: how they are named, and whether they are looked for in a registry."""

import re
from typing import Literal

import attrs

PullPolicy = Literal["always", "if_not_present", "never"]
POLICIES: tuple[PullPolicy, ...] = ("always", "if_not_present", "never")

LATEST = "latest"

_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*")
_REGISTRY = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-fA-F]{32,}")
_ID = re.compile(r"sha256:[0-9a-f]{64}")
_LONGEST = 255


@attrs.frozen(kw_only=True)
class ImageName:
    """The name of an image in its parts. `repository` has the registry in it, with its port; what is not said is None."""

    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def usual_policy(self) -> PullPolicy:
        """Whether a registry is asked, if nobody has said: what `latest` is may have changed, other tags and digests stay what they are."""
        return "always" if self.digest is None and self.tag in (None, LATEST) else "if_not_present"

    @property
    def version(self) -> str:
        """What a registry is asked for in the repository."""
        return self.digest or self.tag or LATEST


def parsed(text: str) -> ImageName:
    """The parts of a name such as `localhost:5000/team/flows:1.2`. Raises ValueError with what is wrong."""
    if _ID.fullmatch(text):
        return ImageName(repository="", digest=text)
    rest, has_digest, digest = text.partition("@")
    if has_digest and not _DIGEST.fullmatch(digest):
        raise ValueError("what follows the @ must be a digest, as in sha256:0123…")
    folder, slash, last = rest.rpartition("/")  # a colon before the last slash is that of a registry's port
    last, has_tag, tag = last.partition(":")
    if has_tag and not _TAG.fullmatch(tag):
        raise ValueError("a tag has up to 128 letters, digits and ._- in it, and begins with none of .-")
    repository = f"{folder}{slash}{last}"
    _check_repository(repository)
    return ImageName(repository=repository, tag=tag or None, digest=digest or None)


def _check_repository(repository: str) -> None:
    first, slash, rest = repository.partition("/")
    has_registry = bool(slash) and ("." in first or ":" in first or first == "localhost")
    if has_registry and not _REGISTRY.fullmatch(first):
        raise ValueError(f"{first!r} is no registry, which is a host and perhaps a port")
    parts = (rest if has_registry else repository).split("/")
    if not all(_PART.fullmatch(part) for part in parts) or len(repository) > _LONGEST:
        raise ValueError("a name has lower-case letters and digits in it, and single ._-/ between them; before it there may be a registry")

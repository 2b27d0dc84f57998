"""Names of images are understood as engines understand them, and images are pulled as the policy says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from docker.errors import ImageNotFound
from servers.registry import image_registry

from headrace.errors import FlowRunnerFailed
from headrace.model.orders import ExitStatus
from headrace.testing.conformance.flow_runner import SECONDS, Stage
from headrace.testing.stand_in import MODULE
from headrace_docker.flow_runner import DockerFlowRunner
from headrace_docker.images import ImageName, parsed

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest", "policy"),
    [
        ("flows", "flows", None, None, "always"),
        ("flows:latest", "flows", "latest", None, "always"),
        ("flows:1.2", "flows", "1.2", None, "if_not_present"),
        ("team/flows:1.2-rc_1", "team/flows", "1.2-rc_1", None, "if_not_present"),
        ("localhost:5000/team/img", "localhost:5000/team/img", None, None, "always"),
        ("localhost:5000/team/img:2", "localhost:5000/team/img", "2", None, "if_not_present"),
        ("localhost/img", "localhost/img", None, None, "always"),
        ("registry.example.org/a/b/c", "registry.example.org/a/b/c", None, None, "always"),
        ("Registry.Example.org:443/a", "Registry.Example.org:443/a", None, None, "always"),
        ("[::1]:5000/a:b", "[::1]:5000/a", "b", None, "if_not_present"),
        (f"flows@{DIGEST}", "flows", None, DIGEST, "if_not_present"),
        (f"localhost:5000/flows:1@{DIGEST}", "localhost:5000/flows", "1", DIGEST, "if_not_present"),
        (DIGEST, "", None, DIGEST, "if_not_present"),
        ("a__b.c-d--e", "a__b.c-d--e", None, None, "always"),
    ],
)
def test_the_parts_of_a_name(text: str, repository: str, tag: str | None, digest: str | None, policy: str) -> None:
    """A colon before the last slash is that of a registry's port; what is latest may have changed, and everything else stays what it is."""
    assert parsed(text) == ImageName(repository=repository, tag=tag, digest=digest)
    assert parsed(text).usual_policy == policy


@pytest.mark.parametrize(
    "text", ["", "Flows", "a b", "a:", "a:.b", "a//b", "/a", "a/", "a@b", "a@sha256:1", "a___b", "-a", "a:b:c", "a.b:x/c", "a" * 300, "a\n"]
)
def test_what_is_no_name(text: str) -> None:
    """What no engine would take is refused."""
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        parsed(text)


# Pulling


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    try:
        with image_registry(tmp_path_factory.mktemp("registry")) as found:
            yield found
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def names(api: Any, image: str, registry: str, tmp_path: Path) -> Iterator[Any]:
    """Gives a name in the registry: `kept` puts an image under it there, `here` leaves it on the engine."""
    given: list[str] = []

    def name(tag: str, *, kept: bool = True, here: bool = False, where: str = registry) -> str:
        found = f"{where}/team/{tmp_path.name.replace('_', '-').lower().strip('-')}"
        given.append(f"{found}:{tag}")
        api.tag(image, found, tag)
        if kept:
            said = [step for step in api.push(found, tag=tag, stream=True, decode=True) if "error" in step]
            assert said == []
        if not here:
            api.remove_image(f"{found}:{tag}")
        return f"{found}:{tag}"

    yield name
    for each in given:
        try:
            api.remove_image(each)
        except ImageNotFound:
            continue


def remark_of(stage: Stage, image: str, **options: Any) -> str:
    """What is remarked about the start of a run that ends well."""
    with DockerFlowRunner(image=image, command=("python3", *MODULE), network_mode="host", **options).open() as opened:
        process = opened.start(stage.order("pass"))
        assert process.wait(SECONDS) == ExitStatus(0)
        return process.remark


def why_not(stage: Stage, image: str, **options: Any) -> str:
    """Why a run could not be started."""
    with DockerFlowRunner(image=image, command=("python3", *MODULE), network_mode="host", **options).open() as opened:
        with pytest.raises(FlowRunnerFailed) as failure:
            opened.start(stage.order("pass"))
        assert list(opened.running()) == []
        return failure.value.why


@pytest.mark.parametrize("tag", ["1.0", "latest"])
def test_an_image_that_is_only_in_the_registry(orders: Stage, names: Any, api: Any, tag: str) -> None:
    """It is pulled."""
    assert remark_of(orders, names(tag)) == ""


def test_what_is_here_is_not_asked_for(orders: Stage, names: Any) -> None:
    """A tag other than latest that is on the engine is used as it is, though no registry knows it."""
    assert remark_of(orders, names("1.0", kept=False, here=True)) == ""


def test_latest_without_a_registry(orders: Stage, names: Any) -> None:
    """An image that was built here and is called latest is used where its registry does not have it or is away, and the run is told so."""
    unknown = names("latest", kept=False, here=True)
    assert remark_of(orders, unknown).startswith(f"The image {unknown!r} is the one that is on this engine, which may not be the newest: ")
    away = names("latest", kept=False, here=True, where="127.0.0.1:1")
    assert "its registry cannot be reached" in remark_of(orders, away)


def test_always_is_meant(orders: Stage, names: Any) -> None:
    """Where it is said that it is always pulled, nothing else will do."""
    assert "cannot be reached" in why_not(orders, names("1", kept=False, here=True, where="127.0.0.1:1"), image_pull_policy="always")
    assert remark_of(orders, names("2", here=True), image_pull_policy="always") == ""


def test_never_is_meant(orders: Stage, names: Any) -> None:
    """Where it is said that it is never pulled, it must be here."""
    missing = names("1")
    assert why_not(orders, missing, image_pull_policy="never") == (
        f"there is no image {missing!r} on this engine, and it is not to be pulled; build it there, or correct the name"
    )
    assert remark_of(orders, names("latest", kept=False, here=True), image_pull_policy="never") == ""


@pytest.mark.parametrize("tag", ["1.0", "latest"])
def test_an_image_that_is_nowhere(orders: Stage, registry: str, tag: str) -> None:
    """The sentence says where it was looked for."""
    assert f"there is no image '{registry}/nobody:{tag}'" in why_not(orders, f"{registry}/nobody:{tag}")
    assert "its registry cannot be reached" in why_not(orders, f"127.0.0.1:1/nobody:{tag}")
    assert "and it is not to be pulled" in why_not(orders, DIGEST)

"""`headrace docker build`: what an image is built from, and what is said when it cannot be."""

import tarfile
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from servers.docker import DockerEngine

from headrace.errors import ImageNotBuilt
from headrace_docker.command import docker
from headrace_docker.context import write_context
from headrace_docker.recipe import Recipe


def said(*arguments: str) -> Result:
    """What the command answers."""
    return CliRunner().invoke(docker, ["build", *arguments])


def why_not(*arguments: str) -> str:
    """Why an image was not built."""
    done = said(*arguments)
    assert isinstance(done.exception, ImageNotBuilt), done.output
    return str(done.exception)


def names_in(recipe: Recipe) -> set[str]:
    """The files that go to the engine."""
    archive = BytesIO()
    write_context(recipe, archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        assert all(member.uid == member.gid == 0 and member.uname == "" for member in tar)
        return set(tar.getnames())


def test_what_is_shown(tmp_path: Path) -> None:
    """--print shows how it is built, in the versions that are installed here, and needs no engine."""
    (tmp_path / "requirements.txt").write_text("pandas\n")
    done = said("--tag", "flows", "--base", "team/python:3", "--with", "pandas>=2", "--project", str(tmp_path), "--print")
    assert done.exit_code == 0
    lines = done.output.splitlines()
    assert lines[0] == "FROM team/python:3"
    assert "pip install --no-cache-dir headrace-core==0.1.0 headrace-client" in lines[1]
    assert lines[1].endswith(" 'pandas>=2'")
    assert [line.split()[0] for line in lines[2:]] == ["COPY", "RUN", "ENV", "LABEL"]
    assert lines[3].endswith("-r /flows/requirements.txt")


def test_without_an_index(tmp_path: Path) -> None:
    """With wheels no index is asked."""
    (tmp_path / "a-1-py3-none-any.whl").touch()
    done = said("--tag", "flows", "--wheels", str(tmp_path), "--print")
    assert "--no-index --find-links /headrace/wheels" in done.output


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ((), "Missing option '--tag'"),
        (("--tag", "Flows"), "'Flows' cannot be the name of an image: a name has lower-case letters"),
        (("--tag", "a", "--base", "b:"), "'b:' cannot be the name of an image: a tag has up to"),
        (("--tag", "a", "--project", "/nowhere"), "Directory '/nowhere' does not exist"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...], why: str) -> None:
    """A wrong option is told before anything is done."""
    done = said(*arguments)
    assert done.exit_code == 2
    assert why in done.output


def test_no_wheels(tmp_path: Path) -> None:
    """A folder without wheels is told at once."""
    assert why_not("--tag", "a", "--wheels", str(tmp_path)).startswith(f"image 'a' was not built: there is no wheel in {tmp_path}")


def test_what_goes_to_the_engine(tmp_path: Path) -> None:
    """Of a project everything but what is made anew anyway, and what its .dockerignore says; of the wheels' folder the wheels."""
    project, wheels = tmp_path / "project", tmp_path / "wheels"
    for name in ("etl/flow.py", "etl/__pycache__/flow.pyc", ".git/config", "data/secret.csv", "data/open.csv", ".env"):
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).touch()
    (project / ".dockerignore").write_text("# what nobody is to see\ndata/*\n!data/open.csv\n")
    wheels.mkdir()
    (wheels / "a-1-py3-none-any.whl").touch()
    (wheels / "notes.txt").touch()
    recipe = Recipe(base="b", requirements=("c",), version="1", wheels=wheels, project=project)
    assert names_in(recipe) == {
        "Dockerfile",
        "wheels/a-1-py3-none-any.whl",
        "project",
        "project/.dockerignore",
        "project/etl",
        "project/etl/flow.py",
        "project/data",
        "project/data/open.csv",
    }


def test_a_base_that_is_not_there(engine: DockerEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence names it."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    why = why_not("--tag", "headrace-tests-never", "--base", "127.0.0.1:1/nobody:1")
    assert "there is no image '127.0.0.1:1/nobody:1' on this engine, and its registry cannot be reached" in why


def test_what_pip_says(engine: DockerEngine, image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What goes wrong within stands above the error, as pip says it."""
    monkeypatch.setenv("DOCKER_HOST", engine.url)
    (tmp_path / "a-1-py3-none-any.whl").touch()
    done = said("--tag", "headrace-tests-never", "--base", image, "--wheels", str(tmp_path))
    assert isinstance(done.exception, ImageNotBuilt)
    assert "returned a non-zero code: 1; what pip says stands above" in str(done.exception)
    assert "No module named pip" in done.output


def test_no_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no engine answers, that is told."""
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/socket")
    assert why_not("--tag", "a").startswith(f"image 'a' was not built: no Docker Engine answers at unix://{tmp_path}/socket")

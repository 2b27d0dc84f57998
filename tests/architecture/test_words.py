"""The words of the house: in names of files, and what no text may say."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FORBIDDEN = set("abstract backend base block common dag executor helper job manager misc pipeline status util worker".split())
MACHINE_PATH = re.compile(r"(?<![\w./~*-])/(?:root|home(?!/somebody)|Users|work|opt)/\w|[A-Z]:\\\\?Users\\")
REGISTRY = re.compile(r"\b(?:pypi|npmjs|debian|pythonhosted|crates|golang)[.](?:org|com|io)\b")


def tracked() -> list[Path]:
    """The files of the repository, those included that are about to be added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted(ROOT / name for name in set(listed.split("\0")) - {""} if (ROOT / name).is_file())


def forbidden_words(name: str) -> set[str]:
    """The words in a path that the house does not use, in singular or plural."""
    words = re.split(r"[^a-z]+", name.lower())
    return {word for word in words if word in FORBIDDEN or word.removesuffix("s") in FORBIDDEN}


def slips(text: str) -> list[str]:
    """Where a text names a place that is only on its author's machine, or the host of a package registry."""
    return [found.group() for pattern in (MACHINE_PATH, REGISTRY) for found in pattern.finditer(text)]


def test_names_of_files() -> None:
    """No file and no folder is called by a word that says nothing or that the house says otherwise."""
    files = tracked()
    assert files
    assert {name: found for name in (str(path.relative_to(ROOT)) for path in files) if (found := forbidden_words(name))} == {}


def test_what_no_text_says() -> None:
    """No text names a machine's paths or the hosts of registries."""
    texts = {str(path.relative_to(ROOT)): path.read_bytes() for path in tracked()}
    found = {name: slips(content.decode()) for name, content in texts.items() if b"\0" not in content}
    assert {name: places for name, places in found.items() if places} == {}


def test_every_test_states_its_fact() -> None:
    """A test has a docstring: the sentence that holds while it passes."""
    silent = [
        f"{path.relative_to(ROOT)}::{node.name}"
        for path in tracked()
        if path.name.startswith("test_") and path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


@pytest.mark.parametrize(
    "name", ["core/src/utils.py", "plugins/x/worker_pool.py", "Common/a.md", "tests/test_helpers.py", "a/job-runner/b.py"]
)
def test_a_forbidden_word_is_found(name: str) -> None:
    """It is found in any part of a path, in any case and number."""
    assert forbidden_words(name)


@pytest.mark.parametrize("name", ["database.py", "jobless.md", "reference/storage.py", "docs/blocked.md"])
def test_other_words_are_free(name: str) -> None:
    """A word that only contains one of them is another word."""
    assert not forbidden_words(name)


@pytest.mark.parametrize(
    "text", ["see /" + "root/x", "'/" + "home/leo/flows'", "C:\\" + "Users\\leo", "https://files.python" + "hosted.org/x", "py" + "pi.org"]
)
def test_a_slip_is_found(text: str) -> None:
    """Paths of a machine and hosts of registries are found."""
    assert slips(text)


@pytest.mark.parametrize("text", ["~/.headrace", "a/home/x", "https://example.org/work/x", "/tmp/flows", "/homework/x", "/home/somebody/x"])
def test_other_places_are_free(text: str) -> None:
    """What everybody has is no machine's path."""
    assert not slips(text)

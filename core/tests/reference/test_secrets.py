"""Secrets in the environment and in files."""

from pathlib import Path

import pytest

from headrace.errors import SecretUnresolved
from headrace.hooks.registry import Registry
from headrace.reference.secrets import MOST_BYTES


def refusal(reference: str) -> str:
    """The sentence with which a reference is refused."""
    with pytest.raises(SecretUnresolved) as raised:
        Registry().secret(reference)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's text, as it is, empty too."""
    for value in ("open sesame", "", "secret://env/OTHER", "two\nlines "):
        monkeypatch.setenv("DOOR", value)
        assert Registry().secret("secret://env/DOOR") == value


@pytest.mark.parametrize("content", ["open sesame", "open sesame\n", "open sesame\r\n"])
def test_a_file(tmp_path: Path, content: str) -> None:
    """The file's text without the end of its line; slashes may be as many as one likes."""
    (tmp_path / "door").write_bytes(content.encode())
    for slashes in ("", "/", "//"):
        assert Registry().secret(f"secret://file{slashes}{tmp_path}/door") == "open sesame"


def test_a_file_from_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A path that begins with ~ is one from home; of a file of several lines only the last end is left out."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "door").write_text("one\ntwo\n\n")
    assert Registry().secret("secret://file/~/door") == "one\ntwo\n"


def test_what_is_missing(tmp_path: Path) -> None:
    """One sentence says what was looked for, where, and why it was not found."""
    assert refusal("secret://env/NO_SUCH_DOOR") == (
        "the value of 'secret://env/NO_SUCH_DOOR' cannot be found: the environment variable NO_SUCH_DOOR is not set here"
    )
    assert f"the file {tmp_path}/door cannot be read: No such file" in refusal(f"secret://file{tmp_path}/door")
    assert "Is a directory" in refusal(f"secret://file{tmp_path}")


def test_what_cannot_be(tmp_path: Path) -> None:
    """References without a name, files that are no text or too long, and homes of nobody are refused with a sentence, which shows no content."""
    (tmp_path / "binary").write_bytes(b"open \xff sesame")
    (tmp_path / "long").write_bytes(b"x" * (MOST_BYTES + 1))
    assert "must be the name of an environment variable" in refusal("secret://env/")
    assert "must be the name of an environment variable" in refusal("secret://env/A=B")
    assert "must be a path" in refusal("secret://file/")
    assert "is no text in UTF-8" in refusal(f"secret://file{tmp_path}/binary")
    assert "is longer than" in refusal(f"secret://file{tmp_path}/long")
    assert "cannot be read" in refusal("secret://file/a\0b")
    assert "home" in refusal("secret://file/~nobody-of-that-name/door")
    assert "no plugin" in refusal("secret://vault/door")
    assert "sesame" not in refusal(f"secret://file{tmp_path}/binary")

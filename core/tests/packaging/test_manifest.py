"""Manifests: one text for equal files, and no path that leads astray."""

import json
import os
from collections.abc import Callable
from pathlib import PurePosixPath
from random import Random
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.packaging.manifest import Entry, Manifest, collision_fault, path_fault

names = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\"), min_size=1, max_size=50).filter(
    lambda name: name not in (".", "..")
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)
digests = st.binary(min_size=32, max_size=32).map(bytes.hex)
entries = st.builds(Entry, path=paths, sha256=digests, size=st.integers(0, 2**40), is_executable=st.booleans())
manifests = st.lists(entries, unique_by=lambda entry: entry.path, max_size=6)
ONE = Entry(path="leo_flow.py", sha256="0" * 64, size=3)


@given(manifests, st.randoms())
def test_order_is_no_part_of_the_address(found: list[Entry], chance: Random) -> None:
    """Equal files have the same text and the same address, in whatever order they were found; reading it back gives the same."""
    mixed = list(found)
    chance.shuffle(mixed)
    text = Manifest.of(found).to_bytes()
    assert Manifest.of(mixed).to_bytes() == text
    assert Manifest.of(mixed).sha256 == Manifest.of(found).sha256
    assert Manifest.from_bytes(text) == Manifest.of(found)


@pytest.mark.parametrize("other", [{"path": "leo.py"}, {"sha256": "1" * 64}, {"size": 4}, {"is_executable": True}], ids=str)
def test_every_field_is_part_of_the_address(other: dict[str, Any]) -> None:
    """A file of another name, content or mode has another address."""
    assert Manifest.of([attrs.evolve(ONE, **other)]).sha256 != Manifest.of([ONE]).sha256


def test_the_address_stays_what_it_is() -> None:
    """What was deployed once is found by a later version: this text and this address are for ever."""
    assert Manifest.of([ONE]).to_bytes() == (
        b'{"files":[{"executable":false,"path":"leo_flow.py","sha256":"' + b"0" * 64 + b'","size":3}],"version":1}'
    )
    assert Manifest.of([ONE]).sha256 == "4fd60633c49bdcc417951deaed7b7be63bf719f8bdc578787eb59727818c0c33"


@pytest.mark.parametrize(
    "path",
    [
        "",
        ".",
        "..",
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a//b",
        "a/",
        "./a",
        "a\\b",
        "a\0b",
        "a\nb",
        "a\x1bb",
        "a\u202eb",
        "half\udcff",
        f"a/{'ä' * 128}",
    ],
)
def test_a_path_that_cannot_travel(path: str) -> None:
    """It is said why."""
    assert path_fault(path)


@pytest.mark.parametrize("path", ["a:b", "2026-01-02T03:04:05.csv", "CON", "aux.py", "a.", "a ", " a", "a/b ./c", "a*?<>|.txt", "ä" * 127])
def test_a_path_that_only_windows_could_not_have(path: str) -> None:
    """It travels: headrace runs where such names are like others."""
    assert path_fault(path) is None


@pytest.mark.parametrize(
    "pair", [("README", "readme"), ("A/x", "a/x"), ("ä", "a\u0308"), ("Ä", "a\u0308"), ("\u0130", "i\u0307")], ids=ascii
)
def test_two_files_that_are_one_on_a_mac(pair: tuple[str, str]) -> None:
    """They cannot travel together, since only one of them would arrive there."""
    assert collision_fault(["x", *pair]) == (
        f"{pair[0]!r} and {pair[1]!r} are one and the same file on a Mac; rename one, or name it in a .headraceignore file"
    )
    assert collision_fault(["x", pair[0]]) is None


def test_folders_that_are_one_on_a_mac() -> None:
    """They may, as long as their files are not: both find what they look for."""
    assert collision_fault(["Data/x", "data/y"]) is None


@given(paths)
def test_a_path_that_can_travel_stays_inside(path: str) -> None:
    """Whatever may travel, lies below the folder that it is put in."""
    assert path_fault(path) is None
    assert os.path.normpath(PurePosixPath("root") / path) == f"root/{path}"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda whole: whole["files"].reverse(), "not written as"),
        (lambda whole: whole["files"].append(whole["files"][-1]), "not written as"),
        (lambda whole: whole.update(version=2), "not written as"),
        (lambda whole: whole.update(more=1), "not written as"),
        (lambda whole: whole["files"][0].update(path="../a"), "not the relative path"),
        (lambda whole: whole["files"][0].update(path="/a"), "not the relative path"),
        (lambda whole: whole["files"][0].update(path="a\\b"), "backslash"),
        (lambda whole: whole["files"][0].update(size="1"), "cannot be read"),
        (lambda whole: whole["files"][0].update(size=True), "cannot be read"),
        (lambda whole: whole["files"][0].update(size=-1), "cannot be read"),
        (lambda whole: whole["files"][0].pop("sha256"), "cannot be read"),
        (lambda whole: whole.pop("files"), "cannot be read"),
    ],
)
def test_a_manifest_that_is_refused(change: Callable[[Any], None], said: str) -> None:
    """One that no headrace of this version wrote is refused."""
    whole = json.loads(Manifest.of([ONE, Entry(path="z", sha256="2" * 64, size=1)]).to_bytes())
    change(whole)
    with pytest.raises(ValueError, match=said):
        Manifest.from_bytes(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000], ids=lambda text: repr(text[:4]))
def test_what_is_no_manifest(text: bytes) -> None:
    """Bytes of any kind are refused with a sentence."""
    with pytest.raises(ValueError, match="its manifest cannot be read"):
        Manifest.from_bytes(text)

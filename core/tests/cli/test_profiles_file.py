"""The file of profiles as it is changed: whole, private, by one after the other, with what people wrote around it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as drawing
from hypothesis import strategies as st

from headrace.cli.profiles_file import Draft, changing
from headrace.errors import SettingsNotWritten, UnknownProfile, WrongSettingsFile
from headrace.settings import Profiles, read_profiles

WRITTEN = """# What this team uses
active = "careful" # since last week

[profiles.careful] # nobody waits
log_level = "DEBUG"   # all of it
# who is asked:
extra_loggers = [
    "urllib3", # the web
    "sqlalchemy",
]

# For trying out
[profiles."to try"]
run_store = 'memory'
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "profiles.toml"


@pytest.fixture
def written(path: Path) -> Path:
    """A file that somebody wrote by hand."""
    path.parent.mkdir()
    path.write_text(WRITTEN)
    return path


def test_a_file_is_made(path: Path) -> None:
    """Where there is none, the file and its folder are made, for nobody else's eyes."""
    with changing(path) as draft:
        draft.table("default").update(log_level="DEBUG", lease_seconds=60, debug=True, extra_loggers=["a"])
    assert read_profiles(path).tables == {"default": {"log_level": "DEBUG", "lease_seconds": 60, "debug": True, "extra_loggers": ["a"]}}
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_what_people_wrote_stays(written: Path) -> None:
    """Comments, order and layout stay, but for what is changed."""
    with changing(written) as draft:
        draft.active = "to try"
        draft.table("careful")["log_level"] = "INFO"
        draft.table("to try")["debug"] = True
    assert not draft.has_lost_comments
    expected = WRITTEN.replace('active = "careful"', 'active = "to try"').replace('"DEBUG"', '"INFO"') + "debug = true\n"
    assert written.read_text() == expected


def test_what_is_taken_out_is_gone_with_its_line(written: Path) -> None:
    """A setting goes with the remark behind it, a profile with its table; the rest stays."""
    with changing(written) as draft:
        del draft.tables["careful"]["log_level"]
    assert "all of it" not in written.read_text()
    assert written.read_text().count("#") == WRITTEN.count("#") - 1
    with changing(written) as draft:
        del draft.tables["to try"]
        draft.active = ""
    assert read_profiles(written) == Profiles(tables={"careful": {"extra_loggers": ["urllib3", "sqlalchemy"]}})
    assert "# nobody waits" in written.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing yet\n",
        "profiles.a.log_level = 'INFO' # in a line\n",
        "[profiles]\na.log_level = 'INFO' # in a line\n",
        "[profiles]\n[profiles.a]\nlog_level = 'INFO'",
        "[profiles.a] # with the line ends of another system\r\nlog_level = 'INFO'\r\n",
        "\ufeff[profiles.a] # with a byte order mark\n",
        "active = 'a'\n[profiles.a]",
        "[profiles.a]\nlease_seconds = nan # who knows\n",
        "[profiles.a]\nsince = 2026-01-01 # no setting at all\n",
    ],
)
def test_any_way_to_write_it(path: Path, text: str) -> None:
    """However the file is written, it can be changed and keeps its comments."""
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8", newline="")
    with changing(path) as draft:
        draft.active = "b"
        draft.table("a")["client"] = "http"
        draft.table("b")["debug"] = False
    found = read_profiles(path)
    assert (found.active, found.tables["a"]["client"], found.tables["b"]) == ("b", "http", {"debug": False})
    assert draft.has_lost_comments is False
    assert path.read_text(encoding="utf-8").count("#") == text.count("#")


def test_tables_in_one_line(path: Path) -> None:
    """What cannot be changed in its place is written plainly, and that comments are lost is known."""
    path.parent.mkdir()
    path.write_text("profiles = { a = { debug = true } } # short\n")
    with changing(path) as draft:
        draft.table("b")["debug"] = False
    assert draft.has_lost_comments
    assert read_profiles(path).tables == {"a": {"debug": True}, "b": {"debug": False}}


def test_nothing_to_change(written: Path) -> None:
    """A file that stays as it was is not written, so that its time and mode stay too."""
    written.chmod(0o644)
    before = written.stat()
    with changing(written) as draft:
        draft.table("careful")["log_level"] = "DEBUG"
    assert (written.stat().st_ino, written.stat().st_mode) == (before.st_ino, before.st_mode)


def test_a_mode_that_was_open(written: Path) -> None:
    """A file that others could read is its owner's alone once it is changed."""
    written.chmod(0o644)
    with changing(written) as draft:
        draft.active = "to try"
    assert written.stat().st_mode & 0o777 == 0o600


def test_an_error_changes_nothing(written: Path) -> None:
    """An error in the block leaves the file as it was, and nothing beside it but its lock."""
    with pytest.raises(UnknownProfile), changing(written) as draft:  # noqa: PT012 - what was changed before the error counts
        draft.table("careful").clear()
        draft.must_have("nobody")
    assert written.read_text() == WRITTEN
    assert sorted(os.listdir(written.parent)) == ["profiles.toml", "profiles.toml.lock"]


def test_a_link_is_followed(written: Path, tmp_path: Path) -> None:
    """Who keeps the file elsewhere, and a link to it here, has both afterwards."""
    link = tmp_path / "link.toml"
    link.symlink_to(written)
    with changing(link) as draft:
        draft.active = ""
    assert link.is_symlink()
    assert read_profiles(written).active == ""


@pytest.mark.parametrize("name", ["folder", os.devnull])
def test_what_is_no_file_is_left_alone(tmp_path: Path, name: str) -> None:
    """A folder or a device is never replaced by a file."""
    path = tmp_path / name
    if name == "folder":
        path.mkdir()
    before = path.stat()
    with pytest.raises(SettingsNotWritten, match="it is no ordinary file; nothing was changed"), changing(path) as draft:
        draft.active = "a"
    assert os.path.samestat(before, path.stat())
    assert not os.path.exists(f"{path}.lock")


def test_a_broken_file_is_left_alone(written: Path) -> None:
    """What cannot be read is not written anew, since that would lose it."""
    written.write_text("[profiles.a\n")
    with pytest.raises(WrongSettingsFile), changing(written):
        pass
    assert written.read_text() == "[profiles.a\n"


def test_a_place_that_cannot_be_made(tmp_path: Path) -> None:
    """What is in the way is named."""
    (tmp_path / "file").touch()
    with pytest.raises(SettingsNotWritten, match=r"cannot be written: .*\(.*file\)"), changing(tmp_path / "file" / "profiles.toml"):
        pass


ONE_OF_MANY = """
import sys
from pathlib import Path
from headrace.cli.profiles_file import changing

for number in range(20):
    with changing(Path(sys.argv[1])) as draft:
        draft.table(f"writer {sys.argv[2]}")[f"n{number}"] = number
"""


def test_many_writers_lose_nothing(path: Path) -> None:
    """Processes that change an absent file at once each find what the others wrote, and whoever reads meanwhile reads a whole file."""
    writers = [subprocess.Popen([sys.executable, "-c", ONE_OF_MANY, str(path), str(number)]) for number in range(4)]
    while any(writer.poll() is None for writer in writers):
        read_profiles(path)
    assert [writer.returncode for writer in writers] == [0] * 4
    assert read_profiles(path).tables == {f"writer {number}": {f"n{each}": each for each in range(20)} for number in range(4)}
    assert sorted(os.listdir(path.parent)) == ["profiles.toml", "profiles.toml.lock"]


names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
values = (
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False)
)
tables = st.dictionaries(names, st.dictionaries(names, values | st.lists(values, max_size=3), max_size=3), max_size=3)
Profile = dict[str, dict[str, object]]


@drawing(deadline=None, max_examples=60)  # a busy machine is no fault
@given(before=tables, after=tables, actives=st.tuples(st.just("") | names, st.just("") | names))
def test_anything_is_written_as_it_is_meant(
    tmp_path_factory: pytest.TempPathFactory, before: Profile, after: Profile, actives: tuple[str, str]
) -> None:
    """Whatever tables are put in place of whatever tables, they are read again as they were meant."""
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.unlink(missing_ok=True)
    put: Callable[[Draft, Profile, str], None] = _put
    for tables_, active in zip((before, after), actives, strict=True):
        with changing(path) as draft:
            put(draft, tables_, active)
        found = read_profiles(path)
        assert (found.active, repr(_sorted(dict(found.tables)))) == (active, repr(_sorted(tables_)))


def _put(draft: Draft, profiles: Profile, active: str) -> None:
    draft.tables = {name: dict(table) for name, table in profiles.items()}
    draft.active = active


def _sorted(profiles: object) -> object:
    return {name: _sorted(value) for name, value in sorted(profiles.items())} if isinstance(profiles, dict) else profiles

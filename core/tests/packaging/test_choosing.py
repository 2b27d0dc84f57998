"""Which files travel."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headrace.errors import CodeUnusable
from headrace.packaging.choosing import chosen_files

Files = Callable[..., Path]

GIT = shutil.which("git")


def chosen(root: Path, **limits: int) -> list[str]:
    """The paths that travel."""
    return [file.path for file in chosen_files(root, **limits)]


def test_what_is_made_anew_stays(files: Files) -> None:
    """Version control, caches and environments of any name are left out, and what only looks like them is not."""
    left_out = [
        *(f"{folder}/x.py" for folder in (".git", ".hg", ".svn", "a/__pycache__", ".venv", ".nox", ".tox", "a/node_modules")),
        *(f"{folder}/x.py" for folder in (".mypy_cache", ".ruff_cache", ".pytest_cache")),
        "a/x.pyc",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "home/headrace.db",
        "home/storage/code/x.tar.gz",
    ]
    kept = ["a/b/c.py", "a/x.pyc.txt", "data.csv", "git/x.py", "venv/x.py", "x.py"]
    assert chosen(files(dict.fromkeys([*left_out, *kept], ""))) == kept


def test_a_repository_of_another_work_tree_is_left_out(files: Files) -> None:
    """`.git` may also be a file."""
    assert chosen(files({".git": "gitdir: elsewhere", "x.py": ""})) == ["x.py"]


def test_empty_folders_do_not_travel(files: Files) -> None:
    """Files alone count, as in git."""
    root = files({"x.py": ""})
    (root / "empty" / "inner").mkdir(parents=True)
    assert chosen(root) == ["x.py"]


@pytest.mark.parametrize("name", [".gitignore", ".headraceignore"])
def test_ignore_files_at_every_level(files: Files, name: str) -> None:
    """Each speaks for its folder and those below, the nearest last."""
    root = files(
        {
            name: "*.log\n/secret.txt\nbuild/\n",
            f"a/{name}": "!keep.log\n*.tmp\n",
            **dict.fromkeys(
                ["x.log", "secret.txt", "build/x.py", "a/secret.txt", "a/keep.log", "a/x.log", "a/b/x.log", "a/x.tmp", "x.tmp"], ""
            ),
        }
    )
    assert [path for path in chosen(root) if not path.endswith(name)] == ["a/keep.log", "a/secret.txt", "x.tmp"]


def test_our_own_ignore_file_goes_over_gits(files: Files) -> None:
    """What git leaves out can travel, and what it keeps can stay."""
    ignoring = {".gitignore": "model.bin\n", ".headraceignore": "!model.bin\ntests/\n"}
    root = files({**ignoring, **dict.fromkeys(["model.bin", "tests/test_x.py", "x.py"], "")})
    assert chosen(root) == [".gitignore", ".headraceignore", "model.bin", "x.py"]


def test_ignore_files_as_they_come(files: Files) -> None:
    """A mark of byte order, lines of Windows and patterns that are none do no harm."""
    root = files({".gitignore": b"\xef\xbb\xbfx.txt\r\n!\r\ny.txt\r\n\xff\r\n", "x.txt": "", "y.txt": "", "z.txt": ""})
    assert chosen(root) == [".gitignore", "z.txt"]


# Links


def test_links_inside_are_what_they_lead_to(files: Files) -> None:
    """A file is packed as a file, a folder with all that it holds; the sizes are those of what is linked to."""
    root = files({"real/data.csv": "1,2", "real/x.py": ""})
    (root / "linked").symlink_to("real")
    (root / "data.csv").symlink_to("real/data.csv")
    found = chosen_files(root)
    assert [file.path for file in found] == ["data.csv", "linked/data.csv", "linked/x.py", "real/data.csv", "real/x.py"]
    assert [file.size for file in found] == [3, 3, 0, 3, 0]


def test_the_root_may_be_a_link(files: Files, tmp_path: Path) -> None:
    """What it leads to is the project."""
    (tmp_path / "link").symlink_to(files({"x.py": ""}))
    assert chosen(tmp_path / "link") == ["x.py"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../outside.txt", "leads out of the project"),
        ("../project2/x.py", "leads out of the project"),
        ("/etc", "leads out of the project"),
        ("nowhere", "a link to nothing"),
        ("link", "a link to nothing"),
        (".", "would never end"),
        ("..", "leads out of the project"),
    ],
)
def test_links_that_are_refused(files: Files, tmp_path: Path, target: str, said: str) -> None:
    """Those that lead out, nowhere, or round in a circle; the sentence names the link."""
    root = files({"x.py": ""})
    files({"x.py": ""}, "project2")
    (tmp_path / "outside.txt").touch()
    (root / "link").symlink_to(target)
    with pytest.raises(CodeUnusable, match=f"'link': .*{said}"):
        chosen_files(root)


def test_a_circle_of_two_folders(files: Files) -> None:
    """Folders that link to each other are refused too."""
    root = files({"a/x.py": "", "b/y.py": ""})
    (root / "a/to_b").symlink_to("../b")
    (root / "b/to_a").symlink_to("../a")
    with pytest.raises(CodeUnusable, match="'a/to_b/to_a': .*would never end.*'b/to_a/to_b': "):
        chosen_files(root)


def test_a_link_that_is_ignored_is_no_fault(files: Files) -> None:
    """It does not travel, so it may lead anywhere."""
    root = files({".headraceignore": "link\n", "x.py": ""})
    (root / "link").symlink_to("/etc")
    assert chosen(root) == [".headraceignore", "x.py"]


def test_a_link_to_a_folder_is_ignored_as_a_file(files: Files) -> None:
    """A pattern for folders does not fit it, as in git."""
    root = files({".gitignore": "build/\n", "real/x.py": "", "a/build/y.py": ""})
    (root / "build").symlink_to("real")
    assert chosen(root) == [".gitignore", "build/x.py", "real/x.py"]


# What cannot travel


@pytest.mark.parametrize(
    ("name", "said"), [(b"a\\b.py", "backslash"), (b"a\nb.py", "cannot be shown"), (b"a\xffb.py", "not UTF-8"), ("a\u202eb.py", "be shown")]
)
def test_names_that_are_refused(files: Files, name: bytes | str, said: str) -> None:
    """Names that Linux or a Mac could not have, or that nobody could read."""
    root = files({"x.py": ""})
    Path(os.fsdecode(bytes(root) + b"/" + os.fsencode(name))).touch()
    with pytest.raises(CodeUnusable, match=said):
        chosen_files(root)


def test_names_that_only_windows_refuses(files: Files) -> None:
    """They travel as they are."""
    names = ["2026-01-02T03:04:05.csv", "CON", "a ", "a."]
    assert chosen(files(dict.fromkeys(names, ""))) == names


def test_two_names_that_are_one_on_a_mac(files: Files) -> None:
    """They are refused, and what to do is said; what does not travel does not count."""
    root = files({"README": "", "readme": ""})
    if len(list(root.iterdir())) == 1:
        pytest.skip("this machine does not tell them apart either")
    with pytest.raises(CodeUnusable, match="'README' and 'readme' are one and the same file on a Mac; rename one, or name it in"):
        chosen(root)
    files({".headraceignore": "/readme\n"})
    assert chosen(root) == [".headraceignore", "README"]


def test_every_fault_is_told(files: Files) -> None:
    """Five of them, and how many more there are; one that is ignored is none."""
    root = files({"x.py": "", ".headraceignore": "7\\\\b"})
    for number in range(9):
        (root / f"{number}\\b").touch()
    with pytest.raises(CodeUnusable) as caught:
        chosen_files(root)
    assert caught.value.why.count("backslash") == 5
    assert caught.value.why.endswith("; and 3 more")


def test_what_is_no_file(files: Files) -> None:
    """A pipe with a name cannot be packed."""
    root = files({"x.py": ""})
    os.mkfifo(root / "pipe")
    with pytest.raises(CodeUnusable, match="'pipe': it is neither a file nor a folder"):
        chosen_files(root)


def test_a_folder_that_cannot_be_read(files: Files) -> None:
    """It is no silent gap in what travels."""
    root = files({"x.py": "", "closed/y.py": ""})
    (root / "closed").chmod(0)
    try:
        if os.access(root / "closed", os.R_OK):
            assert chosen(root) == ["closed/y.py", "x.py"]  # whoever may do everything reads it
        else:
            with pytest.raises(CodeUnusable, match="'closed/': it cannot be read: Permission denied"):
                chosen_files(root)
    finally:
        (root / "closed").chmod(0o700)


@pytest.mark.parametrize(("mark", "said"), [("pyvenv.cfg", "a virtual environment"), ("headrace.db", "headrace's own home")])
def test_a_project_that_is_none(files: Files, mark: str, said: str) -> None:
    """An environment, or the folder where headrace keeps its own things, is refused as a project."""
    with pytest.raises(CodeUnusable, match=f"its folder is {said}"):
        chosen_files(files({mark: "", "x.py": ""}))


def test_too_many_files(files: Files) -> None:
    """A folder given by mistake is not walked to its end; the folders that hold the most are named."""
    root = files({**{f"data/{number}": "" for number in range(6)}, "a/x.py": "", "x.py": ""})
    assert len(chosen(root, most_files=8)) == 8
    with pytest.raises(CodeUnusable, match=r"more than 7 files; where they are: data/ \(6\), a/ \(1\); .*\.headraceignore"):
        chosen_files(root, most_files=7)


def test_executable_or_not(files: Files) -> None:
    """Of a mode counts whether the owner may execute the file."""
    root = files({"run.sh": "", "x.py": ""})
    (root / "run.sh").chmod(0o711)
    (root / "x.py").chmod(0o677)
    assert {file.path: file.is_executable for file in chosen_files(root)} == {"run.sh": True, "x.py": False}


# Git itself is asked

NAMES = st.sampled_from(["a", "b", "c.py", "d.txt", "e f"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PIECES = st.sampled_from(["a", "b", "*", "**", "?", "*.py", "[ab]", "d.txt", "e f"])
PATTERNS = st.builds(
    lambda negated, rooted, pieces, is_folder: f"{'!' * negated}{'/' * rooted}{'/'.join(pieces)}{'/' * is_folder}",
    st.booleans(),
    st.booleans(),
    st.lists(PIECES, min_size=1, max_size=3),
    st.booleans(),
)
IGNORING = st.dictionaries(st.sampled_from(["", "a/", "a/b/"]), st.lists(PATTERNS, min_size=1, max_size=4), min_size=1)


def laid_out(root: Path, paths: set[str], ignoring: Mapping[str, list[str]]) -> None:
    """Puts files there, so far as no file is in the way."""
    texts = {f"{folder}.gitignore": "# some\n\n" + "\n".join(patterns) + "\n" for folder, patterns in ignoring.items()}
    for path in sorted({*paths, *texts}):
        try:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(texts.get(path, ""))
        except OSError:
            continue


@pytest.mark.skipif(GIT is None, reason="git is not installed")
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sets(PATHS, min_size=3, max_size=12), IGNORING)
def test_git_would_choose_the_same(paths: set[str], ignoring: dict[str, list[str]]) -> None:
    """Whatever the patterns are, exactly those files travel that git would not ignore."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        laid_out(root, paths, ignoring)
        environment = {"PATH": os.environ["PATH"], "HOME": name, "GIT_CONFIG_NOSYSTEM": "1"}
        subprocess.run(["git", "init", "-q"], cwd=root, env=environment, check=True)
        listing = ["git", "ls-files", "-z", "--others", "--exclude-standard"]
        listed = subprocess.run(listing, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout
        assert chosen(root) == sorted(set(listed.split("\0")) - {""})


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        ("*\n!*/\n!*.py\n", ["a/b/c.py", "c.py"]),
        ("*\n!a/\n!a/b/\n!a/b/**\n", ["a/b/c.py", "a/b/d.txt"]),
        ("/*\n!/a\n", ["a/b/c.py", "a/b/d.txt", "a/d.txt"]),
        ("a/*\n!a/b/\n", ["a/b/c.py", "a/b/d.txt", "c.py", "d.txt"]),
        ("d.txt\n!a\n", ["a/b/c.py", "c.py"]),
    ],
)
def test_only_what_is_named(files: Files, patterns: str, kept: list[str]) -> None:
    """Everything out but some: the ways in which people write that."""
    root = files({".gitignore": patterns, **dict.fromkeys(["a/b/c.py", "a/b/d.txt", "a/d.txt", "c.py", "d.txt"], "")})
    assert [path for path in chosen(root) if path != ".gitignore"] == kept

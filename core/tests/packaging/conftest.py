"""Files, and a place to import them in."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent

import pytest

Files = Callable[..., Path]
NOBODY = 65534


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes files into a folder, by their paths."""

    def write(contents: dict[str, str | bytes], folder: str = "project") -> Path:
        root = tmp_path / folder
        root.mkdir(exist_ok=True)
        for name, content in contents.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return root

    return write


@pytest.fixture
def imports() -> Iterator[None]:
    """What a test imports is forgotten afterwards."""
    path, hooks, modules = list(sys.path), list(sys.path_hooks), set(sys.modules)
    yield
    sys.path[:] = path
    sys.path_hooks[:] = hooks
    for name in sys.modules.keys() - modules:
        del sys.modules[name]


@pytest.fixture
def as_nobody() -> Callable[..., str]:
    """Runs a script in a folder, as a user whom permissions stop (as ourselves, where we are one); what it prints."""

    def run(script: str, folder: Path) -> str:
        program = (
            "import gzip, os, sys, tarfile  # no module can be found any more by somebody else\n"
            "from pathlib import Path\n"
            "from headrace.model.deployments import Archive\n"
            "from headrace.packaging.code_cache import CodeCache\n"
            "from headrace.packaging.removing import remove\n"
            "os.chdir(sys.argv[1])\n"
            f"if os.geteuid() == 0: os.setgid({NOBODY}); os.setuid({NOBODY})\n"
        )
        if os.geteuid() == 0:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
        command = [sys.executable, "-c", program + dedent(script), str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run

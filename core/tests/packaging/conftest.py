"""Files, and a place to import them in."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

Files = Callable[..., Path]


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
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - modules:
        del sys.modules[name]

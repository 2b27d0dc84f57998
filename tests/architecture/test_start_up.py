"""What a program pays for before it does anything."""

import subprocess
import sys

import pytest

HEAVY = {
    "asyncio",
    "cattrs",
    "click",
    "cloudpickle",
    "fsspec",
    "importlib_metadata",
    "jsonschema",
    "pathspec",
    "referencing",
    "rich",
    "sqlite3",
    "starlette",
    "tomlkit",
    "uvicorn",
    "yaml",
}


@pytest.mark.parametrize("program", ["import headrace", "from headrace import flow, task"])
def test_importing_is_cheap(program: str) -> None:
    """In a clean process neither the import nor its names load anything heavy."""
    program += "; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "headrace" in loaded
    assert loaded & HEAVY == set()

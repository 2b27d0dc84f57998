"""A registry of images: the one of Debian, on this machine's loopback."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servers.process import free_ports, served

_CONFIG = """
version: 0.1
log: {{level: warn}}
storage:
  filesystem: {{rootdirectory: {folder}}}
http: {{addr: "127.0.0.1:{port}"}}
"""


@contextmanager
def image_registry(folder: Path) -> Iterator[str]:
    """How images in it begin: its host and port. Raises FileNotFoundError where there is none."""
    binary = shutil.which("docker-registry")
    if binary is None:
        raise FileNotFoundError("docker-registry is not installed")
    (port,) = free_ports(1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.yml").write_text(_CONFIG.format(folder=folder / "images", port=port))
    with served([binary, "serve", str(folder / "config.yml")], port, folder):
        yield f"127.0.0.1:{port}"

"""Images made of what is on this machine: no registry is asked.

An image has this Python, with its standard library and the shared libraries that both need, each where it is here; a shell, for who builds on
it; and distributions of this environment, from the folders that they were installed from where those are a checkout.
"""

import fcntl
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import IO, Any

from packaging.requirements import Requirement

RUNS = ("headrace-client", "headrace-core", "headrace-files", "headrace-pickle", "headrace-tasks")
"""What a run needs in its container."""

_FAMILY = ("libc", "libdl", "libm", "libnss_dns", "libnss_files", "libpthread", "libresolv", "librt", "libutil", "libgcc_s", "libstdc++")
"""Libraries that others open when they run, so that nothing names them before."""

_TOOLS = ("sh", "cat", "env", "id", "ls", "sleep", "touch", "true")
_LEFT_OUT = re.compile(r"/(test|tests|idlelib|tkinter|turtledemo|ensurepip|lib2to3|config-3[^/]*|site-packages|dist-packages)(/|$)")
_USERS = b"root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/tmp:/bin/sh\n"
_GROUPS = b"root:x:0:\nnogroup:x:65534:\n"

Content = dict[str, Path | bytes]
"""What is where in an image."""


def python_image(api: Any, *dists: str, without: Iterable[str] = ()) -> str:
    """The name of an image of this Python with some distributions, and what they need, in it; made if nobody has yet."""
    files = {**_interpreter(), **_shell(), **_installed(_closure(dists), without=frozenset(without))}
    digest = hashlib.sha256()
    for name, source in sorted(files.items()):
        if name.endswith(".pyc"):  # it may be written while others look
            continue
        digest.update(f"{name} {_mark(source)}\n".encode())
    tag = f"headrace-tests:{digest.hexdigest()[:16]}"
    with _alone():
        if not api.images(name=tag):
            _import(api, files, tag)
    return tag


def write_wheels(folder: Path, *dists: str) -> None:
    """Distributions of this environment, and what they need, as wheels."""
    folder.mkdir(parents=True, exist_ok=True)
    for found in _closure(dists):
        name = re.sub(r"[-_.]+", "_", found.metadata["Name"]).lower()
        with zipfile.ZipFile(folder / f"{name}-{found.version}-py3-none-any.whl", "w") as wheel:
            info, record = f"{name}-{found.version}.dist-info", []
            for inner, source in sorted(_files(found).items()):
                inside = re.sub(r"^[^/]+\.dist-info/", f"{info}/", inner)
                if not inside.endswith("/RECORD"):
                    wheel.writestr(inside, source if isinstance(source, bytes) else source.read_bytes())
                    record.append(f"{inside},,\n")
            wheel.writestr(f"{info}/RECORD", "".join([*record, f"{info}/RECORD,,\n"]))


# The parts


def _interpreter() -> Content:
    program = Path(sys._base_executable).resolve()  # type: ignore[attr-defined]
    library = Path(sysconfig.get_path("stdlib"))
    found: Content = {str(program): program}
    for path in sorted(library.rglob("*")):
        if path.is_file() and not _LEFT_OUT.search(str(path.relative_to(library.parent))) and _is_wanted(path):
            found[str(path)] = path
    binaries = [program, *library.glob("lib-dynload/*.so")]
    for needed in _libraries(binaries):
        found[str(needed)] = needed
    for name in ("python3", program.name):
        found.setdefault(f"/usr/local/bin/{name}", b"link " + str(program).encode())
    return found


def _libraries(binaries: Iterable[Path]) -> Iterator[Path]:
    said = "".join(subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout for path in binaries)
    found = {Path(path) for path in re.findall(r"(/\S+\.so\S*) \(0x", said)}
    yield from found
    for folder in {path.parent for path in found if path.name.startswith("libc.")}:
        for name in _FAMILY:
            yield from (path for path in folder.glob(f"{name}.so.*") if path not in found and path.name.count(".") < 4)


def _shell() -> Content:
    found: Content = {"/bin/busybox": Path("/bin/busybox"), "/etc/passwd": _USERS, "/etc/group": _GROUPS}
    found |= {f"/bin/{tool}": b"link /bin/busybox" for tool in _TOOLS}
    found["/usr/bin/env"] = b"link /bin/busybox"
    found["/etc/nsswitch.conf"] = b"hosts: files dns\n"
    return found


def _installed(dists: Iterable[Distribution], *, without: frozenset[str]) -> Content:
    """Distributions, where the Python of the image looks for them."""
    command = [sys._base_executable, "-I", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]  # type: ignore[attr-defined]
    place = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    found: Content = {}
    for dist in dists:
        if dist.metadata["Name"] not in without:
            found |= {f"{place}/{inner}": source for inner, source in _files(dist).items()}
    return found


def _is_wanted(path: Path) -> bool:
    """Whether a file is of use there: of what is compiled, what this Python takes."""
    return path.suffix != ".a" and (path.suffix != ".pyc" or path.name.endswith(f".{sys.implementation.cache_tag}.pyc"))


# Distributions


def _closure(names: Iterable[str]) -> list[Distribution]:
    """Distributions, and what they require here."""
    found: dict[str, Distribution] = {}
    ahead = list(names)
    while ahead:
        name = ahead.pop()
        if name in found:
            continue
        found[name] = distribution(name)
        for line in found[name].requires or ():
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                ahead.append(requirement.name)
    return list(found.values())


def _files(dist: Distribution) -> Content:
    """What is installed of a distribution, by where it lies beside others; of one whose checkout is used, what lies there."""
    found: Content = {}
    for file in dist.files or ():
        if ".." not in file.parts and file.suffix != ".pth" and _is_wanted(Path(file)):
            found[str(file)] = Path(str(file.locate()))
    origin = json.loads(dist.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        source = Path(origin["url"].removeprefix("file://"), "src")
        found |= {str(path.relative_to(source)): path for path in source.rglob("*") if path.is_file() and _is_wanted(path)}
    return found


# Making


def _import(api: Any, files: Content, tag: str) -> None:
    repository, _, version = tag.partition(":")
    with tempfile.TemporaryFile() as archive:
        _write(files, archive)
        archive.seek(0)
        api.import_image_from_data(
            archive, repository=repository, tag=version, changes=["ENV PATH=/usr/local/bin:/usr/bin:/bin", 'CMD ["python3"]']
        )


def _write(files: Content, archive: IO[bytes]) -> None:
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for folder in ("tmp", "root", "proc", "sys", "dev"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        for name, source in sorted(files.items()):
            info = tarfile.TarInfo(name.lstrip("/"))
            if isinstance(source, bytes) and source.startswith(b"link "):
                info.type, info.linkname = tarfile.SYMTYPE, source.removeprefix(b"link ").decode()
                tar.addfile(info)
                continue
            content = source if isinstance(source, bytes) else source.read_bytes()
            info.size = len(content)
            info.mtime = (
                int(source.stat().st_mtime) if isinstance(source, Path) else 0
            )  # what is compiled tells by it that it is of this source
            info.mode = 0o755 if isinstance(source, Path) and (os.access(source, os.X_OK) or ".so" in name) else 0o644
            tar.addfile(info, io.BytesIO(content))


def _mark(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return source.hex()
    known = source.stat()
    return f"{known.st_size} {known.st_mtime_ns}"


@contextmanager
def _alone() -> Iterator[None]:
    """Nobody else of this machine makes an image at the same time."""
    with Path(tempfile.gettempdir(), "headrace-tests-images.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

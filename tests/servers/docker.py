"""A real Docker Engine: the one that answers here, else one that is started for the tests and ends with the last of them."""

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import attrs

LONGEST_START, LONGEST_END = 60, 60
TRIES = 3
"""It waits ten seconds for its containerd, and gives up then; on a machine that is busy that may take longer the first time."""

BRIDGE = "headrace-tests"
ADDRESS, POOL = "10.213.77.1/24", "base=10.214.0.0/16,size=24"


@attrs.frozen(kw_only=True)
class DockerEngine:
    """Where it is. `pid` is its process, if it was started here; `gateway` is how containers of its own network reach this machine, if that is known."""

    url: str
    pid: int | None = None
    gateway: str | None = None


class NoDocker(Exception):
    """There is no Docker Engine, and none can be started; the text says why."""


@contextmanager
def docker_engine() -> Iterator[DockerEngine]:
    """An engine for everybody who tests on this machine at the same time: the first one starts it, the last one ends it. Raises NoDocker."""
    url = os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"
    if _answers(url):
        yield DockerEngine(url=url, gateway=_gateway(url))
        return
    shared = _Shared(Path(tempfile.gettempdir(), f"headrace-docker-{os.getuid()}"))
    engine = shared.join()
    try:
        yield engine
    finally:
        shared.leave()


@contextmanager
def own_engine(folder: Path, *, bridge: str, address: str) -> Iterator["OwnEngine"]:
    """An engine that nobody else uses, to be ended and started again. Its folder has a short path, since sockets lie in it."""
    engine = OwnEngine(folder, bridge=bridge, address=address)
    engine.start()
    try:
        yield engine
    finally:
        engine.remove()


class OwnEngine:
    """A `dockerd` with a socket, a network and folders of its own: it touches neither another engine nor the machine's rules for packets."""

    def __init__(self, folder: Path, *, bridge: str = BRIDGE, address: str = ADDRESS, pool: str = POOL) -> None:
        self._folder = folder
        self._bridge = bridge
        self._address = address
        self._pool = pool
        self.url = f"unix://{folder}/docker.sock"
        self.gateway = address.partition("/")[0]

    @property
    def pid(self) -> int:
        return int((self._folder / "docker.pid").read_text())

    def start(self) -> None:
        """Returns when it answers. Raises NoDocker."""
        for program in ("dockerd", "ip"):
            if shutil.which(program) is None:
                raise NoDocker(f"{program} is not installed")
        if os.getuid() != 0:
            raise NoDocker("only root can start it")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._make_bridge()
        options = {
            "host": self.url,
            "data-root": self._folder / "data",
            "exec-root": self._folder / "exec",
            "pidfile": self._folder / "docker.pid",
            "bridge": self._bridge,
            "default-address-pool": self._pool,
            "containerd-namespace": self._bridge,
            "containerd-plugins-namespace": f"{self._bridge}-plugins",
            "iptables": "false",
            "ip-masq": "false",
            "shutdown-timeout": "2",
        }
        command = ["dockerd", *(f"--{name}={value}" for name, value in options.items())]
        printed = self._folder / "printed"
        for _ in range(TRIES):
            if self._begins(command, printed):
                return
        raise NoDocker(f"dockerd does not begin:\n{printed.read_text(errors='replace')[-2000:]}")

    def _begins(self, command: list[str], printed: Path) -> bool:
        """Whether it came to answer."""
        with printed.open("wb") as output:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        until = time.monotonic() + LONGEST_START
        while not _answers(self.url):
            if process.poll() is not None or time.monotonic() > until:
                return False
            time.sleep(0.05)
        process.returncode = 0  # it goes on without whoever started it
        return True

    def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Returns when it is gone; its containers end with it, or are ended when it is started again."""
        with suppress(FileNotFoundError, ValueError, ProcessLookupError):
            pid = self.pid
            os.kill(pid, number)
            until = time.monotonic() + LONGEST_END
            while _is_alive(pid) and time.monotonic() < until:
                with suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
                time.sleep(0.02)
            (self._folder / "docker.pid").unlink(missing_ok=True)

    def remove(self) -> None:
        """Ends it, and leaves nothing of it on the machine."""
        self.end()
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((path for path in mounts if path.startswith(f"{self._folder}/")), key=len, reverse=True):
            subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
        shutil.rmtree(self._folder, ignore_errors=True)
        subprocess.run(["ip", "link", "delete", self._bridge], check=False, capture_output=True)

    def _make_bridge(self) -> None:
        if Path("/sys/class/net", self._bridge).exists():
            return
        for arguments in (["link", "add", self._bridge, "type", "bridge"], ["addr", "add", self._address, "dev", self._bridge]):
            subprocess.run(["ip", *arguments], check=True, capture_output=True)
        subprocess.run(["ip", "link", "set", self._bridge, "up"], check=True, capture_output=True)


class _Shared:
    """An engine that several processes use; who uses it stands in a file that one of them holds at a time."""

    def __init__(self, folder: Path) -> None:
        self._engine = OwnEngine(folder)
        self._file = folder.with_name(f"{folder.name}.users")

    def join(self) -> DockerEngine:
        with self._users() as users:
            if not _answers(self._engine.url):
                self._engine.start()
            users.add(os.getpid())
        return DockerEngine(url=self._engine.url, pid=self._engine.pid, gateway=self._engine.gateway)

    def leave(self) -> None:
        with self._users() as users:
            users.discard(os.getpid())
            if not users:
                self._engine.remove()

    @contextmanager
    def _users(self) -> Iterator[set[int]]:
        with self._file.open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            users = {pid for pid in json.loads(file.read() or "[]") if _is_alive(pid)}
            yield users
            file.seek(0)
            file.truncate()
            file.write(json.dumps(sorted(users)))
            file.flush()


def _answers(url: str) -> bool:
    from docker import APIClient
    from docker.errors import DockerException

    try:
        if url.startswith("unix://"):
            with socket.socket(socket.AF_UNIX) as tried:
                tried.connect(url.removeprefix("unix://"))
        APIClient(base_url=url, version="auto", timeout=10).close()
    except (DockerException, OSError):
        return False
    return True


def _gateway(url: str) -> str | None:
    from docker import APIClient
    from docker.errors import DockerException

    with APIClient(base_url=url, version="auto", timeout=10) as client:
        try:
            (first, *_) = client.inspect_network("bridge")["IPAM"]["Config"]
        except (DockerException, ValueError):
            return None
    return str(first["Gateway"]) if first.get("Gateway") else None


def _is_alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False

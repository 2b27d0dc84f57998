"""Every developer action is a session: `nox -s demo`, or `python3 noxfile.py demo` on a machine that has only Python and git.

What stands after `--` goes to pytest. `nox --list` shows all sessions; plugins are found by their folders.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

ROOT = Path(__file__).resolve().parent
OWN = ROOT / ".nox" / "bootstrap"
TOOLS = ("nox>=2026.4", "uv>=0.9")


def python_with_nox() -> str:
    """A Python that can run nox: this one, or that of a small environment made here."""
    if sys.version_info < (3, 11):
        sys.exit(f"headrace needs Python 3.11 or newer, and {sys.executable} is {sys.version.split()[0]}; run this file with a newer one")
    if find_spec("nox") and find_spec("uv"):
        return sys.executable
    python = str(OWN / ("Scripts/python.exe" if os.name == "nt" else "bin/python"))
    if Path(python).exists() and subprocess.run([python, "-c", "import nox, uv"], capture_output=True, check=False).returncode == 0:
        return python
    if not (find_spec("venv") and find_spec("ensurepip")):
        sys.exit(f"{sys.executable} cannot make virtual environments; install its venv (Debian and Ubuntu: apt-get install python3-venv)")
    print(f"nox is not here yet: it is installed into {OWN.relative_to(ROOT)}", file=sys.stderr, flush=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *TOOLS]
    for command in ([sys.executable, "-m", "venv", "--clear", str(OWN)], install):
        if subprocess.run(command, check=False).returncode:
            sys.exit(f"nox could not be installed: {' '.join(command)} failed, for the reason above")
    return python


def main(arguments: list[str]) -> None:
    """Becomes nox, running the sessions named first."""
    python = python_with_nox()
    sessions = ["--session", *arguments] if arguments and not arguments[0].startswith("-") else arguments
    command = [python, "-m", "nox", "--noxfile", str(ROOT / "noxfile.py"), *sessions]
    if os.name == "nt":  # there a process cannot become another one
        sys.exit(subprocess.run(command, check=False).returncode)
    os.execv(python, command)


if __name__ == "__main__":
    main(sys.argv[1:])

import nox

nox.needs_version = ">=2026.4"
nox.options.default_venv_backend = "uv"
nox.options.download_python = "never"
nox.options.sessions = ["tests"]
os.environ["UV_PYTHON_DOWNLOADS"] = "never"  # the Python that was chosen, or none

CORE = "core"
PLUGINS = sorted(str(found.parent.relative_to(ROOT)) for found in ROOT.glob("plugins/*/pyproject.toml"))
STOCK = [CORE, *PLUGINS]
AZURITE = ROOT / ".nox" / "parts" / "azurite"
CONTRIB = sorted(str(found.parent.relative_to(ROOT)) for found in ROOT.glob("contrib/*/pyproject.toml"))
TUTORIAL = ROOT / "examples" / "tutorial"
FLOW = str(TUTORIAL / "leo_flow.py")
APART = {"storages", "dashboard", "dispatch-docker", "dispatch-kubernetes"}
"""What is measured with all plugins, and with the servers that tests start."""
DEMO = (
    ("deployment", "create", str(TUTORIAL / "leo_deployment.py")),
    ("work-queue", "create", "tutorial_queue", "--tag", "tutorial"),
    ("deployment", "run", "leonardo_dicapriflow/leonardo-deployment", "--name", "first-run"),
    ("agent", "start", "tutorial_queue", "--run-once"),
    ("flow-run", "ls"),
    ("flow-run", "logs", "first-run"),
)
"""The tutorial's main job: a flow is deployed, a queue gathers its runs, an agent takes one and runs it in a subprocess."""


def prepare(session: nox.Session, *groups: str, dists: Sequence[str] = (), wheels: Sequence[str] = ()) -> None:
    """Installs dependency groups, and dists from their folders or wheels; the developer's own settings take no part."""
    logging.getLogger("nox").setLevel(logging.NOTSET)
    for name in os.environ:
        if name.startswith(("HEADRACE_", "PYTHON")):
            session.env[name] = None
    options = [*(("--group", group) for group in groups), *(("--editable", dist) for dist in dists)]
    session.install("--compile-bytecode", *chain.from_iterable(options), *wheels)


def named(dist: str) -> list[str]:
    """The folders of the dists that one names as its dependencies."""
    lines = nox.project.load_toml(f"{dist}/pyproject.toml")["project"]["dependencies"]
    names = [line.partition(">=")[0] for line in lines if line.startswith("headrace-")]
    return [CORE if name == "headrace-core" else f"plugins/{name}" for name in names]


def lent(dist: str) -> list[str]:
    """The folders of the dists that the extras of one bring."""
    extras = nox.project.load_toml(f"{dist}/pyproject.toml")["project"].get("optional-dependencies", {})
    names = [line.partition(">=")[0] for line in chain.from_iterable(extras.values())]
    return [f"plugins/{name}" for name in names if name.startswith("headrace-")]


def own_groups(*dists: str) -> list[str]:
    """The dependency groups of dists whose tests need more than all tests do."""
    files = [f"{dist}/pyproject.toml" for dist in dists]
    return [f"{file}:test" for file in files if "test" in nox.project.load_toml(file).get("dependency-groups", {})]


def pytest(session: nox.Session, *arguments: str, env: Mapping[str, str] | None = None) -> None:
    """Runs pytest on all cores."""
    session.run("pytest", "--numprocesses=auto", *arguments, *session.posargs, env=env)


def install_azurite(session: nox.Session) -> None:
    """Installs the server that headrace-azure is tested on, once, where there is npm; it is a program of Node."""
    if shutil.which("npm") and not (AZURITE / "node_modules" / ".bin" / "azurite-blob").exists():
        AZURITE.mkdir(parents=True, exist_ok=True)
        session.run("npm", "install", "--no-audit", "--no-fund", "--prefix", str(AZURITE), "azurite@3.35", external=True, silent=True)


def demonstrate(session: nox.Session, home: Path) -> None:
    """Walks through the tutorial's main job, in a home that is new."""
    shutil.rmtree(home, ignore_errors=True)
    session.env["HEADRACE_HOME"] = str(home)
    for arguments in DEMO:
        session.run("headrace", *arguments)


@nox.session
def demo(session: nox.Session) -> None:
    """Deploys a flow and lets an agent run it, with all stock plugins, and shows what it logged."""
    prepare(session, dists=[*named("."), "."])
    home = Path(session.create_tmp(), "home").resolve()
    demonstrate(session, home)
    session.log("That was the tutorial's main job. Look next: docs/tutorial.md, which walks through it, and")
    session.log(f"HEADRACE_HOME={home} {session.bin}/headrace --help")


@nox.session
def tests(session: nox.Session) -> None:
    """Runs everything: the tests of core, of every plugin, and across them; the tools are among the latter."""
    prepare(session, "dev", *own_groups(*STOCK), dists=[*STOCK, *CONTRIB])
    install_azurite(session)
    logging.getLogger("nox").setLevel(logging.CRITICAL)  # pytest's summary is the last thing printed
    pytest(session)


@nox.session
def bare(session: nox.Session) -> None:
    """Runs core alone: a first flow in memory, and core's own tests."""
    prepare(session, "test", *own_groups(CORE), dists=[CORE])
    session.run("python", FLOW, env={"HEADRACE_HOME": session.create_tmp()})
    pytest(session, "core/tests")


@nox.session
@nox.parametrize("plugin", [*PLUGINS, *CONTRIB], ids=[Path(plugin).name for plugin in (*PLUGINS, *CONTRIB)])
def each_plugin(session: nox.Session, plugin: str) -> None:
    """Runs the tests of one plugin with core and what it declares, its extras included, and nothing else."""
    prepare(session, "test", *own_groups(plugin), dists=[*named(plugin), *lent(plugin), plugin])
    if plugin.endswith("-azure"):
        install_azurite(session)
    pytest(session, f"{plugin}/tests")


@nox.session
def architecture(session: nox.Session) -> None:
    """Checks who imports whom, what start-up loads, and that all dists look alike."""
    prepare(session, "dev", dists=[*STOCK, *CONTRIB])
    pytest(session, "tests/architecture")


@nox.session
def docs(session: nox.Session) -> None:
    """Runs what the pages show, and compares them with what they describe."""
    prepare(session, "dev", *own_groups(*STOCK), dists=[*STOCK, *CONTRIB])
    pytest(session, "tests/docs")


@nox.session
def lint(session: nox.Session) -> None:
    """Checks style and layout."""
    prepare(session, "lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")


@nox.session
def typing(session: nox.Session) -> None:
    """Checks types, strictly."""
    prepare(session, "typing", "test", *own_groups("plugins/headrace-files"), dists=[*STOCK, *CONTRIB])  # whose protocols are extras
    session.run("mypy")


@nox.session
def wheels(session: nox.Session) -> None:
    """Builds every dist, looks into the wheels, and runs the demo from them far from this folder."""
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "wheels")
        for dist in [*STOCK, "."]:
            session.run("uv", "build", "--quiet", "--out-dir", str(built), dist)
        found = sorted(built.glob("*.whl"))
        for wheel in found:
            check_wheel(session, wheel)
        brought = {Path(dist).name.replace("-", "_") for dist in named(".")} - {CORE} | {"headrace", "headrace_core"}
        prepare(session, wheels=[str(wheel) for wheel in found if wheel.name.partition("-")[0] in brought])
        session.chdir(folder)
        demonstrate(session, Path(folder, "home"))


def check_wheel(session: nox.Session, wheel: Path) -> None:
    """Refuses a wheel without its licence, or with an untyped package, or with anything that is no package."""
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    missing = {f"{package}/py.typed" for package in packages} - set(names)
    if missing or not any(name.endswith(".dist-info/licenses/LICENSE") for name in names):
        session.error(f"{wheel.name} lacks {', '.join(sorted(missing)) or 'its LICENSE'}")
    session.log(f"{wheel.name}: {', '.join(sorted(packages)) or 'no code'}")


@nox.session
def template(session: nox.Session) -> None:
    """Grows a plugin of each kind, installs it, and passes its tests; the tools have nothing to say about it."""
    prepare(session, "test", "lint", "typing", dists=[CORE, "contrib/headrace-plugin-template"])
    kinds = session.run("python", "-c", "from headrace_plugin_template.growing import KINDS; print(*KINDS)", silent=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, kind in enumerate(str(kinds).split()):
            name = f"own{number:x}"  # as long as the template's own, which is laid out for it
            session.run("headrace", "plugins", "new", kind, name, "--into", folder, silent=True)
            grown = Path(folder, f"headrace-{name}")
            session.install("--quiet", "--editable", str(grown))
            # whose packages are one's own is said differently inside and outside of this folder, so the order of imports is left to each
            for command in (["ruff", "check", "--ignore", "I001"], ["ruff", "format", "--check"]):
                session.run(*command, "--quiet", "--config", "pyproject.toml", str(grown))
            session.run("mypy", "--config-file", "pyproject.toml", str(grown / "src"), silent=True)
            with session.chdir(grown):
                session.run("pytest", "--quiet", *session.posargs)


@nox.session
def endurance(session: nox.Session) -> None:
    """Lets many processes use one store at once, for a minute a test, or for as many seconds as ENDURANCE_SECONDS says."""
    prepare(session, "test", dists=named("."))
    seconds = session.env["ENDURANCE_SECONDS"] = os.environ.get("ENDURANCE_SECONDS", "60")
    # one test after the other: each has more processes than there are cores
    patience = f"--override-ini=faulthandler_timeout={300 + float(seconds)}"
    pytest(session, "tests/end_to_end/test_contention.py", "--numprocesses=0", patience)


@nox.session
def screenshots(session: nox.Session) -> None:
    """Takes pictures of all pages of the dashboard, into docs/screenshots; it needs Chromium."""
    prepare(session, "test", *own_groups("plugins/headrace-dashboard"), dists=STOCK)
    session.run("python", "tests/screenshots/take.py", "docs/screenshots")


@nox.session
def kubernetes(session: nox.Session) -> None:
    """Runs flows in the cluster that KUBECONFIG names, whose node is this machine, in the image with headrace that KUBERNETES_TEST_IMAGE names."""
    missing = [name for name in ("KUBECONFIG", "KUBERNETES_TEST_IMAGE") if not os.environ.get(name)]
    if missing:
        session.error(f"{' and '.join(missing)} must be set: docs/kubernetes.md says how one gets a cluster for tests")
    plugin = "plugins/headrace-kubernetes"
    prepare(session, "test", *own_groups(plugin), dists=[*named("."), ".", plugin])
    # one test after the other: there is one node
    pytest(session, "tests/kubernetes", "--numprocesses=0", "--override-ini=faulthandler_timeout=400")


@nox.session
def zones(session: nox.Session) -> None:
    """Holds schedules against every change of clocks of every time zone from 2000 to 2037; for the night."""
    schedules = "plugins/headrace-schedules"
    prepare(session, "test", *own_groups(schedules), dists=[CORE, schedules])
    pytest(session, f"{schedules}/tests/test_zones.py", env={"ZONES": "all"})


@nox.session
def bench(session: nox.Session) -> None:
    """Measures what DESIGN promises; what stands after `--` goes to the benchmark."""
    prepare(session, dists=[*named("."), "."])
    if APART & set(session.posargs):
        prepare(session, "test", *own_groups(*STOCK), dists=[*STOCK, "."])
        install_azurite(session)
    session.run("python", "tests/bench/run.py", *session.posargs)

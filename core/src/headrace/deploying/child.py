"""Child processes that look at user code, so that it never runs in the command line's own: one question, one answer, both as JSON."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from headrace.errors import CodeUnusable, HeadraceError, SpecsRefused, WrongSpec
from headrace.model.orders import ExitStatus
from headrace.packaging.loading import users_traceback
from headrace.processes.refusal import why_refused

SECONDS = 120
"""How long user code may take to be imported."""

MOST_SAID = 10_000_000
"""How many bytes it may print meanwhile."""

LOOKS_SECONDS = 0.25
"""How often it is looked how much that is."""

MOST_SHOWN = 2_000
"""How much of too much is shown."""

QUESTION, ANSWER, SAID = "question.json", "answer.json", "said.txt"


def asked(
    module: str, question: Any, *, what: str, python: str, folder: Path, environment: Mapping[str, str], seconds: float = SECONDS
) -> Any:
    """The answer of `python -m module` to a question, from a process that starts in `folder`; what it prints is shown on standard error.

    Raises CodeUnusable, and WrongSpec or SpecsRefused where the child says so.
    """
    with tempfile.TemporaryDirectory(prefix="headrace-") as name:
        place = Path(name)
        (place / QUESTION).write_text(json.dumps(question), encoding="utf-8")
        try:
            code = _ended([python, "-P", "-m", module, name], place / SAID, folder, environment, seconds)
        except subprocess.TimeoutExpired:
            why = f"importing it took more than {seconds:g} seconds; what takes long belongs into the flow, where it runs only when the flow does"
            raise CodeUnusable(what=what, why=why) from None
        except _SaidTooMuch:
            why = f"importing it printed more than {MOST_SAID // 1_000_000} MB; what it does belongs into the flow, where it is done only when the flow runs"
            raise CodeUnusable(what=what, why=why) from None
        except OSError as error:
            raise CodeUnusable(what=what, why=f"{python} cannot be started: {why_refused(error)}") from error
        finally:
            said = _shown(place / SAID)
        return _answer(place / ANSWER, code, said, python, what)


class _SaidTooMuch(Exception):
    """A child prints without an end."""


def _ended(command: list[str], said: Path, folder: Path, environment: Mapping[str, str], seconds: float) -> int:
    """The exit code. What it prints goes to a file, since a pipe would stay open for as long as anything lives that it started."""
    with open(said, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**environment, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        return _waited(process, said, seconds)
    except BaseException:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise


def _waited(process: "subprocess.Popen[bytes]", said: Path, seconds: float) -> int:
    while seconds > 0:
        try:
            return process.wait(min(seconds, LOOKS_SECONDS))
        except subprocess.TimeoutExpired:
            seconds -= LOOKS_SECONDS
        if said.stat().st_size > MOST_SAID:
            raise _SaidTooMuch
    raise subprocess.TimeoutExpired(process.args, seconds)


def _shown(said: Path) -> str:
    text = _read(said) if said.exists() else ""
    if text and sys.__stderr__ is not None:
        sys.__stderr__.write(text)
        sys.__stderr__.flush()
    return text


def _read(said: Path) -> str:
    if said.stat().st_size <= MOST_SAID:
        return said.read_text(errors="backslashreplace")
    with said.open(errors="backslashreplace") as lines:
        return f"{lines.read(MOST_SHOWN)} …\n"


def _answer(file: Path, code: int, said: str, python: str, what: str) -> Any:
    try:
        answer = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = said.strip().rpartition("\n")[2] or "it said nothing; does the code end the process while it is imported?"
        if "No module named" in last and "headrace" in last:
            last = f"it has no headrace that can do this; install headrace-core for {python}"
        raise CodeUnusable(what=what, why=f"the process that was to import it ended with {ExitStatus(code)}: {last}") from None
    fault = answer.get("fault")
    if fault is None:
        return answer["answer"]
    if "faults" in fault:
        raise SpecsRefused(faults=tuple(fault["faults"]))
    raise WrongSpec(**fault) if "where" in fault else CodeUnusable(**fault)


def answering(answer: Callable[[Any], Any]) -> None:
    """What the child does: it reads the question, and writes the answer, or why there is none."""
    place = Path(sys.argv[-1])
    if len(sys.argv) != 2 or not (place / QUESTION).is_file():
        sys.stderr.write("error: this is a part of `headrace deployment create`, which starts it by itself; call that instead\n")
        sys.exit(2)
    question = json.loads((place / QUESTION).read_text(encoding="utf-8"))
    said: dict[str, Any]
    try:
        said = {"answer": answer(question)}
    except HeadraceError as error:
        _show_users_traceback(error, question.get("root"))
        said = {"fault": _fault(error)}
    (place / ANSWER).write_text(json.dumps(said), encoding="utf-8")


def _fault(error: HeadraceError) -> dict[str, Any]:
    match error:
        case SpecsRefused():
            return {"faults": list(error.faults)}
        case WrongSpec():
            return {"where": error.where, "why": error.why}
        case CodeUnusable():
            return {"what": error.what, "why": error.why}
    return {"what": "this deployment", "why": str(error)}


def _show_users_traceback(error: HeadraceError, root: str | None) -> None:
    """The user's own lines that led to an error; files are named as in the project, not by where they were put to be imported.

    An error of headrace's is a sentence with its place, which is told anyway.
    """
    if error.__cause__ is not None and not isinstance(error.__cause__, HeadraceError):
        sys.stderr.write(users_traceback(error.__cause__, root))

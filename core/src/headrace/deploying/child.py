"""Child processes that look at user code, so that it never runs in the command line's own: one question, one answer, both as JSON."""

import json
import os
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from headrace.errors import CodeUnusable, HeadraceError, WrongSpec
from headrace.packaging.loading import users_frames

SECONDS = 120
"""How long user code may take to be imported."""


def asked(module: str, question: Any, *, what: str, python: str, folder: Path) -> Any:
    """The answer of `python -m module` to a question, from a process that starts in `folder`; what it prints is shown on standard error.

    Raises CodeUnusable, and WrongSpec where the child says so.
    """
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "question.json").write_text(json.dumps(question))
        command = [python, "-P", "-m", module, place]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__,
                stderr=subprocess.PIPE,
                text=True,
                errors="backslashreplace",
                timeout=SECONDS,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise CodeUnusable(
                what=what, why=f"importing it took more than {SECONDS} seconds; what takes long belongs into the flow"
            ) from None
        except OSError as error:
            raise CodeUnusable(what=what, why=f"{python} cannot be started: {error.strerror}") from error
        if done.stderr and sys.__stderr__ is not None:
            sys.__stderr__.write(done.stderr)
            sys.__stderr__.flush()
        return _answer(Path(place) / "answer.json", done, what)


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}


def _answer(file: Path, done: "subprocess.CompletedProcess[str]", what: str) -> Any:
    try:
        answer = json.loads(file.read_text())
    except (OSError, ValueError):
        last = done.stderr.strip().splitlines()[-1:] or ["and it said nothing"]
        raise CodeUnusable(what=what, why=f"the process that was to import it ended with exit code {done.returncode}: {last[0]}") from None
    fault = answer.get("fault")
    if fault is not None:
        raise WrongSpec(where=fault["where"], why=fault["why"]) if "where" in fault else CodeUnusable(**fault)
    return answer["answer"]


def answering(answer: Callable[[Any], Any]) -> None:
    """What the child does: it reads the question, and writes the answer, or why there is none."""
    place = Path(sys.argv[1])
    said: dict[str, Any]
    try:
        said = {"answer": answer(json.loads((place / "question.json").read_text()))}
    except HeadraceError as error:
        _show_users_traceback(error)
        said = {"fault": _fault(error)}
    (place / "answer.json").write_text(json.dumps(said))


def _fault(error: HeadraceError) -> dict[str, str]:
    match error:
        case WrongSpec():
            return {"where": error.where, "why": error.why}
        case CodeUnusable():
            return {"what": error.what, "why": error.why}
    return {"what": "this deployment", "why": str(error)}


def _show_users_traceback(error: HeadraceError) -> None:
    cause = error.__cause__
    if cause is not None and not isinstance(cause, HeadraceError) and users_frames(cause) is not None:
        traceback.print_exception(cause)

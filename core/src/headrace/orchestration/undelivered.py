"""What the process of a run could not tell in the end: put away in the home, and told by the next process of this machine that can."""

import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import attrs

from headrace.errors import NotFound, WrongData
from headrace.model.journals import JournalBatch
from headrace.model.moves import Move
from headrace.model.states import State
from headrace.ports.client import OpenClient
from headrace.wire.plain import from_text, to_text

KEPT = timedelta(days=7)
"""How long is waited for a run that is not known; it was deleted, or is one of another run store."""

logger = logging.getLogger("headrace.undelivered")


@attrs.frozen(kw_only=True)
class Undelivered:
    """What was left of a run's journal, and the move that was to follow it."""

    run_id: str
    put_away: datetime
    journal: JournalBatch | None = None
    move: Move | None = None
    version: int = 1


def put_away(home: Path, name: str, undelivered: Undelivered) -> None:
    """Keeps it, all or nothing; names that begin with a run's identity, and go on with one that grows, keep the order. Raises OSError."""
    folder = _folder(home)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = folder / f"{name}.part"
    try:
        with open(beside, "xb", opener=_for_nobody_else) as file:
            file.write(to_text(undelivered).encode(errors="surrogatepass"))
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, folder / f"{name}.json")
    except OSError:
        with suppress(OSError):
            os.unlink(beside)
        raise


def is_put_away(home: Path, identity: str) -> bool:
    """Whether there is anything of the run with this identity."""
    return any(_files(home, identity))


def deliver(home: Path, client: OpenClient, now: datetime, *, identity: str = "") -> None:
    """Tells what was put away, of one run or of all. Telling it twice changes nothing. Raises what the client raises."""
    for path in _files(home, identity):
        try:
            undelivered = from_text(Undelivered, path.read_bytes())
        except FileNotFoundError:  # another process has told it
            continue
        except (WrongData, ValueError) as error:
            logger.warning("%s cannot be read, and is left out from now on: %s", path, error)
            path.replace(path.with_suffix(".unreadable"))
            continue
        if _told(undelivered, client) or undelivered.put_away + KEPT < now:
            path.unlink(missing_ok=True)


def _told(undelivered: Undelivered, client: OpenClient) -> bool:
    """Whether it is over and done with; it is not as long as the run is not known."""
    try:
        known = client.read_flow_run(undelivered.run_id).state
        for portion in undelivered.journal.portions() if undelivered.journal is not None else ():
            client.write_journal(portion)
        if undelivered.move is not None and _is_news(undelivered.move, known):
            client.move_flow_run(undelivered.move)
    except NotFound:
        return False
    return True


def _is_news(move: Move, known: State) -> bool:
    """Whether it says more than is known: a run that was presumed lost may have ended well."""
    is_presumed = known.is_lost() or known.awaits_restart()
    return not move.state.is_crashed() if is_presumed else not known.is_terminal()


def _files(home: Path, identity: str) -> Iterator[Path]:
    try:
        names = sorted(os.listdir(_folder(home)))
    except OSError:
        return
    yield from (_folder(home) / name for name in names if name.startswith(identity) and name.endswith(".json"))


def _folder(home: Path) -> Path:
    return home / "undelivered"


def _for_nobody_else(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)

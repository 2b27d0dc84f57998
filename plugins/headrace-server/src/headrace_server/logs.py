"""The log of a server, on its standard error."""

import logging
import time


class _Line(logging.Formatter):
    """As commands show lines of runs: the time of this machine, the level, who says it."""

    def format(self, record: logging.LogRecord) -> str:
        clock = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(record.created))
        said = f"{clock}.{int(record.msecs):03d} | {record.levelname:<7} | {record.name.removeprefix('uvicorn.')} - {record.getMessage()}"
        return f"{said}\n{self.formatException(record.exc_info)}" if record.exc_info else said


def install(level: str) -> None:
    """Shows what is said from this level on; of what the parts below say, warnings, and with DEBUG each request."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    for name in ("headrace", "uvicorn", "asyncio"):
        logger = logging.getLogger(name)
        logger.addHandler(handler)
        logger.propagate = False
    logging.getLogger("headrace").setLevel(level)
    logging.getLogger("uvicorn").setLevel("INFO" if level == "DEBUG" else "WARNING")

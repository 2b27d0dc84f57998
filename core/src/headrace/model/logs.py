"""Log lines of runs."""

from datetime import datetime

import attrs


@attrs.frozen(kw_only=True)
class LogLine:
    """One thing a run said. `level` is the number of the standard library's logging; `id` grows with time."""

    id: str
    flow_run_id: str
    task_run_id: str | None = None
    timestamp: datetime
    level: int
    logger: str
    message: str

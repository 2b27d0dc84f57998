"""Counters of flow runs, against the runs that they count.

Triggers keep them in the transaction that changes a run, so they cannot disagree unless somebody else wrote to the file, or it was mended by hand. To
look takes as long as reading all flow runs.
"""

import sqlite3

COUNTED = """
    WITH runs AS MATERIALIZED (
        SELECT substr(created, 1, 13) AS hour, flow_name, deployment_id, state_type, state_name, count(*) AS count
        FROM flow_runs GROUP BY 1, 2, 3, 4, 5
    )
    SELECT 'all' AS counted, hour, '' AS flow_name, state_type, state_name, sum(count) AS count FROM runs GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT 'flow ' || flow_name, hour, '', state_type, state_name, sum(count) FROM runs GROUP BY 1, 2, 3, 4, 5
    UNION ALL
    SELECT 'deployment ' || deployment_id, hour, flow_name, state_type, state_name, sum(count) FROM runs
    WHERE deployment_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
"""

HOURS = "SELECT substr(created, 1, 13) AS hour, min(id) AS least_id, max(id) AS greatest_id FROM flow_runs GROUP BY 1"

_COUNTERS = "SELECT counted, hour, flow_name, state_type, state_name, count FROM flow_run_counts"


def disagreements(connection: sqlite3.Connection) -> int:
    """How many counters, and hours, disagree with the flow runs. The ids of an hour may lie closer together than it says, since runs are forgotten."""
    wrong = f"SELECT counted, hour, flow_name, state_type, state_name FROM (SELECT * FROM ({_COUNTERS}) EXCEPT SELECT * FROM ({COUNTED}))"
    missing = f"SELECT counted, hour, flow_name, state_type, state_name FROM (SELECT * FROM ({COUNTED}) EXCEPT SELECT * FROM ({_COUNTERS}))"
    hours = (
        f"SELECT 1 FROM ({HOURS}) AS found LEFT JOIN flow_run_hours AS kept ON kept.hour = found.hour"
        " WHERE kept.hour IS NULL OR kept.least_id > found.least_id OR kept.greatest_id < found.greatest_id"
    )
    (counters,) = connection.execute(f"SELECT count(*) FROM (SELECT * FROM ({wrong}) UNION SELECT * FROM ({missing}))").fetchone()
    (narrow,) = connection.execute(f"SELECT count(*) FROM ({hours})").fetchone()
    return int(counters + narrow)


def count_anew(connection: sqlite3.Connection) -> None:
    """Makes all counters anew, inside the transaction that the connection is in."""
    for table, columns, found in (
        ("flow_run_counts", "counted, hour, flow_name, state_type, state_name, count", COUNTED),
        ("flow_run_hours", "hour, least_id, greatest_id", HOURS),
    ):
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} ({columns}) SELECT * FROM ({found})")

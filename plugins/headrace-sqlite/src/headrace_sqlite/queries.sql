-- The statements that run all the time. Each has a name and a sentence; Python calls it by the name.
--
-- A parameter with a name is given by name, a question mark by place, since rows that come by the thousand are bound faster so.
-- Inserts have `VALUES` and never `SELECT`: for that, SQLite makes ready to take back each row by itself, which costs more than writing it.

-- name: identity: Whose database this is, which schema it has, and whether it has tables; read as one.
SELECT
    (SELECT application_id FROM pragma_application_id),
    (SELECT user_version FROM pragma_user_version),
    EXISTS (SELECT 1 FROM sqlite_master);

-- name: look: Reads anything, so that a transaction's one consistent look starts now and not at its first question.
PRAGMA user_version;

-- name: flow_run: One flow run.
SELECT value FROM flow_runs WHERE id = :run_id;

-- name: task_run: One task run.
SELECT value FROM task_runs WHERE id = :run_id;

-- name: states: What a run of either kind went through, oldest first.
SELECT value FROM (
    SELECT revision, value FROM flow_run_states WHERE run_id = :run_id
    UNION ALL
    SELECT revision, value FROM task_run_states WHERE run_id = :run_id
) ORDER BY revision;

-- name: lease: Who owns a root run; an end that lies before its own beginning is of a clock that started anew.
SELECT epoch, holder, boot = :boot AND renewed <= :now AND :now < expires FROM leases WHERE run_id = :run_id;

-- name: verdict: What came of a move.
SELECT value FROM verdicts WHERE move_id = :move_id;

-- name: cached: The newest state under a cache key that is still good.
SELECT value FROM cached WHERE cache_key = :cache_key AND (expires IS NULL OR expires > :now) ORDER BY kept DESC LIMIT 1;

-- name: limits: Limits of some tags (null: of all), a row for each task run that holds a slot by a live lease, or one without.
SELECT limits.tag, limits.most, slots.task_run_id
FROM limits LEFT JOIN slots ON slots.tag = limits.tag AND EXISTS (
    SELECT 1 FROM leases
    WHERE run_id = slots.root_id AND epoch = slots.epoch AND boot = :boot AND renewed <= :now AND :now < expires
)
WHERE :tags IS NULL OR limits.tag IN (SELECT value FROM json_each(:tags))
ORDER BY limits.tag, slots.task_run_id;

-- name: events: Events after a sequence, oldest first.
SELECT sequence, value FROM events WHERE sequence > :after ORDER BY sequence LIMIT :limit;

-- name: add_flow_run: A new flow run; one that is known stays as it is.
INSERT INTO flow_runs
    (id, name, flow_name, deployment_id, state_type, state_name, tags, created, root_id, parent_task_run_id, revision, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: update_flow_run: A flow run in its next shape, if nobody changed it meanwhile.
UPDATE flow_runs SET
    name = ?, flow_name = ?, deployment_id = ?, state_type = ?, state_name = ?, tags = ?, created = ?, root_id = ?,
    parent_task_run_id = ?, revision = ?, value = ?
WHERE id = ? AND revision = ?;

-- name: add_flow_run_state: A state that a flow run enters.
INSERT INTO flow_run_states (run_id, revision, value) VALUES (?, ?, ?) ON CONFLICT (run_id, revision) DO NOTHING;

-- name: delete_flow_run: A flow run, and the subflows under it at any depth; what belongs to them goes by foreign key.
DELETE FROM flow_runs WHERE id IN (
    WITH RECURSIVE doomed (id) AS (
        SELECT id FROM flow_runs WHERE id = :run_id
        UNION
        SELECT flow_runs.id FROM doomed JOIN flow_runs ON flow_runs.root_id = doomed.id
        UNION
        SELECT flow_runs.id FROM doomed
            JOIN task_runs ON task_runs.flow_run_id = doomed.id
            JOIN flow_runs ON flow_runs.parent_task_run_id = task_runs.id
    )
    SELECT id FROM doomed
);

-- name: put_task_run: A task run in its newest shape.
INSERT INTO task_runs (id, flow_run_id, name, state_type, state_name, tags, revision, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    flow_run_id = excluded.flow_run_id, name = excluded.name, state_type = excluded.state_type, state_name = excluded.state_name,
    tags = excluded.tags, revision = excluded.revision, value = excluded.value
WHERE excluded.revision >= task_runs.revision;

-- name: add_task_run_state: A state that a task run had.
INSERT INTO task_run_states (run_id, revision, value)
VALUES (?, ?, ?)
ON CONFLICT (run_id, revision) DO NOTHING;

-- name: add_log: A log line.
INSERT INTO logs (id, flow_run_id, task_run_id, timestamp, level, logger, message)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: remember: What came of a move; the first answer stays.
INSERT INTO verdicts (move_id, run_id, value)
VALUES (:move_id, :run_id, :value)
ON CONFLICT (move_id) DO NOTHING;

-- name: grant_lease: A lease for a new holder.
INSERT INTO leases (run_id, epoch, holder, boot, renewed, expires)
VALUES (:run_id, :epoch, :holder, :boot, :now, :now + :seconds)
ON CONFLICT (run_id) DO UPDATE SET
    epoch = excluded.epoch, holder = excluded.holder, boot = excluded.boot, renewed = excluded.renewed, expires = excluded.expires;

-- name: renew_lease: More time for a holder that nobody took the run from.
UPDATE leases SET boot = :boot, renewed = :now, expires = :now + :seconds WHERE run_id = :run_id AND epoch = :epoch;

-- name: end_lease: A lease that ended; its epoch stays.
UPDATE leases SET expires = renewed WHERE run_id = :run_id;

-- name: keep_cached: A completed state under a cache key, in place of what this run kept there before.
INSERT OR REPLACE INTO cached (cache_key, run_id, expires, value)
VALUES (:cache_key, :run_id, :expires, :value);

-- name: hold_slot: A task run that counts against the limit of a tag.
INSERT INTO slots (task_run_id, tag, root_id, epoch)
VALUES (?, ?, ?, ?)
ON CONFLICT (task_run_id, tag) DO NOTHING;

-- name: free_slots: A task run that counts no longer.
DELETE FROM slots WHERE task_run_id = ?;

-- name: set_limit: The limit of a tag.
INSERT INTO limits (tag, most) VALUES (:tag, :most) ON CONFLICT (tag) DO UPDATE SET most = excluded.most;

-- name: delete_limit: No limit for a tag any more.
DELETE FROM limits WHERE tag = :tag;

-- name: append_event: An event; its sequence is the next after the greatest.
INSERT INTO events (value) VALUES (:value);

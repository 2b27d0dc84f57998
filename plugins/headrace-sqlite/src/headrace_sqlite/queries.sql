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

-- name: count_flow_runs: How many flow runs are in which state, by whole hours; of flows or deployments, which are counted beside all.
SELECT state_type, state_name, sum(count) FROM flow_run_counts
WHERE counted IN (SELECT value FROM json_each(:counted)) AND hour >= :first AND hour <= :last
    AND (:flow_names IS NULL OR flow_name IN (SELECT value FROM json_each(:flow_names)))
GROUP BY state_type, state_name ORDER BY state_type, state_name;

-- name: flow_names: Names of flows after one, that runs or deployments have; each of those that ran is found from the one before it, whatever ran.
WITH RECURSIVE ran (name) AS (
    SELECT min(flow_name) FROM flow_runs WHERE flow_name > :after
    UNION ALL
    SELECT (SELECT min(flow_name) FROM flow_runs WHERE flow_name > ran.name) FROM ran WHERE ran.name IS NOT NULL
)
SELECT name FROM (SELECT name FROM ran WHERE name IS NOT NULL UNION SELECT flow_name FROM deployments WHERE flow_name > :after) AS known
WHERE :text IS NULL OR instr(lower(name), lower(:text)) > 0
ORDER BY name LIMIT :limit;

-- name: count_ended: How many root runs that have ended were made until a moment, after one of them; between the ids of its hours, and no further than is asked.
SELECT count(*) FROM (
    SELECT 1 FROM flow_runs INDEXED BY flow_runs_that_ended
    WHERE root_id = id AND state_type IN ('CANCELLED', 'COMPLETED', 'CRASHED', 'FAILED') AND created <= :until AND id > :after
        AND id <= (SELECT max(greatest_id) FROM flow_run_hours WHERE hour <= :hour)
    LIMIT :most
);

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

-- name: version: A number that is another one when another connection has written.
PRAGMA data_version;

-- name: last_event: The greatest sequence; 0 before the first event.
SELECT coalesce(max(sequence), 0) FROM events;

-- name: deployment: One deployment.
SELECT value FROM deployments WHERE id = :deployment_id;

-- name: deployment_versions: What a deployment is and was, the newest first.
SELECT value FROM deployment_versions WHERE deployment_id = :deployment_id ORDER BY version DESC LIMIT :limit;

-- name: work_queue: One work queue.
SELECT value FROM work_queues WHERE id = :queue_id;

-- name: due: Runs of a queue that are due, earliest first, without those that somebody owns; read in order, until there are enough.
SELECT flow_runs.value
FROM assignments INDEXED BY assignments_by_due CROSS JOIN flow_runs ON flow_runs.id = assignments.run_id
WHERE assignments.queue_id = :queue_id AND assignments.due <= :until AND (assignments.due, assignments.run_id) > (:after, :after_id) AND NOT EXISTS (
    SELECT 1 FROM leases WHERE run_id = assignments.run_id AND boot = :boot AND renewed <= :now AND :now < expires
)
ORDER BY assignments.due, assignments.run_id LIMIT :limit;

-- name: in_use: How many runs of a queue somebody owns; looked for among the live leases, which are fewer than the runs of a queue.
SELECT count(*)
FROM leases INDEXED BY leases_that_last
CROSS JOIN assignments ON assignments.run_id = leases.run_id AND assignments.queue_id = :queue_id
WHERE leases.boot = :boot AND leases.expires > :now AND leases.renewed <= :now AND leases.expires > leases.renewed;

-- name: under_way: The runs of a queue that somebody owns.
SELECT flow_runs.value
FROM leases INDEXED BY leases_that_last
CROSS JOIN assignments ON assignments.run_id = leases.run_id AND assignments.queue_id = :queue_id
CROSS JOIN flow_runs ON flow_runs.id = leases.run_id
WHERE leases.boot = :boot AND leases.expires > :now AND leases.renewed <= :now AND leases.expires > leases.renewed
ORDER BY leases.run_id LIMIT :limit;

-- name: late: Runs of deployments that were due before a moment and that nobody owns, earliest first.
SELECT value
FROM flow_runs INDEXED BY flow_runs_by_due
WHERE due < :before AND deployment_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM leases WHERE run_id = flow_runs.id AND boot = :boot AND renewed <= :now AND :now < expires
)
ORDER BY due, id LIMIT :limit;

-- name: overdue: Runs that were to begin by a moment and have not, and that nobody owns, earliest first.
SELECT value
FROM flow_runs INDEXED BY flow_runs_by_start_by
WHERE start_by <= :until AND NOT EXISTS (
    SELECT 1 FROM leases WHERE run_id = flow_runs.id AND boot = :boot AND renewed <= :now AND :now < expires
)
ORDER BY start_by, id LIMIT :limit;

-- name: ticks_waiting: Runs of a schedule that wait to be started for the first time, earliest time first.
SELECT value
FROM flow_runs INDEXED BY flow_runs_by_schedule_and_state
WHERE schedule_id = :schedule_id AND state_type = 'SCHEDULED' AND state_name NOT IN ('AwaitingRetry', 'AwaitingRestart')
    AND tick_at <= :until AND coalesce(json_extract(value, '$.run_count'), 0) = 0
ORDER BY tick_at, id LIMIT :limit;

-- name: ticks: The runs of schedules for times between two moments, by schedule and time; of each schedule the latest.
SELECT t.schedule_id, t.tick_at, t.id, t.state_type, t.state_name
FROM json_each(:schedule_ids) AS wanted CROSS JOIN flow_runs AS t
WHERE t.rowid IN (
    SELECT s.rowid FROM flow_runs AS s INDEXED BY flow_runs_by_tick
    WHERE s.schedule_id = wanted.value AND s.tick_at >= :first AND s.tick_at <= :last
    ORDER BY s.tick_at DESC, s.tick_version DESC LIMIT :limit
)
ORDER BY t.schedule_id, t.tick_at, t.id;

-- name: ticks_begun: Runs of a schedule that are under way, earliest time first.
SELECT value
FROM flow_runs INDEXED BY flow_runs_by_schedule_and_state
WHERE schedule_id = :schedule_id AND (
    state_type IN ('PENDING', 'RUNNING', 'CANCELLING')
    OR (state_type IN ('SCHEDULED', 'PAUSED') AND (json_extract(value, '$.run_count') > 0 OR state_name = 'AwaitingRestart'))
)
ORDER BY tick_at, id LIMIT :limit;

-- name: schedule_plan: How far a schedule is decided.
SELECT schedule_id, deployment_id, version, revision, decided, look_at, looked FROM schedule_plans WHERE schedule_id = :schedule_id;

-- name: schedule_plans: Schedules that are to be looked at, earliest first.
SELECT schedule_id, deployment_id, version, revision, decided, look_at, looked
FROM schedule_plans INDEXED BY schedule_plans_by_look_at WHERE look_at <= :until ORDER BY look_at, schedule_id LIMIT :limit;

-- name: looked_after: Whether a schedule that is to be looked at some time was looked at after a moment.
SELECT EXISTS (SELECT 1 FROM schedule_plans WHERE looked > :moment AND look_at IS NOT NULL);

-- name: waits: What kept a run waiting, oldest first.
SELECT until, value FROM waits WHERE run_id = :run_id ORDER BY since;

-- name: held_by: Root runs that a holder has or had.
SELECT flow_runs.value
FROM leases INDEXED BY leases_by_holder CROSS JOIN flow_runs ON flow_runs.id = leases.run_id
WHERE leases.holder = :holder ORDER BY leases.run_id;

-- name: lost: Root runs whose lease has run out; one that was ended is not among those that last.
SELECT flow_runs.value
FROM leases INDEXED BY leases_that_last CROSS JOIN flow_runs ON flow_runs.id = leases.run_id
WHERE leases.expires > leases.renewed AND NOT (leases.boot = :boot AND leases.renewed <= :now AND :now < leases.expires)
ORDER BY leases.run_id LIMIT :limit;

-- name: token: A token.
SELECT value FROM tokens WHERE id = :token_id;

-- name: tokens: All tokens.
SELECT value FROM tokens ORDER BY id;

-- name: storage: The storage of a name.
SELECT value FROM storages WHERE name = :storage;

-- name: storages: All storages.
SELECT value FROM storages ORDER BY name;

-- name: reserved: What is known of some keys.
SELECT key, storage, at, removing FROM reserved
WHERE key IN (SELECT value FROM json_each(:keys)) ORDER BY key, storage;

-- name: reserved_before: Keys that were reserved before a moment, those that come after one.
SELECT key, storage, at, removing FROM reserved
WHERE (key, storage) > (:key, :storage) AND at < :moment ORDER BY key, storage LIMIT :limit;

-- name: count_reserved: How many keys are known that are in a storage.
SELECT count(*) FROM (SELECT 1 FROM reserved WHERE storage = :storage LIMIT :most) AS wanted;

-- name: is_borrowed: Whether a run has taken results that a root run has kept.
SELECT EXISTS (SELECT 1 FROM borrowed WHERE kept_by = :kept_by);

-- name: archives: The archives of an address that versions of deployments have.
SELECT DISTINCT json_extract(value, '$.code.archive') FROM deployment_versions
WHERE json_extract(value, '$.code.archive.sha256') = :sha256 ORDER BY 1;

-- name: mark: What was remembered under a name.
SELECT value FROM marks WHERE name = :mark;

-- name: agent: An agent, with whether its time is not over.
SELECT value, boot = :boot AND renewed <= :now AND :now < expires FROM agents WHERE id = :agent_id;

-- name: agents: All agents, each with whether its time is not over.
SELECT value, boot = :boot AND renewed <= :now AND :now < expires FROM agents ORDER BY id;

-- name: add_flow_run: A new flow run; one that is known stays as it is, and so does one that its schedule has for this time.
INSERT INTO flow_runs
    (id, tick_at, tick_version, name, flow_name, deployment_id, state_type, state_name, tags, created, root_id, parent_task_run_id, schedule_id,
    start_by, work_queue, revision, due, value)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING;

-- name: update_flow_run: A flow run in its next shape, if nobody changed it meanwhile.
UPDATE flow_runs SET
    name = ?, flow_name = ?, deployment_id = ?, state_type = ?, state_name = ?, tags = ?, created = ?, root_id = ?,
    parent_task_run_id = ?, schedule_id = ?, start_by = ?, work_queue = ?, revision = ?, due = ?, value = ?
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
    name = excluded.name, state_type = excluded.state_type, state_name = excluded.state_name,
    tags = excluded.tags, revision = excluded.revision, value = excluded.value
WHERE excluded.revision >= task_runs.revision AND excluded.flow_run_id = task_runs.flow_run_id;

-- name: add_task_run_state: A state that a task run had.
INSERT INTO task_run_states (run_id, revision, value)
VALUES (?, ?, ?)
ON CONFLICT (run_id, revision) DO NOTHING;

-- name: add_log: A log line.
INSERT INTO logs (id, flow_run_id, task_run_id, timestamp, level, logger, message)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO NOTHING;

-- name: arrivals: Lines of a flow run as they were written; a rowid is greater than all there were, and nothing here renumbers them.
SELECT rowid, id, flow_run_id, task_run_id, timestamp, level, logger, message FROM logs INDEXED BY logs_by_arrival
WHERE flow_run_id = :flow_run_id AND rowid > :after ORDER BY rowid LIMIT :limit;

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

-- name: forget_logs: What a root run and its subflows said, or a subflow by itself.
DELETE FROM logs WHERE flow_run_id IN (SELECT id FROM flow_runs WHERE root_id = :run_id OR id = :run_id);

-- name: forget_verdicts: What came of the moves of a root run and its subflows.
DELETE FROM verdicts WHERE run_id IN (SELECT id FROM flow_runs WHERE root_id = :run_id);

-- name: forget_task_run_states: How the task runs of a root run and its subflows went, or those of a subflow by itself.
DELETE FROM task_run_states WHERE run_id IN (
    SELECT task_runs.id FROM flow_runs CROSS JOIN task_runs ON task_runs.flow_run_id = flow_runs.id
    WHERE flow_runs.root_id = :run_id OR flow_runs.id = :run_id
);

-- name: forget_task_runs: The task runs of a root run and its subflows.
DELETE FROM task_runs WHERE flow_run_id IN (SELECT id FROM flow_runs WHERE root_id = :run_id);

-- name: forget_waits: What kept a run waiting.
DELETE FROM waits WHERE run_id = :run_id;

-- name: forget_events: Old events; the newest stays, since the next sequence comes after it.
DELETE FROM events WHERE sequence <= min(:until, (SELECT max(sequence) FROM events) - 1);

-- name: add_token: A token; one that is known stays as it is.
INSERT INTO tokens (id, value) VALUES (:id, :value) ON CONFLICT (id) DO NOTHING;

-- name: delete_token: A token.
DELETE FROM tokens WHERE id = :token_id;

-- name: put_storage: A storage; its name must not be another's.
INSERT INTO storages (id, name, value) VALUES (:id, :name, :value)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, value = excluded.value;

-- name: delete_storage: A storage.
DELETE FROM storages WHERE id = :storage_id;

-- name: put_reserved: A key in a storage.
INSERT INTO reserved (key, storage, at, removing) VALUES (?, ?, ?, ?)
ON CONFLICT (key, storage) DO UPDATE SET at = excluded.at, removing = excluded.removing;

-- name: drop_reserved: A key in a storage.
DELETE FROM reserved WHERE key = ? AND storage = ?;

-- name: borrow: A root run that has taken results of another.
INSERT INTO borrowed (kept_by, run_id) VALUES (:kept_by, :run_id) ON CONFLICT DO NOTHING;

-- name: drop_reserved_in: All keys in a storage.
DELETE FROM reserved WHERE storage = :storage;

-- name: put_mark: A text under a name.
INSERT INTO marks (name, value) VALUES (:name, :value) ON CONFLICT (name) DO UPDATE SET value = excluded.value;

-- name: append_event: An event; its sequence is the next after the greatest.
INSERT INTO events (kind, subject, value) VALUES (?, ?, ?);

-- name: put_deployment: A deployment, in place of what was under its id.
INSERT INTO deployments (id, name, flow_name, tags, value)
VALUES (:id, :name, :flow_name, :tags, :value)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, flow_name = excluded.flow_name, tags = excluded.tags, value = excluded.value;

-- name: delete_deployment: No such deployment any more.
DELETE FROM deployments WHERE id = :deployment_id;

-- name: put_schedule_plan: How far a schedule is decided, in place of what was known of it.
INSERT INTO schedule_plans (schedule_id, deployment_id, version, revision, decided, look_at, looked)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (schedule_id) DO UPDATE SET
    deployment_id = excluded.deployment_id, version = excluded.version, revision = excluded.revision, decided = excluded.decided,
    look_at = excluded.look_at, looked = excluded.looked;

-- name: drop_schedule_plan: No such schedule any more.
DELETE FROM schedule_plans WHERE schedule_id = :schedule_id;

-- name: look_again: All schedules that are to be looked at later are to be looked at now.
UPDATE schedule_plans SET look_at = :now WHERE look_at > :now;

-- name: forget_ticks: Runs of a schedule that never began; those for times after a moment, if there is one.
DELETE FROM flow_runs
WHERE schedule_id = :schedule_id AND coalesce(json_extract(value, '$.run_count'), 0) = 0 AND CASE
    WHEN :after IS NULL THEN state_type IN ('SCHEDULED', 'PAUSED')
    ELSE tick_at > :after AND (state_type = 'SCHEDULED' OR state_name = 'Skipped')
END;

-- name: add_deployment_version: What a deployment is in a version of it.
INSERT INTO deployment_versions (deployment_id, version, value)
VALUES (:deployment_id, :version, :value)
ON CONFLICT (deployment_id, version) DO NOTHING;

-- name: put_work_queue: A work queue, in place of what was under its id.
INSERT INTO work_queues (id, name, value)
VALUES (:id, :name, :value)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, value = excluded.value;

-- name: delete_work_queue: No such work queue any more; what is assigned to it goes by foreign key.
DELETE FROM work_queues WHERE id = :queue_id;

-- name: unassign: A run that is in no queue.
DELETE FROM assignments WHERE run_id = :run_id;

-- name: assignable: What an assignment has of its run.
SELECT due FROM flow_runs WHERE id = :run_id;

-- name: assign: A run that is in a queue.
INSERT INTO assignments (run_id, queue_id, due)
VALUES (?, ?, ?)
ON CONFLICT (run_id, queue_id) DO NOTHING;

-- name: add_wait: What keeps a run waiting from a moment on.
INSERT INTO waits (run_id, since, until, value)
VALUES (:run_id, :since, :until, :value)
ON CONFLICT (run_id, since) DO UPDATE SET until = excluded.until, value = excluded.value;

-- name: end_waits: What keeps a run waiting no longer.
UPDATE waits SET until = :until WHERE run_id = :run_id AND until IS NULL;

-- name: keep_agent: An agent that is there for a while.
INSERT INTO agents (id, boot, renewed, expires, value)
VALUES (:id, :boot, :now, :now + :seconds, :value)
ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, renewed = excluded.renewed, expires = excluded.expires, value = excluded.value;

-- name: drop_agent: No such agent any more.
DELETE FROM agents WHERE id = :agent_id;

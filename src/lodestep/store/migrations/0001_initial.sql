-- The first schema. SQLite's dialect; see docs/decisions/0002 for what the statements of the store may use.
-- Times are wall milliseconds, 0 means not yet; absent text is ''. JSON is kept as it was encoded.

CREATE TABLE counter (
    name TEXT PRIMARY KEY NOT NULL,
    value INTEGER NOT NULL
);

INSERT INTO counter (name, value) VALUES ('rev', 0);

CREATE TABLE spec (
    digest TEXT PRIMARY KEY NOT NULL,
    canonical BLOB NOT NULL,
    created_ms INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE experiment (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    namespace TEXT NOT NULL,
    storage_state TEXT NOT NULL CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED')),
    created_ms INTEGER NOT NULL,
    last_run_ms INTEGER NOT NULL
);

CREATE UNIQUE INDEX experiment_name ON experiment (namespace, name);
CREATE INDEX experiment_created ON experiment (created_ms, id);
CREATE INDEX experiment_namespace_created ON experiment (namespace, created_ms, id);
CREATE INDEX experiment_last_run ON experiment (last_run_ms, id);

CREATE TABLE pipeline (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    namespace TEXT NOT NULL,
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE UNIQUE INDEX pipeline_name ON pipeline (namespace, name);
CREATE INDEX pipeline_created ON pipeline (created_ms, id);
CREATE INDEX pipeline_namespace_created ON pipeline (namespace, created_ms, id);

CREATE TABLE pipeline_version (
    id TEXT PRIMARY KEY NOT NULL,
    pipeline_id TEXT NOT NULL REFERENCES pipeline (id),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    description TEXT NOT NULL,
    code_source_url TEXT NOT NULL,
    package_url TEXT NOT NULL,
    spec_digest TEXT NOT NULL REFERENCES spec (digest),
    tags TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE UNIQUE INDEX pipeline_version_name ON pipeline_version (pipeline_id, name);
CREATE INDEX pipeline_version_created ON pipeline_version (pipeline_id, created_ms, id);
CREATE INDEX pipeline_version_spec ON pipeline_version (spec_digest);

CREATE TABLE run (
    id TEXT PRIMARY KEY NOT NULL,
    name TEXT NOT NULL,
    description TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    namespace TEXT NOT NULL,
    storage_state TEXT NOT NULL CHECK (storage_state IN ('AVAILABLE', 'ARCHIVED')),
    service_account TEXT NOT NULL,
    pipeline_name TEXT NOT NULL,
    pipeline_id TEXT NOT NULL,
    version_id TEXT NOT NULL,
    spec_digest TEXT NOT NULL REFERENCES spec (digest),
    inline_spec INTEGER NOT NULL CHECK (inline_spec IN (0, 1)),
    runtime_config BLOB NOT NULL,
    header BLOB NOT NULL,
    recurring_run_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('PENDING', 'RUNNING', 'SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELING', 'CANCELED', 'PAUSED')
    ),
    failure BLOB,
    generation INTEGER NOT NULL,
    history BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    scheduled_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    rev INTEGER NOT NULL
);

CREATE INDEX run_created ON run (created_ms, id);
CREATE INDEX run_storage_created ON run (storage_state, created_ms, id);
CREATE INDEX run_namespace_created ON run (namespace, created_ms, id);
CREATE INDEX run_namespace_storage_created ON run (namespace, storage_state, created_ms, id);
CREATE INDEX run_experiment_created ON run (experiment_id, created_ms, id);
CREATE INDEX run_experiment_storage_created ON run (experiment_id, storage_state, created_ms, id);
CREATE INDEX run_state_created ON run (state, created_ms, id);
CREATE INDEX run_state ON run (state, id);
CREATE INDEX run_name ON run (name, id);
CREATE INDEX run_scheduled ON run (scheduled_ms, id);
CREATE INDEX run_ended ON run (ended_ms, id);
CREATE INDEX run_recurring ON run (recurring_run_id, created_ms, id);
CREATE INDEX run_spec ON run (spec_digest);
CREATE INDEX run_rev ON run (rev);

-- How many runs there are, by all that lists filter on first. experiment_id '*' stands for all of a namespace's.
-- Kept by the triggers below; `check` compares it with the truth.
CREATE TABLE run_count (
    namespace TEXT NOT NULL,
    experiment_id TEXT NOT NULL,
    storage_state TEXT NOT NULL,
    state TEXT NOT NULL,
    n INTEGER NOT NULL,
    PRIMARY KEY (experiment_id, namespace, storage_state, state)
) WITHOUT ROWID;

CREATE TRIGGER run_counted_in AFTER INSERT ON run
BEGIN
    INSERT INTO run_count (namespace, experiment_id, storage_state, state, n)
    VALUES (NEW.namespace, NEW.experiment_id, NEW.storage_state, NEW.state, 1),
           (NEW.namespace, '*', NEW.storage_state, NEW.state, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER run_counted_out AFTER DELETE ON run
BEGIN
    UPDATE run_count SET n = n - 1
    WHERE namespace = OLD.namespace AND experiment_id IN (OLD.experiment_id, '*')
      AND storage_state = OLD.storage_state AND state = OLD.state;
    DELETE FROM run_count
    WHERE namespace = OLD.namespace AND experiment_id IN (OLD.experiment_id, '*')
      AND storage_state = OLD.storage_state AND state = OLD.state AND n = 0;
END;

CREATE TRIGGER run_counted_over AFTER UPDATE OF namespace, experiment_id, storage_state, state ON run
WHEN NEW.namespace <> OLD.namespace OR NEW.experiment_id <> OLD.experiment_id
  OR NEW.storage_state <> OLD.storage_state OR NEW.state <> OLD.state
BEGIN
    UPDATE run_count SET n = n - 1
    WHERE namespace = OLD.namespace AND experiment_id IN (OLD.experiment_id, '*')
      AND storage_state = OLD.storage_state AND state = OLD.state;
    INSERT INTO run_count (namespace, experiment_id, storage_state, state, n)
    VALUES (NEW.namespace, NEW.experiment_id, NEW.storage_state, NEW.state, 1),
           (NEW.namespace, '*', NEW.storage_state, NEW.state, 1)
    ON CONFLICT DO UPDATE SET n = n + 1;
END;

-- A run that has ended moves again only by a retry, which is a new generation.
CREATE TRIGGER run_final BEFORE UPDATE OF state, generation ON run
WHEN NEW.generation < OLD.generation
  OR (NEW.state <> OLD.state AND NEW.generation <= OLD.generation
      AND OLD.state IN ('SUCCEEDED', 'SKIPPED', 'FAILED', 'CANCELED'))
BEGIN
    SELECT RAISE(ABORT, 'a run that has ended moves only with a new generation');
END;

CREATE TABLE task (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    run_id TEXT NOT NULL REFERENCES run (id),
    parent_id TEXT NOT NULL,
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    iteration INTEGER,
    state TEXT NOT NULL CHECK (
        state IN ('WAITING', 'PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'SKIPPED', 'CANCELED')
    ),
    created_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    doc BLOB NOT NULL,
    rev INTEGER NOT NULL
);

CREATE INDEX task_run ON task (run_id, seq);
CREATE INDEX task_run_parent ON task (run_id, parent_id, seq);
CREATE INDEX task_run_rev ON task (run_id, rev);

-- What succeeded stays so: its outputs may have been used. Other ends are left by a retry of the run.
CREATE TRIGGER task_final BEFORE UPDATE OF state ON task
WHEN OLD.state = 'SUCCEEDED' AND NEW.state <> 'SUCCEEDED'
BEGIN
    SELECT RAISE(ABORT, 'a task that has succeeded moves no more');
END;

CREATE TABLE attempt (
    id TEXT PRIMARY KEY NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL REFERENCES task (id),
    number INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('CREATED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'LOST', 'CANCELED')),
    created_ms INTEGER NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    doc BLOB NOT NULL,
    UNIQUE (task_id, number)
);

CREATE INDEX attempt_run ON attempt (run_id, number);

-- The end of an attempt is recorded once. Writing the very same end again changes nothing and is let through.
CREATE TRIGGER attempt_final BEFORE UPDATE ON attempt
WHEN OLD.state IN ('SUCCEEDED', 'FAILED', 'LOST', 'CANCELED')
  AND (NEW.state <> OLD.state OR NEW.doc <> OLD.doc OR NEW.number <> OLD.number OR NEW.task_id <> OLD.task_id)
BEGIN
    SELECT RAISE(ABORT, 'an attempt that has ended changes no more');
END;

CREATE TABLE event (
    run_id TEXT NOT NULL REFERENCES run (id),
    seq INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (run_id, seq)
) WITHOUT ROWID;

CREATE TABLE artifact (
    id TEXT PRIMARY KEY NOT NULL,
    run_id TEXT NOT NULL,
    task_id TEXT NOT NULL,
    key_name TEXT NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    uri TEXT NOT NULL,
    digest TEXT NOT NULL,
    size INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    value BLOB NOT NULL
);

CREATE INDEX artifact_created ON artifact (created_ms, id);
CREATE INDEX artifact_namespace_created ON artifact (namespace, created_ms, id);
CREATE INDEX artifact_run ON artifact (run_id, created_ms, id);
CREATE INDEX artifact_uri ON artifact (uri);

CREATE TABLE artifact_task (
    task_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('INPUT', 'OUTPUT')),
    key_name TEXT NOT NULL,
    position INTEGER NOT NULL,
    artifact_id TEXT NOT NULL REFERENCES artifact (id),
    run_id TEXT NOT NULL,
    PRIMARY KEY (task_id, kind, key_name, position)
) WITHOUT ROWID;

CREATE INDEX artifact_task_artifact ON artifact_task (artifact_id);
CREATE INDEX artifact_task_run ON artifact_task (run_id);

CREATE TABLE cache_entry (
    task_id TEXT PRIMARY KEY NOT NULL,
    run_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    namespace TEXT NOT NULL,
    pipeline_name TEXT NOT NULL,
    outputs TEXT NOT NULL,
    created_ms INTEGER NOT NULL
);

CREATE INDEX cache_entry_found ON cache_entry (fingerprint, namespace, pipeline_name, created_ms);
CREATE INDEX cache_entry_run ON cache_entry (run_id);

CREATE TABLE request (
    request_key TEXT NOT NULL,
    scope TEXT NOT NULL,
    digest TEXT NOT NULL,
    status INTEGER NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    created_ms INTEGER NOT NULL,
    PRIMARY KEY (request_key, scope)
) WITHOUT ROWID;

CREATE INDEX request_created ON request (created_ms);

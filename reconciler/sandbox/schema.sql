-- The tables of a sandbox's state. A change needs a new SCHEMA_VERSION in store.py.
CREATE TABLE contents (id INTEGER PRIMARY KEY);
CREATE TABLE chunks (
    content INTEGER NOT NULL REFERENCES contents ON DELETE CASCADE,
    position INTEGER NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (content, position)
);
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,  -- the hash of an API key
    created_at REAL NOT NULL,
    model TEXT,
    agent_id TEXT,
    metadata TEXT,  -- JSON
    job BLOB NOT NULL  -- all of it, in MessagePack
);
CREATE INDEX jobs_in_order ON jobs (workspace, created_at, seq);
CREATE TABLE job_inputs (
    job TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    content INTEGER NOT NULL REFERENCES contents,
    PRIMARY KEY (job, position)
);
CREATE INDEX job_inputs_by_content ON job_inputs (content);
CREATE TABLE files (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    workspace TEXT NOT NULL,
    filename TEXT NOT NULL,
    purpose TEXT NOT NULL,
    sample_type TEXT NOT NULL,
    source TEXT NOT NULL,
    mimetype TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at REAL NOT NULL,  -- for a job's results, the job's end, which may be in the future
    expires_at REAL,
    num_lines INTEGER,
    bytes INTEGER,  -- NULL for a job's results, which every read generates
    signature TEXT,
    content INTEGER REFERENCES contents,  -- of an upload
    job TEXT REFERENCES jobs (id) ON DELETE CASCADE  -- of a job's results
);
CREATE INDEX files_in_order ON files (workspace, created_at, seq);
CREATE INDEX files_by_content ON files (content);
CREATE INDEX files_by_job ON files (job);

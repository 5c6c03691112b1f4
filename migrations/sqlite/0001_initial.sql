-- The first schema. Ids are UUIDs as 16 bytes, times Unix milliseconds, hashes 32 bytes, labels their rank.
-- Lists and values whose shape the database need not know are JSON.

-- Directory: whoever can be granted something is a principal.

CREATE TABLE principals (
    id   BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind TEXT NOT NULL CHECK (kind IN ('user', 'group'))
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY REFERENCES principals (id) ON DELETE CASCADE,
    name          TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    display_name  TEXT    NOT NULL,
    role          TEXT    NOT NULL CHECK (role IN ('staff', 'curator', 'admin', 'auditor')),
    clearance     INTEGER NOT NULL CHECK (clearance BETWEEN 0 AND 3),
    disabled      INTEGER NOT NULL CHECK (disabled IN (0, 1)),
    password_hash TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE groups (
    id   BLOB NOT NULL PRIMARY KEY REFERENCES principals (id) ON DELETE CASCADE,
    name TEXT NOT NULL UNIQUE CHECK (name <> '')
) STRICT, WITHOUT ROWID;

CREATE TABLE members (
    group_id BLOB NOT NULL REFERENCES groups (id) ON DELETE CASCADE,
    user_id  BLOB NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX members_user ON members (user_id);

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    csrf         TEXT    NOT NULL,
    address      TEXT    NOT NULL,
    user_agent   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

-- Names and addresses as typed: there need not be an account of that name.
CREATE TABLE sign_in_attempts (
    name      TEXT    NOT NULL,
    address   TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    succeeded INTEGER NOT NULL CHECK (succeeded IN (0, 1))
) STRICT;

CREATE INDEX sign_in_attempts_name ON sign_in_attempts (name, at);
CREATE INDEX sign_in_attempts_address ON sign_in_attempts (address, at);
CREATE INDEX sign_in_attempts_at ON sign_in_attempts (at);

-- Corpus.

CREATE TABLE collections (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name          TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    description   TEXT    NOT NULL,
    default_label INTEGER NOT NULL CHECK (default_label BETWEEN 0 AND 3)
) STRICT, WITHOUT ROWID;

CREATE TABLE grants (
    collection BLOB NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    principal  BLOB NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    permission TEXT NOT NULL CHECK (permission IN ('read', 'write', 'manage')),
    PRIMARY KEY (collection, principal)
) STRICT, WITHOUT ROWID;

CREATE INDEX grants_principal ON grants (principal);

CREATE TABLE documents (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    collection BLOB    NOT NULL REFERENCES collections (id),
    source     TEXT    NOT NULL,
    title      TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    label      INTEGER NOT NULL CHECK (label BETWEEN 0 AND 3),
    -- Whether document_readers says who may read it. Apart from those rows, so that losing the last reader does not open it to all.
    narrowed   INTEGER NOT NULL CHECK (narrowed IN (0, 1)),
    version    INTEGER NOT NULL CHECK (version >= 0),
    content    BLOB    NOT NULL CHECK (length(content) = 32),
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    pages      INTEGER,
    language   TEXT,
    state      TEXT    NOT NULL CHECK (state IN ('waiting', 'ready', 'failed')),
    warnings   TEXT    NOT NULL CHECK (json_valid(warnings)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (collection, source),
    CHECK ((state = 'ready') = (version > 0))
) STRICT;

CREATE INDEX documents_title ON documents (collection, title COLLATE NOCASE, id);
CREATE INDEX documents_content ON documents (content);

CREATE TABLE document_readers (
    document  BLOB NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    principal BLOB NOT NULL REFERENCES principals (id) ON DELETE CASCADE,
    PRIMARY KEY (document, principal)
) STRICT, WITHOUT ROWID;

CREATE INDEX document_readers_principal ON document_readers (principal);

CREATE TABLE versions (
    document     BLOB    NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    version      INTEGER NOT NULL CHECK (version > 0),
    content      BLOB    NOT NULL CHECK (length(content) = 32),
    size_bytes   INTEGER NOT NULL CHECK (size_bytes >= 0),
    title        TEXT    NOT NULL,
    media_type   TEXT    NOT NULL,
    language     TEXT,
    pages        INTEGER,
    warnings     TEXT    NOT NULL CHECK (json_valid(warnings)),
    -- The embedding model whose vectors this version's passages have.
    model        TEXT    NOT NULL,
    published_at INTEGER NOT NULL,
    PRIMARY KEY (document, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX versions_content ON versions (content);

CREATE TABLE passages (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    document     BLOB    NOT NULL,
    version      INTEGER NOT NULL,
    ordinal      INTEGER NOT NULL CHECK (ordinal >= 0),
    page         INTEGER,
    heading_path TEXT    NOT NULL CHECK (json_valid(heading_path)),
    text         TEXT    NOT NULL,
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    UNIQUE (document, version, ordinal),
    FOREIGN KEY (document, version) REFERENCES versions (document, version) ON DELETE CASCADE
) STRICT;

-- 32-bit floats, little-endian. Only the passages of versions in use have one.
CREATE TABLE vectors (
    passage BLOB NOT NULL PRIMARY KEY REFERENCES passages (id) ON DELETE CASCADE,
    vector  BLOB NOT NULL CHECK (length(vector) % 4 = 0)
) STRICT;

-- What the search index has still to take over. Sequences are never used again, and rows outlive their documents.
CREATE TABLE index_changes (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    document BLOB NOT NULL CHECK (length(document) = 16)
) STRICT;

-- Conversations.

CREATE TABLE conversations (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    owner      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    title      TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX conversations_owner ON conversations (owner, updated_at);

CREATE TABLE answers (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    conversation BLOB    NOT NULL REFERENCES conversations (id) ON DELETE CASCADE,
    question     TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('searching', 'writing', 'finished', 'refused', 'stopped', 'failed')),
    text         TEXT    NOT NULL,
    sentences    TEXT    NOT NULL CHECK (json_valid(sentences)),
    label        INTEGER CHECK (label BETWEEN 0 AND 3),
    model        TEXT    NOT NULL,
    model_hash   TEXT    NOT NULL,
    prompt       TEXT    NOT NULL,
    timings      TEXT    NOT NULL CHECK (json_valid(timings)),
    asked_at     INTEGER NOT NULL,
    finished_at  INTEGER
) STRICT;

CREATE INDEX answers_conversation ON answers (conversation, asked_at, id);
CREATE INDEX answers_unfinished ON answers (state) WHERE state IN ('searching', 'writing');

-- No foreign keys to passages and documents: the record of an answer outlives them.
CREATE TABLE answer_sources (
    answer   BLOB    NOT NULL REFERENCES answers (id) ON DELETE CASCADE,
    rank     INTEGER NOT NULL CHECK (rank > 0),
    passage  BLOB    NOT NULL CHECK (length(passage) = 16),
    document BLOB    NOT NULL CHECK (length(document) = 16),
    version  INTEGER NOT NULL,
    title    TEXT    NOT NULL,
    page     INTEGER,
    hash     BLOB    NOT NULL CHECK (length(hash) = 32),
    score    REAL    NOT NULL,
    PRIMARY KEY (answer, rank)
) STRICT, WITHOUT ROWID;

-- The queue. No foreign keys either: a job's row says what became of it after its document is gone.

CREATE TABLE jobs (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind              TEXT    NOT NULL,
    batch             BLOB CHECK (length(batch) = 16),
    collection        BLOB    NOT NULL CHECK (length(collection) = 16),
    document          BLOB    NOT NULL CHECK (length(document) = 16),
    source            TEXT    NOT NULL,
    content           BLOB    NOT NULL CHECK (length(content) = 32),
    size_bytes        INTEGER NOT NULL CHECK (size_bytes >= 0),
    state             TEXT    NOT NULL CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled')),
    stage             TEXT    NOT NULL,
    progress          REAL    NOT NULL,
    attempts          INTEGER NOT NULL CHECK (attempts >= 0),
    reason            TEXT,
    submitted_by      BLOB CHECK (length(submitted_by) = 16),
    submitted_by_name TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    not_before        INTEGER,
    finished_at       INTEGER,
    lease_owner       TEXT,
    leased_until      INTEGER,
    CHECK ((state = 'running') = (lease_owner IS NOT NULL AND leased_until IS NOT NULL))
) STRICT;

CREATE INDEX jobs_open ON jobs (created_at, id) WHERE state IN ('waiting', 'running');
CREATE INDEX jobs_latest ON jobs (created_at, id);
CREATE INDEX jobs_state ON jobs (state, created_at, id);
CREATE INDEX jobs_batch ON jobs (batch, created_at, id) WHERE batch IS NOT NULL;
CREATE INDEX jobs_content ON jobs (content) WHERE state IN ('waiting', 'running');

-- The audit log. `entry` is the canonical JSON that the hash covers; the other columns repeat parts of it for searching.

CREATE TABLE audit_events (
    sequence INTEGER PRIMARY KEY,
    at       INTEGER NOT NULL,
    action   TEXT    NOT NULL,
    actor    TEXT    NOT NULL,
    entry    TEXT    NOT NULL,
    previous BLOB    NOT NULL CHECK (length(previous) = 32),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_action ON audit_events (action);
CREATE INDEX audit_events_actor ON audit_events (actor);

-- Every id that an event names: answers "who saw this document, this passage" without reading the whole log.
CREATE TABLE audit_mentions (
    id       BLOB    NOT NULL CHECK (length(id) = 16),
    sequence INTEGER NOT NULL REFERENCES audit_events (sequence),
    PRIMARY KEY (id, sequence)
) STRICT, WITHOUT ROWID;

-- Entries are only ever added at the end. (INSERT OR REPLACE fires no DELETE trigger, so the INSERT trigger guards that way, too.)

CREATE TRIGGER audit_events_append BEFORE INSERT ON audit_events
WHEN NEW.sequence <> coalesce((SELECT max(sequence) FROM audit_events), 0) + 1
  OR NEW.previous <> coalesce((SELECT hash FROM audit_events ORDER BY sequence DESC LIMIT 1), zeroblob(32))
BEGIN SELECT RAISE(ABORT, 'the audit log only grows at its end'); END;

CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

CREATE TRIGGER audit_events_delete BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

CREATE TRIGGER audit_mentions_update BEFORE UPDATE ON audit_mentions
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

CREATE TRIGGER audit_mentions_delete BEFORE DELETE ON audit_mentions
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

-- Settings and models.

CREATE TABLE settings (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL CHECK (json_valid(value))
) STRICT, WITHOUT ROWID;

CREATE TABLE models (
    name        TEXT    NOT NULL PRIMARY KEY CHECK (name <> ''),
    kind        TEXT    NOT NULL,
    file        TEXT    NOT NULL,
    info        TEXT    NOT NULL CHECK (json_valid(info)),
    sha256      TEXT    NOT NULL,
    -- 'previous' is what a rollback goes back to.
    state       TEXT    NOT NULL CHECK (state IN ('idle', 'active', 'previous')),
    imported_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX models_active ON models (kind) WHERE state = 'active';
CREATE UNIQUE INDEX models_previous ON models (kind) WHERE state = 'previous';

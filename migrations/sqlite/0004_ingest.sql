-- Ingest: two steps (words, then vectors), places, metadata, batches, watched folders.

-- Whether every passage of the version in use has its vector. Until then it is found by its words alone.
ALTER TABLE documents ADD COLUMN embedded INTEGER NOT NULL DEFAULT 1 CHECK (embedded IN (0, 1));
-- Whether it is kept but no longer found, because its file went away.
ALTER TABLE documents ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0 CHECK (hidden IN (0, 1));
-- The document that it was taken out of: a mail, an archive.
ALTER TABLE documents ADD COLUMN parent BLOB REFERENCES documents (id) ON DELETE CASCADE;
ALTER TABLE documents ADD COLUMN author TEXT;
ALTER TABLE documents ADD COLUMN written_at INTEGER;
ALTER TABLE documents ADD COLUMN modified_at INTEGER;
-- Further metadata, of the file itself and of its sidecar: names in lower case and texts.
ALTER TABLE documents ADD COLUMN fields TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(fields));
-- What its sidecar file says, which comes before what the file itself says.
ALTER TABLE documents ADD COLUMN sidecar TEXT CHECK (json_valid(sidecar));
-- Passages of the version in use.
ALTER TABLE documents ADD COLUMN passage_count INTEGER NOT NULL DEFAULT 0;
UPDATE documents SET passage_count =
    (SELECT count(*) FROM passages AS p WHERE p.document = documents.id AND p.version = documents.version);

CREATE INDEX documents_unembedded ON documents (updated_at, id) WHERE embedded = 0;
CREATE INDEX documents_parent ON documents (parent) WHERE parent IS NOT NULL;

-- Where in the original each passage stands: boxes on pages, cells of sheets.
ALTER TABLE passages ADD COLUMN places TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(places));

-- Every path that holds a document's bytes. documents.source is one of them.
CREATE TABLE sources (
    collection  BLOB NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    source      TEXT NOT NULL,
    document    BLOB NOT NULL REFERENCES documents (id) ON DELETE CASCADE,
    -- The watched folder or the import that it was seen in last, and its size and time then.
    folder      BLOB CHECK (length(folder) = 16),
    size_bytes  INTEGER,
    modified_at INTEGER,
    PRIMARY KEY (collection, source)
) STRICT, WITHOUT ROWID;

CREATE INDEX sources_document ON sources (document);
CREATE INDEX sources_folder ON sources (folder) WHERE folder IS NOT NULL;
INSERT INTO sources (collection, source, document) SELECT collection, source, id FROM documents;

-- Folders that are looked into again and again.
CREATE TABLE folders (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    path         TEXT    NOT NULL,
    collection   BLOB    NOT NULL REFERENCES collections (id) ON DELETE CASCADE,
    label        INTEGER CHECK (label BETWEEN 0 AND 3),
    -- What becomes of a document whose file is gone.
    removal      TEXT    NOT NULL CHECK (removal IN ('keep', 'hide', 'delete')),
    -- Whether its files wait for a curator's release.
    quarantine   INTEGER NOT NULL CHECK (quarantine IN (0, 1)),
    -- Seconds between two looks, beside what the kernel reports.
    every        INTEGER NOT NULL CHECK (every > 0),
    paused       INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    scanned_at   INTEGER,
    -- What the last look found, as counts.
    found        TEXT    CHECK (json_valid(found)),
    problem      TEXT,
    created_at   INTEGER NOT NULL,
    UNIQUE (path, collection)
) STRICT, WITHOUT ROWID;

-- What was handed in together.
CREATE TABLE batches (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    title             TEXT    NOT NULL,
    collection        BLOB    NOT NULL CHECK (length(collection) = 16),
    unchanged         INTEGER NOT NULL DEFAULT 0,
    submitted_by      BLOB CHECK (length(submitted_by) = 16),
    submitted_by_name TEXT    NOT NULL,
    created_at        INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX batches_latest ON batches (created_at, id);

-- The queue anew: a job can be paused, or held until a curator releases it.
CREATE TABLE jobs_new (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind              TEXT    NOT NULL,
    batch             BLOB CHECK (length(batch) = 16),
    collection        BLOB    NOT NULL CHECK (length(collection) = 16),
    document          BLOB    NOT NULL CHECK (length(document) = 16),
    source            TEXT    NOT NULL,
    content           BLOB    NOT NULL CHECK (length(content) = 32),
    size_bytes        INTEGER NOT NULL CHECK (size_bytes >= 0),
    -- How many files it lies in: 0 for one of its own, 1 for a mail's attachment.
    depth             INTEGER NOT NULL DEFAULT 0 CHECK (depth >= 0),
    state             TEXT    NOT NULL
                      CHECK (state IN ('waiting', 'running', 'done', 'failed', 'cancelled', 'paused', 'held')),
    stage             TEXT    NOT NULL,
    progress          REAL    NOT NULL,
    attempts          INTEGER NOT NULL CHECK (attempts >= 0),
    reason            TEXT,
    submitted_by      BLOB CHECK (length(submitted_by) = 16),
    submitted_by_name TEXT    NOT NULL,
    created_at        INTEGER NOT NULL,
    not_before        INTEGER,
    started_at        INTEGER,
    finished_at       INTEGER,
    lease_owner       TEXT,
    leased_until      INTEGER,
    CHECK ((state = 'running') = (lease_owner IS NOT NULL AND leased_until IS NOT NULL))
) STRICT;

INSERT INTO jobs_new (id, kind, batch, collection, document, source, content, size_bytes, state, stage, progress, attempts,
    reason, submitted_by, submitted_by_name, created_at, not_before, finished_at, lease_owner, leased_until)
SELECT id, kind, batch, collection, document, source, content, size_bytes, state, stage, progress, attempts,
    reason, submitted_by, submitted_by_name, created_at, not_before, finished_at, lease_owner, leased_until FROM jobs;
DROP TABLE jobs;
ALTER TABLE jobs_new RENAME TO jobs;

CREATE INDEX jobs_waiting ON jobs (created_at, id) WHERE state = 'waiting';
CREATE INDEX jobs_running ON jobs (leased_until) WHERE state = 'running';
CREATE INDEX jobs_latest ON jobs (created_at, id);
CREATE INDEX jobs_state ON jobs (state, created_at, id);
CREATE INDEX jobs_batch ON jobs (batch, state, finished_at) WHERE batch IS NOT NULL;
CREATE INDEX jobs_content ON jobs (content) WHERE state IN ('waiting', 'running', 'paused', 'held');
CREATE INDEX jobs_document ON jobs (document);

-- Checkpoints over the audit log, labels of events, purging by rules of retention, legal holds, forwarding.

-- The highest label that an event names (its rank), and the event that purged its content.
ALTER TABLE audit_events ADD COLUMN label INTEGER CHECK (label BETWEEN 0 AND 3);
ALTER TABLE audit_events ADD COLUMN purged_by INTEGER REFERENCES audit_events (sequence);

-- Only here, once: what was recorded before gets its label. The content that the hash covers is not touched.
DROP TRIGGER audit_events_update;
UPDATE audit_events SET label = (
    SELECT max(CASE json_each.atom WHEN 'public' THEN 0 WHEN 'internal' THEN 1 WHEN 'confidential' THEN 2 WHEN 'secret' THEN 3 END)
    FROM json_tree(audit_events.entry, '$.event.detail') AS json_each
    WHERE json_each.key IN ('label', 'before', 'after')
);

-- An entry is never changed, but its content may go once and for all: what is left are its place and its hashes, and a
-- later event says who did it and why. The record of purging, of keys and of holds itself always stays.
CREATE TRIGGER audit_events_update BEFORE UPDATE ON audit_events
WHEN (
    OLD.purged_by IS NULL AND NEW.purged_by > OLD.sequence
    AND NEW.sequence IS OLD.sequence AND NEW.at IS OLD.at AND NEW.action IS OLD.action AND NEW.label IS OLD.label
    AND NEW.previous IS OLD.previous AND NEW.hash IS OLD.hash AND NEW.actor IS ''
    AND json_extract(NEW.entry, '$.purged') IS 1 AND json_extract(NEW.entry, '$.hash') IS lower(hex(OLD.hash))
    AND json_extract(NEW.entry, '$.event') IS NULL
    AND OLD.action NOT IN ('audit.purged', 'audit.key_rotated', 'legal_hold.placed', 'legal_hold.released')
    AND EXISTS (SELECT 1 FROM audit_events AS p WHERE p.sequence = NEW.purged_by AND p.action = 'audit.purged')
) IS NOT 1
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

-- What a purged event named is no longer known, either.
DROP TRIGGER audit_mentions_delete;
CREATE TRIGGER audit_mentions_delete BEFORE DELETE ON audit_mentions
WHEN NOT EXISTS (SELECT 1 FROM audit_events AS e WHERE e.sequence = OLD.sequence AND e.purged_by IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'the audit log is never changed'); END;

CREATE INDEX audit_events_label ON audit_events (label) WHERE label IS NOT NULL;
-- Charts count actions a day, a person's day is read in order.
DROP INDEX audit_events_at;
CREATE INDEX audit_events_at ON audit_events (at, action, actor);

-- Signed heads of the Merkle tree (RFC 9162). `peaks` are the roots of its perfect subtrees, so that the next checkpoint
-- goes on from here.
CREATE TABLE audit_checkpoints (
    size       INTEGER PRIMARY KEY CHECK (size >= 0),
    checkpoint TEXT NOT NULL CHECK (json_valid(checkpoint)),
    peaks      BLOB NOT NULL CHECK (length(peaks) % 32 = 0)
) STRICT;

CREATE TRIGGER audit_checkpoints_update BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'a checkpoint of the audit log is never changed'); END;

CREATE TRIGGER audit_checkpoints_delete BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'a checkpoint of the audit log is never changed'); END;

-- Legal holds beat purging. A condition that is NULL holds for all; an event is held if all conditions fit.
CREATE TABLE legal_holds (
    id          BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name        TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    person      TEXT,
    document    BLOB CHECK (length(document) = 16),
    since       INTEGER,
    until       INTEGER,
    placed_at   INTEGER NOT NULL,
    released_at INTEGER
) STRICT, WITHOUT ROWID;

-- How far the log was passed on, by the receiver's address.
CREATE TABLE audit_forwarding (
    receiver  TEXT    NOT NULL PRIMARY KEY,
    sequence  INTEGER NOT NULL CHECK (sequence >= 0),
    at        INTEGER NOT NULL,
    -- Why it does not go on at present; NULL while it does.
    problem   TEXT
) STRICT, WITHOUT ROWID;

-- What was found out about each model, and one that is tried beside the one in use.

-- Whether it is loaded beside the one in use, to be compared with it.
ALTER TABLE models ADD COLUMN beside INTEGER NOT NULL DEFAULT 0 CHECK (beside IN (0, 1));
-- What the model says of itself: name, author, licence.
ALTER TABLE models ADD COLUMN card TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(card));
-- The memory it is expected to take, and what it took when it was last loaded.
ALTER TABLE models ADD COLUMN need_bytes INTEGER CHECK (need_bytes >= 0);
ALTER TABLE models ADD COLUMN resident_bytes INTEGER CHECK (resident_bytes >= 0);
-- When its file was last found sound and it could be run.
ALTER TABLE models ADD COLUMN verified_at INTEGER;
-- Tokens a second, with date and machine.
ALTER TABLE models ADD COLUMN speed TEXT CHECK (json_valid(speed));
-- Why the last thing that was tried with it did not work.
ALTER TABLE models ADD COLUMN problem TEXT;
-- Since when it is in its state.
ALTER TABLE models ADD COLUMN state_since INTEGER NOT NULL DEFAULT 0;
UPDATE models SET state_since = imported_at;

CREATE UNIQUE INDEX models_beside ON models (kind) WHERE beside = 1;

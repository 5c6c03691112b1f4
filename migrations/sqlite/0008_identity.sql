-- Second factors, known browsers, accounts of a directory, and what two people decide together.

-- Whether the person has to choose another password before anything else.
ALTER TABLE users ADD COLUMN must_change INTEGER NOT NULL DEFAULT 0 CHECK (must_change IN (0, 1));
-- Whether the password is long enough only beside a second factor.
ALTER TABLE users ADD COLUMN short_password INTEGER NOT NULL DEFAULT 0 CHECK (short_password IN (0, 1));
-- Who knows the password: the appliance, a directory, or an OpenID provider; and the account's id there.
ALTER TABLE users ADD COLUMN source TEXT NOT NULL DEFAULT 'local' CHECK (source IN ('local', 'directory', 'oidc'));
ALTER TABLE users ADD COLUMN source_id TEXT CHECK ((source = 'local') = (source_id IS NULL));

CREATE UNIQUE INDEX users_source ON users (source, source_id) WHERE source_id IS NOT NULL;

-- How far a sign-in has come; only a session at 'done' opens more than the next step.
ALTER TABLE sessions ADD COLUMN step TEXT NOT NULL DEFAULT 'done' CHECK (step IN ('done', 'code', 'enrol', 'password'));

-- The secret of one-time codes, sealed with a key that lies outside the database.
CREATE TABLE second_factors (
    user_id    BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    sealed     BLOB    NOT NULL,
    -- The time step of the last code that was taken: neither it nor an earlier one is taken again.
    last_step  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE recovery_codes (
    user_id   BLOB NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

-- Browsers at which someone has signed in before: guessing elsewhere does not lock them out.
CREATE TABLE known_browsers (
    token_hash BLOB    NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
    user_id    BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    used_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX known_browsers_user ON known_browsers (user_id, used_at);

-- The known browser that an attempt came from, if it did.
ALTER TABLE sign_in_attempts ADD COLUMN browser BLOB CHECK (length(browser) = 32);

CREATE TABLE approvals (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    kind         TEXT    NOT NULL,
    -- What is to be done, as the code that does it wants it, and in a sentence for people.
    request      TEXT    NOT NULL CHECK (json_valid(request)),
    summary      TEXT    NOT NULL,
    reason       TEXT    NOT NULL,
    requested_by BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    requested_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('waiting', 'approved', 'refused', 'withdrawn', 'done')),
    decided_by   BLOB REFERENCES users (id) ON DELETE SET NULL,
    decided_at   INTEGER,
    CHECK (decided_by IS NULL OR decided_by <> requested_by)
) STRICT;

CREATE INDEX approvals_open ON approvals (requested_at) WHERE state IN ('waiting', 'approved');
CREATE INDEX approvals_latest ON approvals (requested_at, id);

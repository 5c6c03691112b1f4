-- Security keys beside one-time codes; what an authenticator is asked; what the console does with a second person.

-- A second factor may be made of keys alone: then there is no secret. SQLite cannot drop a NOT NULL, so the tables are
-- made anew; renaming the first makes the second refer to it by its new name.
CREATE TABLE factors (
    user_id    BLOB    NOT NULL PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    -- The secret of one-time codes, sealed with a key that lies outside the database; NULL without an authenticator app.
    sealed     BLOB,
    -- The time step of the last code that was taken: neither it nor an earlier one is taken again.
    last_step  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE codes (
    user_id   BLOB NOT NULL REFERENCES factors (user_id) ON DELETE CASCADE,
    code_hash BLOB NOT NULL CHECK (length(code_hash) = 32),
    PRIMARY KEY (user_id, code_hash)
) STRICT, WITHOUT ROWID;

INSERT INTO factors SELECT user_id, sealed, last_step, created_at FROM second_factors;
INSERT INTO codes SELECT user_id, code_hash FROM recovery_codes;
DROP TABLE recovery_codes;
DROP TABLE second_factors;
ALTER TABLE factors RENAME TO second_factors;
ALTER TABLE codes RENAME TO recovery_codes;

-- Credentials of W3C Web Authentication. The public key is kept as COSE has it.
CREATE TABLE security_keys (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    user_id    BLOB    NOT NULL REFERENCES second_factors (user_id) ON DELETE CASCADE,
    name       TEXT    NOT NULL CHECK (name <> ''),
    credential BLOB    NOT NULL UNIQUE CHECK (length(credential) BETWEEN 1 AND 1023),
    public_key BLOB    NOT NULL,
    -- The host's name that the key is bound to.
    site       TEXT    NOT NULL,
    sign_count INTEGER NOT NULL CHECK (sign_count >= 0),
    created_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;

CREATE INDEX security_keys_user ON security_keys (user_id, created_at);

-- What an authenticator was asked in a session: it answers once, in time, and to this session.
CREATE TABLE challenges (
    challenge  BLOB    NOT NULL PRIMARY KEY CHECK (length(challenge) = 32),
    session    BLOB    NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX challenges_session ON challenges (session);

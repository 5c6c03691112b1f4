-- A group that every account is in from the moment it is made. The group itself is like any other.
ALTER TABLE groups ADD COLUMN everybody INTEGER NOT NULL DEFAULT 0 CHECK (everybody IN (0, 1));

CREATE TRIGGER users_join_everybody AFTER INSERT ON users BEGIN
    INSERT INTO members (group_id, user_id) SELECT id, NEW.id FROM groups WHERE everybody = 1;
END;

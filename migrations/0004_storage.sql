-- When all files of a recording were in the store; set anew when there are more.
ALTER TABLE recording ADD COLUMN stored_at BIGINT;
-- Whether its large files are in the data folder as well.
ALTER TABLE recording ADD COLUMN is_local BOOLEAN NOT NULL DEFAULT TRUE;

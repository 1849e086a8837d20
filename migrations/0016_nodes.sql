-- Servers that share this database.
CREATE TABLE node (
    -- As the file `node` in its data folder has it.
    id TEXT PRIMARY KEY,
    -- Part of the ids that it gives to messages, so that no two servers give the same.
    slot BIGINT NOT NULL UNIQUE CHECK (slot BETWEEN 0 AND 31),
    -- The process that runs as this server.
    run TEXT NOT NULL,
    -- It says so again and again while it runs.
    seen_at BIGINT NOT NULL
);
-- The server that a stream comes in at.
ALTER TABLE stream ADD COLUMN node TEXT;
-- And whose disk has a recording. None: that of the first server, from before there were several.
ALTER TABLE recording ADD COLUMN node TEXT;

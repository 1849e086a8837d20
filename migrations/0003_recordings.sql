-- Whether the streams of a channel are recorded.
ALTER TABLE channel ADD COLUMN record BOOLEAN NOT NULL DEFAULT TRUE;

-- The media lies in a folder named after the stream; a row tells what it is. There is no reference
-- to the stream's own row: the two are written by different tasks, in any order.
CREATE TABLE recording (
    -- Random, because to know it is enough to watch what is unlisted.
    id TEXT PRIMARY KEY,
    stream_id TEXT NOT NULL UNIQUE,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    title TEXT NOT NULL,
    visibility TEXT NOT NULL CHECK (visibility IN ('public', 'unlisted', 'private')),
    state TEXT NOT NULL CHECK (state IN ('recording', 'ready', 'failed')),
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    duration_ms BIGINT NOT NULL DEFAULT 0,
    size_bytes BIGINT NOT NULL DEFAULT 0,
    has_thumbnail BOOLEAN NOT NULL DEFAULT FALSE,
    mp4_state TEXT NOT NULL DEFAULT 'none' CHECK (mp4_state IN ('none', 'making', 'ready', 'failed')),
    -- In hundredths, while it is being made.
    mp4_progress BIGINT NOT NULL DEFAULT 0,
    mp4_bytes BIGINT NOT NULL DEFAULT 0,
    -- Why it could not be made, in words.
    mp4_problem TEXT,
    -- Set before the files go, so that a deletion that was cut short is finished later.
    deleted_at BIGINT
);
CREATE INDEX recording_by_channel ON recording (channel_id, started_at DESC, id DESC);
CREATE INDEX recording_by_end ON recording (ended_at);

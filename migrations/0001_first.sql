-- One text for SQLite and PostgreSQL. Ids are UUIDs as text, times are Unix milliseconds.

CREATE TABLE account (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    -- The name in lower case: what sign-in looks for.
    name_folded TEXT NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    password_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE login (
    -- SHA-256 of the token in the cookie, as hexadecimal digits.
    token_hash TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX login_by_expiry ON login (expires_at);

CREATE TABLE channel (
    id TEXT PRIMARY KEY,
    handle TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    owner_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL
);
CREATE INDEX channel_by_owner ON channel (owner_id);

CREATE TABLE stream_key (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- The public part that a key is found by.
    prefix TEXT NOT NULL UNIQUE,
    -- HMAC-SHA-256(pepper, key), as hexadecimal digits.
    mac TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX stream_key_by_channel ON stream_key (channel_id);

CREATE TABLE stream (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    source TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX stream_by_channel ON stream (channel_id, started_at DESC);
-- A channel is live at most once.
CREATE UNIQUE INDEX stream_open ON stream (channel_id) WHERE ended_at IS NULL;

-- What happened on channels, in order, for programs that follow it. Kept for some days.
CREATE TABLE event (
    -- Rises by one, in the order of the commits.
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    stream_id TEXT,
    audience TEXT NOT NULL CHECK (audience IN ('public', 'owner')),
    -- JSON, of which the database knows nothing.
    payload TEXT NOT NULL
);
CREATE INDEX event_by_time ON event (at);
-- Whoever writes an event holds this row until the commit, so that nobody reads a number before a lower
-- one is there.
CREATE TABLE event_counter (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    -- Up to here events were deleted.
    swept BIGINT NOT NULL,
    -- Up to here webhooks and notifications were made of them.
    passed_on BIGINT NOT NULL
);
INSERT INTO event_counter (id, seq, swept, passed_on) VALUES (1, 0, 0, 0);

CREATE TABLE webhook (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    -- Divided by spaces.
    kinds TEXT NOT NULL,
    is_enabled BOOLEAN NOT NULL,
    -- Why it was switched off, in words.
    problem TEXT,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_by_channel ON webhook (channel_id);

CREATE TABLE webhook_delivery (
    id TEXT PRIMARY KEY,
    webhook_id TEXT NOT NULL REFERENCES webhook (id) ON DELETE CASCADE,
    -- The event's number; several deliveries of one event are replays.
    event_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'delivered', 'failed')),
    created_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    -- Of the last try.
    tried_at BIGINT,
    status BIGINT,
    took_ms BIGINT,
    answer TEXT,
    problem TEXT
);
CREATE INDEX webhook_delivery_by_hook ON webhook_delivery (webhook_id, created_at DESC, id DESC);
CREATE INDEX webhook_delivery_by_time ON webhook_delivery (created_at);

CREATE TABLE notification (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    channel_id TEXT REFERENCES channel (id) ON DELETE CASCADE,
    -- What it is about, such as a stream: nobody is told twice of the same.
    subject TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    link TEXT NOT NULL,
    -- How many of its kind it stands for.
    amount BIGINT NOT NULL DEFAULT 1,
    -- Whether it stands in the list, which its owner may not want.
    is_shown BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    read_at BIGINT,
    UNIQUE (account_id, kind, subject)
);
CREATE INDEX notification_by_account ON notification (account_id, created_at DESC, id DESC);
CREATE INDEX notification_by_time ON notification (created_at);

-- What an account wants, where that is not the default.
CREATE TABLE notification_choice (
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    way TEXT NOT NULL,
    is_wanted BOOLEAN NOT NULL,
    PRIMARY KEY (account_id, kind, way)
);
-- Channels that an account follows and does not want to be told of.
CREATE TABLE notification_mute (
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, channel_id)
);

CREATE TABLE push_subscription (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    endpoint TEXT NOT NULL UNIQUE,
    -- The browser's public key and secret, in base 64 (RFC 8291).
    p256dh TEXT NOT NULL,
    auth TEXT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX push_subscription_by_account ON push_subscription (account_id);

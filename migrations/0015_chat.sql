-- What is said on channels, and how it is kept in order.
CREATE TABLE chat_message (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    -- Rises within the channel: Unix milliseconds times 4096, and one more for each in the same one.
    id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    -- No reference: the stream may be written down later than what is said while it is on air.
    stream_id TEXT,
    -- How far the stream was in the picture that its writer saw.
    stream_time_ms BIGINT,
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('shown', 'held', 'denied', 'deleted')),
    account_id TEXT REFERENCES account (id) ON DELETE CASCADE,
    -- The account's id, or that of a guest.
    subject TEXT NOT NULL,
    name TEXT NOT NULL,
    -- Divided by spaces.
    badges TEXT NOT NULL,
    text TEXT NOT NULL,
    reply_to BIGINT,
    PRIMARY KEY (channel_id, id)
);
CREATE INDEX chat_message_by_stream ON chat_message (stream_id, stream_time_ms, id);
CREATE INDEX chat_message_by_subject ON chat_message (channel_id, subject, id);
CREATE INDEX chat_message_by_account ON chat_message (account_id);
CREATE INDEX chat_message_by_state ON chat_message (channel_id, state, id);

CREATE TABLE chat_settings (
    channel_id TEXT PRIMARY KEY REFERENCES channel (id) ON DELETE CASCADE,
    -- JSON, of which the database knows nothing.
    modes TEXT NOT NULL,
    -- What they were before the shield went up.
    before_shield TEXT,
    pinned BIGINT
);

CREATE TABLE chat_term (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    term TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('blocked', 'allowed', 'held')),
    UNIQUE (channel_id, term)
);

-- Who may not write, for a while or for good.
CREATE TABLE chat_restraint (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    account_id TEXT REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- Null: for good.
    until BIGINT,
    reason TEXT NOT NULL,
    by_name TEXT NOT NULL,
    at BIGINT NOT NULL,
    -- HMAC-SHA-256 of the network they came from, by which guests are known.
    network TEXT,
    PRIMARY KEY (channel_id, subject)
);

-- What moderators did.
CREATE TABLE chat_action (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    at BIGINT NOT NULL,
    by_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    subject TEXT,
    subject_name TEXT,
    message_id BIGINT,
    reason TEXT NOT NULL,
    until BIGINT
);
CREATE INDEX chat_action_by_channel ON chat_action (channel_id, at DESC, id DESC);
CREATE INDEX chat_action_by_subject ON chat_action (channel_id, subject, at DESC);

CREATE TABLE chat_note (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    subject TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (channel_id, subject)
);

CREATE TABLE chat_emote (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    code TEXT NOT NULL,
    image TEXT NOT NULL,
    width BIGINT NOT NULL,
    height BIGINT NOT NULL,
    animated BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (channel_id, code)
);

CREATE TABLE chat_poll (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    stream_id TEXT,
    question TEXT NOT NULL,
    -- A JSON list of texts.
    options TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    closes_at BIGINT NOT NULL,
    -- The same in the time of the stream.
    opened_ms BIGINT,
    closes_ms BIGINT,
    ended_at BIGINT,
    -- Whether the room shows it.
    is_shown BOOLEAN NOT NULL
);
CREATE INDEX chat_poll_by_channel ON chat_poll (channel_id, opened_at DESC, id DESC);
CREATE TABLE chat_vote (
    poll_id TEXT NOT NULL REFERENCES chat_poll (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    choice BIGINT NOT NULL,
    at BIGINT NOT NULL,
    stream_time_ms BIGINT,
    PRIMARY KEY (poll_id, account_id)
);

CREATE TABLE chat_question (
    id TEXT PRIMARY KEY,
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    stream_id TEXT,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    text TEXT NOT NULL,
    at BIGINT NOT NULL,
    stream_time_ms BIGINT,
    state TEXT NOT NULL CHECK (state IN ('open', 'answered', 'dismissed')),
    on_screen BOOLEAN NOT NULL
);
CREATE INDEX chat_question_by_channel ON chat_question (channel_id, state, at);
CREATE TABLE chat_upvote (
    question_id TEXT NOT NULL REFERENCES chat_question (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    PRIMARY KEY (question_id, account_id)
);

-- How many sent which emoji in each second of a stream.
CREATE TABLE chat_reaction (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    stream_id TEXT NOT NULL,
    -- Its beginning, in the time of the stream.
    stream_time_ms BIGINT NOT NULL,
    emoji TEXT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (stream_id, stream_time_ms, emoji)
);

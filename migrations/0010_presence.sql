-- One time that somebody watched a stream, however often the way of watching changed meanwhile.
CREATE TABLE viewing (
    id TEXT PRIMARY KEY,
    stream_id TEXT NOT NULL REFERENCES stream (id) ON DELETE CASCADE,
    -- Tells viewers of one day apart, and nobody who they are: HMAC-SHA-256 of the account, or of
    -- address and user agent with a salt of that day.
    viewer TEXT NOT NULL,
    account_id TEXT REFERENCES account (id) ON DELETE SET NULL,
    -- The last one.
    transport TEXT NOT NULL,
    device TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    watch_ms BIGINT NOT NULL
);
CREATE INDEX viewing_by_stream ON viewing (stream_id, viewer);

-- What the viewers of a stream come to; it only grows.
CREATE TABLE stream_numbers (
    stream_id TEXT PRIMARY KEY REFERENCES stream (id) ON DELETE CASCADE,
    peak BIGINT NOT NULL,
    unique_viewers BIGINT NOT NULL,
    webrtc_ms BIGINT NOT NULL,
    ll_hls_ms BIGINT NOT NULL,
    hls_ms BIGINT NOT NULL
);

-- How many watched in each minute.
CREATE TABLE viewer_minute (
    stream_id TEXT NOT NULL REFERENCES stream (id) ON DELETE CASCADE,
    -- Its beginning.
    at BIGINT NOT NULL,
    -- The average of the minute, and the most at once.
    viewers DOUBLE PRECISION NOT NULL,
    most BIGINT NOT NULL,
    PRIMARY KEY (stream_id, at)
);

-- How well a publisher's media arrived.
CREATE TABLE health_sample (
    stream_id TEXT NOT NULL REFERENCES stream (id) ON DELETE CASCADE,
    -- The end of the time that it stands for,
    at BIGINT NOT NULL,
    -- which is as long as this.
    span_ms BIGINT NOT NULL,
    -- The publisher was away: there are no figures.
    away BOOLEAN NOT NULL,
    score BIGINT NOT NULL,
    -- Bit/s of all layers.
    bitrate BIGINT NOT NULL,
    audio_bitrate BIGINT NOT NULL,
    fps DOUBLE PRECISION NOT NULL,
    keyframe_interval_ms BIGINT,
    -- 0 to 1.
    loss DOUBLE PRECISION,
    rtt_ms DOUBLE PRECISION,
    dropped BIGINT NOT NULL,
    layers BIGINT NOT NULL,
    viewers BIGINT NOT NULL,
    has_video BOOLEAN NOT NULL,
    PRIMARY KEY (stream_id, at)
);
CREATE INDEX health_sample_by_time ON health_sample (span_ms, at);

-- Work that outlives the request, and the process, that asks for it.
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    -- JSON, of which the database knows nothing.
    payload TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Not before this. Whoever takes a job puts it off for as long as the work may last, so that one
    -- whose worker died is taken again.
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL DEFAULT 0,
    -- What went wrong the last time, in words.
    problem TEXT,
    -- Given up then.
    failed_at BIGINT
);
CREATE INDEX job_due ON job (run_at) WHERE failed_at IS NULL;

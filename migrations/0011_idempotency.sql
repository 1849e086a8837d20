-- What requests with an Idempotency-Key were answered, to answer the same again when they come again.
CREATE TABLE idempotency_key (
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- SHA-256 of the key, as hexadecimal digits, as is the next.
    key_hash TEXT NOT NULL,
    -- Of method, address and body: the same key for something else is refused.
    request_hash TEXT NOT NULL,
    -- Whoever is at work; it alone may write the answer.
    worker TEXT NOT NULL,
    -- While there is no answer: who is not done by then is taken for dead.
    leased_until BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- Sealed with a key from the data folder: answers may hold secrets that are shown once.
    answer TEXT,
    PRIMARY KEY (account_id, key_hash)
);
CREATE INDEX idempotency_key_by_expiry ON idempotency_key (expires_at);

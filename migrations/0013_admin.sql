-- What admins set on the pages, where the configuration does not.
CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    -- JSON, of which the database knows nothing.
    value TEXT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- Without a reference: accounts go, what they set stays.
    changed_by TEXT
);

-- Who somebody is to a provider of OpenID Connect.
CREATE TABLE identity (
    id TEXT PRIMARY KEY,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- What the provider calls them, for their owner to tell one from another.
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX identity_by_subject ON identity (issuer, subject);
CREATE INDEX identity_by_account ON identity (account_id);

-- Why an account is suspended, in the words of the admin who did it.
ALTER TABLE account ADD COLUMN suspended_reason TEXT NOT NULL DEFAULT '';
-- Taken out of all lists by an admin since then: a public channel is unlisted meanwhile.
ALTER TABLE channel ADD COLUMN hidden_at BIGINT;
-- What its owner chose, which holds again once it is hidden no more.
ALTER TABLE channel ADD COLUMN chosen_visibility TEXT;

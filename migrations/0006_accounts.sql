-- What an account may do. It takes the place of `role`, whose CHECK knows two words only.
ALTER TABLE account ADD COLUMN level TEXT NOT NULL DEFAULT 'creator'
    CHECK (level IN ('admin', 'creator', 'viewer'));
UPDATE account SET level = 'admin' WHERE role = 'admin';
ALTER TABLE account ADD COLUMN email TEXT;
-- The address in lower case: what sign-in looks for.
ALTER TABLE account ADD COLUMN email_folded TEXT;
ALTER TABLE account ADD COLUMN email_verified_at BIGINT;
-- Language of pages and mails (BCP 47); empty: that of the browser.
ALTER TABLE account ADD COLUMN language TEXT NOT NULL DEFAULT '';
-- Id of a picture.
ALTER TABLE account ADD COLUMN avatar TEXT;
-- It cannot sign in since then.
ALTER TABLE account ADD COLUMN suspended_at BIGINT;
CREATE UNIQUE INDEX account_by_email ON account (email_folded);

-- Names a login to its owner: the hash itself stays inside.
ALTER TABLE login ADD COLUMN id TEXT;
UPDATE login SET id = substr(token_hash, 1, 32);
ALTER TABLE login ADD COLUMN user_agent TEXT NOT NULL DEFAULT '';
-- The network it came from, not the machine: the last part of the address is cut off.
ALTER TABLE login ADD COLUMN address TEXT NOT NULL DEFAULT '';
ALTER TABLE login ADD COLUMN last_seen_at BIGINT NOT NULL DEFAULT 0;
UPDATE login SET last_seen_at = created_at;
CREATE INDEX login_by_account ON login (account_id);

-- One-time permissions that go out in a mail or to a page, for a while.
CREATE TABLE ticket (
    -- SHA-256 of the token.
    token_hash TEXT PRIMARY KEY,
    purpose TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    -- What it is about, such as the address that a mail went to.
    about TEXT NOT NULL DEFAULT '',
    tries BIGINT NOT NULL DEFAULT 0,
    expires_at BIGINT NOT NULL
);
CREATE INDEX ticket_by_expiry ON ticket (expires_at);
CREATE INDEX ticket_by_account ON ticket (account_id);

-- The second step of signing in: what an authenticator app shares with us.
CREATE TABLE second_step (
    account_id TEXT PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    -- Null until a code has proved that the app has the secret; it is not asked for before.
    confirmed_at BIGINT,
    -- A code of this step or an older one was used already.
    last_step BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE recovery_code (
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    code_hash TEXT NOT NULL,
    PRIMARY KEY (account_id, code_hash)
);

CREATE TABLE invite (
    id TEXT PRIMARY KEY,
    code_hash TEXT NOT NULL UNIQUE,
    -- For whom, in the words of who made it.
    note TEXT NOT NULL,
    level TEXT NOT NULL CHECK (level IN ('admin', 'creator', 'viewer')),
    created_by TEXT REFERENCES account (id) ON DELETE SET NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    most_uses BIGINT NOT NULL,
    uses BIGINT NOT NULL DEFAULT 0
);

-- Personal tokens, for programs.
CREATE TABLE access_token (
    id TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    -- SHA-256 of the text.
    token_hash TEXT NOT NULL UNIQUE,
    -- Its first characters, for its owner to tell it from others.
    prefix TEXT NOT NULL,
    -- Divided by spaces.
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT
);
CREATE INDEX access_token_by_account ON access_token (account_id);

-- Who did what that matters; nothing is changed or deleted. Each row holds the hash of the one before,
-- and the head that of the last, so that a changed or missing row shows.
CREATE TABLE audit (
    seq BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    -- Without a reference: accounts go, what they did stays.
    actor_id TEXT,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    detail TEXT NOT NULL,
    previous_hash TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    seq BIGINT NOT NULL,
    hash TEXT NOT NULL
);
INSERT INTO audit_head (id, seq, hash) VALUES (1, 0, '');
CREATE INDEX audit_by_actor ON audit (actor_id, seq);

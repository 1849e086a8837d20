-- What a channel says of itself, who follows it, and who looks after it.
ALTER TABLE channel ADD COLUMN description TEXT NOT NULL DEFAULT '';
-- `#rrggbb`.
ALTER TABLE channel ADD COLUMN accent TEXT;
-- A language tag (BCP 47), one of those that the program knows.
ALTER TABLE channel ADD COLUMN language TEXT;
-- The slug of a category, one of those that the program knows.
ALTER TABLE channel ADD COLUMN category TEXT;
ALTER TABLE channel ADD COLUMN visibility TEXT NOT NULL DEFAULT 'public'
    CHECK (visibility IN ('public', 'unlisted', 'members', 'password'));
-- Of the password that viewers give, where there is one.
ALTER TABLE channel ADD COLUMN password_hash TEXT;
-- Names of pictures in the data folder.
ALTER TABLE channel ADD COLUMN avatar TEXT;
ALTER TABLE channel ADD COLUMN banner TEXT;
-- Lists in order, as JSON, of which the database knows nothing.
ALTER TABLE channel ADD COLUMN links TEXT NOT NULL DEFAULT '[]';
ALTER TABLE channel ADD COLUMN panels TEXT NOT NULL DEFAULT '[]';
-- Of a channel that was deleted an empty row stays, which is in no list.
ALTER TABLE channel ADD COLUMN deleted_at BIGINT;
CREATE INDEX channel_by_category ON channel (category, id);

CREATE TABLE channel_tag (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    -- In lower case.
    tag TEXT NOT NULL,
    position BIGINT NOT NULL,
    PRIMARY KEY (channel_id, tag)
);
CREATE INDEX channel_tag_by_tag ON channel_tag (tag, channel_id);

CREATE TABLE follow (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (channel_id, account_id)
);
CREATE INDEX follow_by_channel ON follow (channel_id, created_at DESC, account_id DESC);
CREATE INDEX follow_by_account ON follow (account_id, created_at DESC, channel_id DESC);

CREATE TABLE moderator (
    channel_id TEXT NOT NULL REFERENCES channel (id) ON DELETE CASCADE,
    account_id TEXT NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (channel_id, account_id)
);
CREATE INDEX moderator_by_account ON moderator (account_id, channel_id);

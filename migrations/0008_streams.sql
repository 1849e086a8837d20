-- Streams that people plan: a row is there before its publisher is.
ALTER TABLE stream ADD COLUMN state TEXT NOT NULL DEFAULT 'ended'
    CHECK (state IN ('scheduled', 'preparing', 'live', 'ended', 'cancelled'));
UPDATE stream SET state = 'live' WHERE ended_at IS NULL;
-- `started_at` is when it went on air. A stream that never did has the source 'none', and the time
-- that it is planned for, or was made at, stands there, which puts it in its place in lists.
-- A channel has one stream on air, or about to be, and any number of planned ones.
DROP INDEX stream_open;
CREATE UNIQUE INDEX stream_on_air ON stream (channel_id) WHERE state IN ('preparing', 'live');
ALTER TABLE stream ADD COLUMN title TEXT NOT NULL DEFAULT '';
ALTER TABLE stream ADD COLUMN description TEXT NOT NULL DEFAULT '';
ALTER TABLE stream ADD COLUMN category TEXT;
-- In lower case, a line each.
ALTER TABLE stream ADD COLUMN tags TEXT NOT NULL DEFAULT '';
ALTER TABLE stream ADD COLUMN language TEXT;
ALTER TABLE stream ADD COLUMN thumbnail_id TEXT;
-- None: the channel's.
ALTER TABLE stream ADD COLUMN visibility TEXT CHECK (visibility IN ('public', 'unlisted'));
-- Unlisted until `published_at`.
ALTER TABLE stream ADD COLUMN publish_at_button BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE stream ADD COLUMN published_at BIGINT;
ALTER TABLE stream ADD COLUMN scheduled_at BIGINT;
-- The IANA name of the zone that its creator thinks in.
ALTER TABLE stream ADD COLUMN time_zone TEXT;
-- Started by hand: until then it waits for a publisher.
ALTER TABLE stream ADD COLUMN preparing_until BIGINT;
-- None: as the channel has it.
ALTER TABLE stream ADD COLUMN record BOOLEAN;
ALTER TABLE stream ADD COLUMN max_layers BIGINT;
ALTER TABLE stream ADD COLUMN max_bitrate_kbps BIGINT;
ALTER TABLE stream ADD COLUMN latency TEXT NOT NULL DEFAULT 'instant'
    CHECK (latency IN ('instant', 'low', 'stable'));
ALTER TABLE stream ADD COLUMN chat TEXT NOT NULL DEFAULT 'on'
    CHECK (chat IN ('on', 'followers', 'off'));
-- Rises with every change that calendars must hear of.
ALTER TABLE stream ADD COLUMN revision BIGINT NOT NULL DEFAULT 0;
ALTER TABLE stream ADD COLUMN changed_at BIGINT;
CREATE INDEX stream_by_place ON stream (started_at DESC, id DESC);
CREATE INDEX stream_scheduled ON stream (scheduled_at) WHERE state = 'scheduled';
CREATE INDEX stream_preparing ON stream (preparing_until) WHERE state = 'preparing';

-- One way to write the id of a stream, so that rows can be joined.
UPDATE recording SET stream_id = substr(stream_id, 1, 8) || '-' || substr(stream_id, 9, 4) || '-'
    || substr(stream_id, 13, 4) || '-' || substr(stream_id, 17, 4) || '-' || substr(stream_id, 21, 12)
    WHERE length(stream_id) = 32;

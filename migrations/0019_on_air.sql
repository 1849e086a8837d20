-- When its publisher was last seen sending, for the next start of the server: what was on air a moment
-- ago goes on.
ALTER TABLE stream ADD COLUMN on_air_at BIGINT;

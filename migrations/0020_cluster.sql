-- By which lease its server has a stream on air: of two that say so, the higher is right.
ALTER TABLE stream ADD COLUMN fence BIGINT;
-- Names the folder of its media, where that is not its own name: it came from another server.
ALTER TABLE stream ADD COLUMN media TEXT;

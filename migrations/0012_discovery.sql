-- What the home page lists, newest first.
CREATE INDEX recording_public ON recording (started_at DESC, id DESC)
    WHERE visibility = 'public' AND state = 'ready' AND deleted_at IS NULL;

-- What can be searched for, and what it is found by. Triggers keep it as the tables are, in whatever
-- way these change. Streams that are over are found as recordings; what its owner does not list is not
-- here, so that it cannot stand in the way of what is.
CREATE TABLE search_doc (
    n INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (kind, id)
);
CREATE VIRTUAL TABLE search_text USING fts5 (
    kind, title, body, content = 'search_doc', content_rowid = 'n',
    tokenize = 'unicode61 remove_diacritics 2', prefix = '2 3'
);
CREATE TRIGGER search_doc_inserted AFTER INSERT ON search_doc BEGIN
    INSERT INTO search_text (rowid, kind, title, body) VALUES (new.n, new.kind, new.title, new.body);
END;
CREATE TRIGGER search_doc_deleted AFTER DELETE ON search_doc BEGIN
    INSERT INTO search_text (search_text, rowid, kind, title, body)
    VALUES ('delete', old.n, old.kind, old.title, old.body);
END;

CREATE VIEW search_source (kind, id, title, body) AS
    SELECT 'channel', id, name || ' ' || handle, description || ' ' || coalesce(
        (SELECT group_concat(tag, ' ') FROM channel_tag WHERE channel_id = channel.id), '')
    FROM channel WHERE visibility = 'public'
    UNION ALL SELECT 'stream', id, title, description || ' ' || tags FROM stream
        WHERE state IN ('scheduled', 'preparing', 'live') AND coalesce(visibility, 'public') = 'public'
    UNION ALL SELECT 'recording', id, title, '' FROM recording
        WHERE visibility = 'public' AND deleted_at IS NULL;

CREATE TRIGGER search_channel_inserted AFTER INSERT ON channel BEGIN
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'channel' AND id = new.id;
END;
CREATE TRIGGER search_channel_updated AFTER UPDATE OF handle, name, description, visibility ON channel BEGIN
    DELETE FROM search_doc WHERE kind = 'channel' AND id = new.id;
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'channel' AND id = new.id;
END;
CREATE TRIGGER search_channel_deleted AFTER DELETE ON channel BEGIN
    DELETE FROM search_doc WHERE kind = 'channel' AND id = old.id;
END;
CREATE TRIGGER search_tag_inserted AFTER INSERT ON channel_tag BEGIN
    DELETE FROM search_doc WHERE kind = 'channel' AND id = new.channel_id;
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'channel' AND id = new.channel_id;
END;
CREATE TRIGGER search_tag_deleted AFTER DELETE ON channel_tag BEGIN
    DELETE FROM search_doc WHERE kind = 'channel' AND id = old.channel_id;
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'channel' AND id = old.channel_id;
END;
CREATE TRIGGER search_stream_inserted AFTER INSERT ON stream BEGIN
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'stream' AND id = new.id;
END;
CREATE TRIGGER search_stream_updated AFTER UPDATE OF title, description, tags, state, visibility ON stream BEGIN
    DELETE FROM search_doc WHERE kind = 'stream' AND id = new.id;
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'stream' AND id = new.id;
END;
CREATE TRIGGER search_stream_deleted AFTER DELETE ON stream BEGIN
    DELETE FROM search_doc WHERE kind = 'stream' AND id = old.id;
END;
CREATE TRIGGER search_recording_inserted AFTER INSERT ON recording BEGIN
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'recording' AND id = new.id;
END;
CREATE TRIGGER search_recording_updated AFTER UPDATE OF title, visibility, deleted_at ON recording BEGIN
    DELETE FROM search_doc WHERE kind = 'recording' AND id = new.id;
    INSERT INTO search_doc (kind, id, title, body)
    SELECT kind, id, title, body FROM search_source WHERE kind = 'recording' AND id = new.id;
END;
CREATE TRIGGER search_recording_deleted AFTER DELETE ON recording BEGIN
    DELETE FROM search_doc WHERE kind = 'recording' AND id = old.id;
END;

INSERT INTO search_doc (kind, id, title, body) SELECT kind, id, title, body FROM search_source;

-- What can be searched for, and what it is found by. Triggers keep it as the tables are, in whatever
-- way these change. Streams that are over are found as recordings; what its owner does not list is not
-- here, so that it cannot stand in the way of what is.

-- A text as words in lower case without accents, as SQLite's tokenizer has them. The collation is
-- named, because that of the database may know ASCII alone.
CREATE FUNCTION search_plain(words text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT translate(
        lower(regexp_replace(normalize(words, NFC), '[^[:alnum:]]+' COLLATE "und-x-icu", ' ', 'g')
            COLLATE "und-x-icu"),
        'àáâãäåāăąçćčĉċďèéêëēĕėęěĝğġģĥìíîïĩīĭįıĵķłĺļľñńņňòóôõöøōŏőŕŗřśŝşšţťùúûüũūŭůűųŵýÿŷźżž',
        'aaaaaaaaacccccdeeeeeeeeegggghiiiiiiiiijkllllnnnnooooooooorrrssssttuuuuuuuuuuwyyyzzz')
$$;
-- All of the words, each as the beginning of one; in titles alone with ':A', else with ':'.
CREATE FUNCTION search_query(words text, place text) RETURNS tsquery LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(to_tsquery('simple', string_agg(quote_literal(word) || place || '*', ' & ')), ''::tsquery)
    FROM regexp_split_to_table(search_plain(words), ' +') AS word WHERE word <> ''
$$;

CREATE TABLE search_doc (
    n BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX search_channels ON search_doc USING gin (words) WHERE kind = 'channel';
CREATE INDEX search_streams ON search_doc USING gin (words) WHERE kind = 'stream';
CREATE INDEX search_recordings ON search_doc USING gin (words) WHERE kind = 'recording';

CREATE VIEW search_source (kind, id, title, body) AS
    SELECT 'channel', id, name || ' ' || handle, description || ' ' || coalesce(
        (SELECT string_agg(tag, ' ') FROM channel_tag WHERE channel_id = channel.id), '')
    FROM channel WHERE visibility = 'public'
    UNION ALL SELECT 'stream', id, title, description || ' ' || tags FROM stream
        WHERE state IN ('scheduled', 'preparing', 'live') AND coalesce(visibility, 'public') = 'public'
    UNION ALL SELECT 'recording', id, title, '' FROM recording
        WHERE visibility = 'public' AND deleted_at IS NULL;

CREATE FUNCTION search_words(title text, body text) RETURNS tsvector LANGUAGE sql IMMUTABLE AS $$
    SELECT setweight(to_tsvector('simple', search_plain(title)), 'A')
        || setweight(to_tsvector('simple', search_plain(body)), 'B')
$$;
CREATE FUNCTION search_renew(of_kind text, of_id text) RETURNS void LANGUAGE sql AS $$
    DELETE FROM search_doc WHERE kind = of_kind AND id = of_id;
    INSERT INTO search_doc (kind, id, words)
    SELECT kind, id, search_words(title, body) FROM search_source WHERE kind = of_kind AND id = of_id
    ON CONFLICT (kind, id) DO UPDATE SET words = excluded.words
$$;

-- Its argument is the kind; rows of tags are of their channel.
CREATE FUNCTION search_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'channel_tag' THEN
        PERFORM search_renew('channel', CASE TG_OP WHEN 'DELETE' THEN OLD.channel_id ELSE NEW.channel_id END);
    ELSIF TG_OP = 'DELETE' THEN
        DELETE FROM search_doc WHERE kind = TG_ARGV[0] AND id = OLD.id;
    ELSE
        PERFORM search_renew(TG_ARGV[0], NEW.id);
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER search_channel AFTER INSERT OR DELETE OR UPDATE OF handle, name, description, visibility ON channel
    FOR EACH ROW EXECUTE FUNCTION search_changed('channel');
CREATE TRIGGER search_tag AFTER INSERT OR DELETE ON channel_tag
    FOR EACH ROW EXECUTE FUNCTION search_changed('channel');
CREATE TRIGGER search_stream AFTER INSERT OR DELETE OR UPDATE OF title, description, tags, state, visibility ON stream
    FOR EACH ROW EXECUTE FUNCTION search_changed('stream');
CREATE TRIGGER search_recording AFTER INSERT OR DELETE OR UPDATE OF title, visibility, deleted_at ON recording
    FOR EACH ROW EXECUTE FUNCTION search_changed('recording');

INSERT INTO search_doc (kind, id, words)
    SELECT kind, id, search_words(title, body) FROM search_source;

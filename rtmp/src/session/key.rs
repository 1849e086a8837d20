//! Where a stream key may stand: `rtmp://host/live` with the key as stream name, or `?key=` behind
//! the name or behind the URL.

use crate::secret::StreamKey;

/// A text up to its query, and the query.
pub(super) fn split_query(text: &str) -> (&str, &str) {
    text.split_once('?').unwrap_or((text, ""))
}

/// `key` of a query. Keys have no characters that would have to be escaped.
pub(super) fn of_query(query: &str) -> Option<StreamKey> {
    let mut fields = query.split('&');
    let key = fields.find_map(|field| field.strip_prefix("key="))?.trim();
    (!key.is_empty()).then(|| StreamKey::new(key))
}

/// The key of a stream by its name and by the URL: what is named `key` goes before the bare name.
pub(super) fn of_stream(name: &str, of_url: Option<&StreamKey>) -> Option<StreamKey> {
    let (name, query) = split_query(name);
    let named = of_query(query).or_else(|| of_url.cloned());
    // Blanks come along when a key is pasted.
    let bare = name.trim_matches(|c: char| c == '/' || c.is_whitespace());
    named.or_else(|| (!bare.is_empty()).then(|| StreamKey::new(bare)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, url: &str) -> Option<String> {
        let of_url = of_query(split_query(url).1);
        of_stream(name, of_url.as_ref()).map(|key| key.reveal().to_owned())
    }

    #[test]
    fn a_key_is_found_where_encoders_put_it() {
        let url = "rtmp://host/live";
        for (name, url) in [
            ("tl_abc", url),
            (" tl_abc\n", url),
            ("tl_abc?backup=1", url),
            ("?key=tl_abc", url),
            ("anything?backup=1&key=tl_abc", url),
            ("anything", "rtmp://host/live?key=tl_abc"),
            ("", "rtmp://host/live?a=b&key=tl_abc"),
        ] {
            assert_eq!(key(name, url).as_deref(), Some("tl_abc"), "{name} {url}");
        }
        assert_eq!(key("", url), None);
        assert_eq!(key("?key=", url), None);
    }
}

//! [`Pathway`]: one of several ways to the files of a stream, such as a CDN, which players change
//! between by themselves (§7, Content Steering).
//!
//! Each has media playlists of its own, `index.cdn2.m3u8` beside `index.m3u8`, since a segment must keep
//! the address that a player knows it by (§6.2.1).

/// One of several ways to the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pathway {
    /// Names it, from 1 on.
    pub number: u8,
    /// Put before the names of files, followed by the rendition: empty, or an absolute URL that ends in
    /// a slash.
    pub base: String,
}

/// There are no more of one stream.
pub const MOST_PATHWAYS: usize = 4;

impl Pathway {
    /// `PATHWAY-ID`.
    #[must_use]
    pub fn id(&self) -> String {
        format!("cdn{}", self.number)
    }
}

/// Name of a media playlist: that of a pathway, or the one for who knows of none.
#[must_use]
pub fn playlist_name(pathway: Option<u8>) -> String {
    match pathway {
        Some(number) => format!("index.cdn{number}.m3u8"),
        None => "index.m3u8".to_owned(),
    }
}

/// Reads the name of a media playlist exactly as [`playlist_name`] writes it: which pathway it is of.
#[must_use]
pub fn parse_playlist_name(name: &str) -> Option<Option<u8>> {
    let pathway = match name.strip_prefix("index.")? {
        "m3u8" => None,
        other => Some(
            other
                .strip_prefix("cdn")?
                .strip_suffix(".m3u8")?
                .parse()
                .ok()?,
        ),
    };
    (playlist_name(pathway) == name).then_some(pathway)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for pathway in [None, Some(1), Some(255)] {
            assert_eq!(parse_playlist_name(&playlist_name(pathway)), Some(pathway));
        }
        for hostile in [
            "",
            "index.",
            "index.cdn.m3u8",
            "index.cdn01.m3u8",
            "index.cdn+1.m3u8",
            "index.cdn256.m3u8",
            "index.cdn1.m3u8/",
            "index.m3u8.m3u8",
        ] {
            assert_eq!(parse_playlist_name(hostile), None, "{hostile}");
        }
    }
}

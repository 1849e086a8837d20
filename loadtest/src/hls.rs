//! Light low-latency HLS viewers: they read playlists by blocking reload and fetch every part, and
//! decode nothing.

use std::io;
use std::time::{Duration, Instant};

use crate::clock;
use crate::http::{Answer, Connection};

/// Where a multivariant playlist is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// `host:port`.
    pub host: String,
    /// Path of the multivariant playlist.
    pub path: String,
}

/// A part, by its segment's media sequence number and its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartId {
    /// Media sequence number.
    pub msn: u64,
    /// Number within the segment.
    pub part: u64,
}

/// What a viewer saw.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// When the playlist came that tells of the part, since 1970.
    pub released: Vec<(PartId, Duration)>,
    /// How long each part took to fetch.
    pub fetched: Vec<Duration>,
    /// Answers, of playlists and parts.
    pub requests: u64,
    /// Bytes of their bodies.
    pub bytes: u64,
    /// Answers other than 200, and broken connections.
    pub failures: u64,
}

impl Address {
    /// Reads `http://host:port/path`.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let rest = url.strip_prefix("http://")?;
        let (host, path) = rest.split_once('/')?;
        let host = if host.contains(':') {
            host.to_owned()
        } else {
            format!("{host}:80")
        };
        Some(Self {
            host,
            path: format!("/{path}"),
        })
    }

    /// Paths of the renditions' media playlists, the best first.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn renditions(&self) -> io::Result<Vec<String>> {
        let mut connection = Connection::open(&self.host).await?;
        let answer = expect(connection.get(&self.path).await?)?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let uris = text.lines().filter(|line| !line.starts_with('#'));
        Ok(uris.map(|uri| join(&self.path, uri)).collect())
    }
}

/// Whether the rendition's playlist says what comes next: that of a stream that is over does not.
///
/// # Errors
/// When it cannot be read.
pub async fn goes_on(host: &str, rendition: &str) -> io::Result<bool> {
    let mut connection = Connection::open(host).await?;
    let playlist = expect(connection.get(rendition).await?)?;
    Ok(hinted(&playlist.body).is_some())
}

/// Follows a rendition for so long.
///
/// # Errors
/// When it cannot connect or the first playlist cannot be read; what fails later is counted.
pub async fn follow(host: &str, rendition: &str, until: Instant) -> io::Result<Seen> {
    let mut playlists = Connection::open(host).await?;
    let mut parts = Connection::open(host).await?;
    let first = expect(playlists.get(rendition).await?)?;
    let mut next = hinted(&first.body).ok_or_else(no_hint)?;
    let mut seen = Seen::default();
    while clock::now() < until {
        let path = format!(
            "{rendition}?_HLS_msn={}&_HLS_part={}&_HLS_skip=YES",
            next.msn, next.part
        );
        let answer = playlists.get(&path).await?;
        seen.released.push((next, answer.at));
        seen.count(&answer);
        let Some(hint) = hinted(&answer.body) else {
            break;
        };
        let asked = clock::now();
        let file = join(rendition, &format!("{}.{}.m4s", next.msn, next.part));
        let answer = parts.get(&file).await?;
        seen.fetched
            .push(clock::now().saturating_duration_since(asked));
        seen.count(&answer);
        next = hint;
    }
    Ok(seen)
}

/// Joins as a player does: multivariant playlist, media playlist, initialisation, newest segment.
/// Returns how long each request took.
///
/// # Errors
/// When any of it fails.
pub async fn join_once(address: &Address) -> io::Result<Vec<Duration>> {
    let mut connection = Connection::open(&address.host).await?;
    let mut took = Vec::with_capacity(4);
    let multivariant = timed(&mut connection, &address.path, &mut took).await?;
    let text = String::from_utf8_lossy(&multivariant.body).into_owned();
    let uri = text.lines().find(|line| !line.starts_with('#'));
    let rendition = join(&address.path, uri.ok_or_else(no_hint)?);
    let playlist = timed(&mut connection, &rendition, &mut took).await?;
    let text = String::from_utf8_lossy(&playlist.body).into_owned();
    let init = text.lines().rev().find_map(|line| {
        let uri = line.strip_prefix("#EXT-X-MAP:URI=\"")?;
        uri.strip_suffix('"')
    });
    let init = join(&rendition, init.ok_or_else(no_hint)?);
    timed(&mut connection, &init, &mut took).await?;
    let segment = text.lines().rev().find(|line| !line.starts_with('#'));
    if let Some(segment) = segment {
        timed(&mut connection, &join(&rendition, segment), &mut took).await?;
    }
    Ok(took)
}

async fn timed(
    connection: &mut Connection,
    path: &str,
    took: &mut Vec<Duration>,
) -> io::Result<Answer> {
    let began = clock::now();
    let answer = expect(connection.get(path).await?)?;
    took.push(clock::now().saturating_duration_since(began));
    Ok(answer)
}

impl Seen {
    fn count(&mut self, answer: &Answer) {
        self.requests += 1;
        self.bytes += u64::try_from(answer.body.len()).unwrap_or_default();
        self.failures += u64::from(answer.status != 200);
    }
}

fn expect(answer: Answer) -> io::Result<Answer> {
    if answer.status == 200 {
        return Ok(answer);
    }
    let words = String::from_utf8_lossy(&answer.body).into_owned();
    let words = format!("the server answered {}: {words}", answer.status);
    Err(io::Error::other(words))
}

fn no_hint() -> io::Error {
    io::Error::other("the playlist names nothing that is to come; is the stream live?")
}

/// The part that the playlist says comes next (draft-pantos-hls-rfc8216bis §4.4.5.3).
fn hinted(playlist: &[u8]) -> Option<PartId> {
    let text = std::str::from_utf8(playlist).ok()?;
    let at = text.rfind("#EXT-X-PRELOAD-HINT:")?;
    let line = text.get(at..)?.lines().next()?;
    let (_, uri) = line.split_once("URI=\"")?;
    let name = uri.split('"').next()?.rsplit('/').next()?;
    let (msn, part) = name.strip_suffix(".m4s")?.split_once('.')?;
    Some(PartId {
        msn: msn.parse().ok()?,
        part: part.parse().ok()?,
    })
}

/// A path beside another.
fn join(base: &str, name: &str) -> String {
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    format!("{folder}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_part_is_read_from_the_hint() {
        let text = "#EXTM3U\n#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"x/12.3.m4s\"\n\
                    #EXT-X-RENDITION-REPORT:URI=\"../a/index.m3u8\",LAST-MSN=1,LAST-PART=2\n";
        let next = hinted(text.as_bytes());
        assert_eq!(next, Some(PartId { msn: 12, part: 3 }));
        assert_eq!(hinted(b"#EXTM3U\n#EXT-X-ENDLIST\n"), None);
    }

    #[test]
    fn addresses_are_read() {
        let address = Address::parse("http://127.0.0.1:8080/hls/ada/index.m3u8").unwrap();
        assert_eq!(address.host, "127.0.0.1:8080");
        assert_eq!(
            join(&address.path, "t/v0/index.m3u8"),
            "/hls/ada/t/v0/index.m3u8"
        );
        assert!(Address::parse("ftp://x/y").is_none());
    }
}

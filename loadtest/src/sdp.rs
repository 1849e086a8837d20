//! What of SDP a client handles by hand: candidates of an answer, the shapes of other clients'
//! offers, fragments for PATCH.

use std::net::SocketAddr;

use str0m::net::Protocol;

/// Whose offer ours looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shape {
    /// A browser's: all that str0m can do.
    #[default]
    Browser,
    /// That of OBS: constrained baseline announced whatever flows, no candidates, no transport-wide
    /// feedback, no retransmission format, no answer to key frame requests.
    Obs,
    /// That of FFmpeg's WHIP muxer: `setup:passive`, no feedback lines, no candidates.
    Ffmpeg,
}

/// A candidate line of an answer (RFC 8839 §5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaAddress {
    /// UDP or passive TCP.
    pub protocol: Protocol,
    /// Where the server receives media.
    pub address: SocketAddr,
}

/// The host candidates of an answer, each once, in order.
#[must_use]
pub fn media_addresses(answer: &str) -> Vec<MediaAddress> {
    let mut addresses = Vec::new();
    for candidate in answer.lines().filter_map(candidate_of) {
        let words: Vec<&str> = candidate.split_ascii_whitespace().collect();
        let [_, _, protocol, _, ip, port, ..] = words.as_slice() else {
            continue;
        };
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "udp" => Protocol::Udp,
            "tcp" => Protocol::Tcp,
            _ => continue,
        };
        let (Ok(ip), Ok(port)) = (ip.parse(), port.parse()) else {
            continue;
        };
        let address = MediaAddress {
            protocol,
            address: SocketAddr::new(ip, port),
        };
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// The text with only the candidates of that address, so that no other is ever tried.
#[must_use]
pub fn with_only(sdp: &str, kept: MediaAddress) -> String {
    without(sdp, |line| {
        candidate_of(line).is_some() && !media_addresses(line).contains(&kept)
    })
}

/// The offer as that client would send it.
#[must_use]
pub fn shaped(offer: &str, shape: Shape) -> String {
    match shape {
        Shape::Browser => offer.to_owned(),
        Shape::Obs => without(offer, |line| {
            candidate_of(line).is_some()
                || line.starts_with("a=end-of-candidates")
                || line.starts_with("a=ssrc")
        }),
        Shape::Ffmpeg => without(offer, |line| {
            candidate_of(line).is_some()
                || line.starts_with("a=end-of-candidates")
                || line.starts_with("a=rtcp-fb:")
                || line.starts_with("a=ice-options:")
        })
        .replace("a=setup:actpass", "a=setup:passive"),
    }
}

/// ICE user name fragment and password, the first of the text.
#[must_use]
pub fn credentials(sdp: &str) -> Option<(String, String)> {
    let value = |name: &str| {
        let mut lines = sdp.lines();
        lines.find_map(|line| line.trim_end().strip_prefix(name).map(str::to_owned))
    };
    Some((value("a=ice-ufrag:")?, value("a=ice-pwd:")?))
}

/// The text with other ICE credentials.
#[must_use]
pub fn with_credentials(sdp: &str, ufrag: &str, pwd: &str) -> String {
    let mut changed = String::with_capacity(sdp.len());
    for line in sdp.lines() {
        if line.starts_with("a=ice-ufrag:") {
            changed.push_str(&format!("a=ice-ufrag:{ufrag}"));
        } else if line.starts_with("a=ice-pwd:") {
            changed.push_str(&format!("a=ice-pwd:{pwd}"));
        } else if let Some((candidate, _)) = line.split_once(" ufrag ") {
            // A candidate that names its credentials would contradict the new ones.
            changed.push_str(candidate);
        } else {
            changed.push_str(line);
        }
        changed.push_str("\r\n");
    }
    changed
}

/// The body of an ICE restart (RFC 8840 §9).
#[must_use]
pub fn restart_fragment(ufrag: &str, pwd: &str) -> String {
    format!(
        "a=ice-ufrag:{ufrag}\r\na=ice-pwd:{pwd}\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n"
    )
}

fn candidate_of(line: &str) -> Option<&str> {
    line.trim().strip_prefix("a=candidate:")
}

fn without(sdp: &str, is_dropped: impl Fn(&str) -> bool) -> String {
    let mut kept = String::with_capacity(sdp.len());
    for line in sdp.lines().filter(|line| !is_dropped(line)) {
        kept.push_str(line);
        kept.push_str("\r\n");
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &str = "v=0\r\na=ice-ufrag:old\r\na=ice-pwd:secret\r\n\
        a=candidate:1 1 udp 2130706175 127.0.0.1 4000 typ host ufrag old\r\n\
        a=candidate:2 1 tcp 1 127.0.0.1 4000 typ host tcptype passive\r\n\
        a=candidate:1 1 udp 2130706175 127.0.0.1 4000 typ host ufrag old\r\n\
        a=candidate:3 1 udp 1 fd00::1 4000 typ host\r\n";

    #[test]
    fn addresses_are_read_each_once() {
        let addresses = media_addresses(ANSWER);
        assert_eq!(addresses.len(), 3);
        assert_eq!(addresses[0].address.to_string(), "127.0.0.1:4000");
        assert_eq!(addresses[1].protocol, Protocol::Tcp);
        assert_eq!(addresses[2].address.to_string(), "[fd00::1]:4000");
        let only = with_only(ANSWER, addresses[1]);
        assert_eq!(media_addresses(&only), [addresses[1]]);
        assert!(only.starts_with("v=0\r\na=ice-ufrag:old\r\n"));
    }

    #[test]
    fn credentials_are_replaced_everywhere() {
        let changed = with_credentials(ANSWER, "new", "other");
        assert_eq!(
            credentials(&changed),
            Some(("new".to_owned(), "other".to_owned()))
        );
        assert!(!changed.contains("old"), "{changed}");
    }
}

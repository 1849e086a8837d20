//! The tags of an FLV file, which are what RTMP carries (FLV 10.1, annex E.4).

use bytes::Bytes;

/// Sound or picture, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// What it holds.
    pub kind: TagKind,
    /// Decoding time in milliseconds.
    pub time_ms: u32,
    /// The tag's body, which is a message's payload.
    pub body: Bytes,
}

/// What a tag holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// AAC.
    Audio,
    /// H264.
    Video,
}

const HEADER: usize = 9;
const TAG_HEADER: usize = 11;
/// The length of the tag before.
const BACK: usize = 4;
const AUDIO: u8 = 8;
const VIDEO: u8 = 9;
/// Packet types in the second byte of H264 and AAC alike (E.4.2.1, E.4.3.1).
const CONFIGURATION: u8 = 0;
const END: u8 = 2;

impl Tag {
    /// Whether it says how what follows is coded, and is no media itself.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        self.body.get(1) == Some(&CONFIGURATION)
    }
}

/// Sound and pictures of a file; what else is in it is left out.
#[must_use]
pub fn tags(file: &Bytes) -> Option<Vec<Tag>> {
    let mut rest = file.strip_prefix(b"FLV")?.get(HEADER - 3 + BACK..)?;
    let mut tags = Vec::new();
    while let Some((header, after)) = rest.split_first_chunk::<TAG_HEADER>() {
        let [kind, l2, l1, l0, t2, t1, t0, t3, ..] = *header;
        let length = usize::try_from(u32::from_be_bytes([0, l2, l1, l0])).ok()?;
        let (body, after) = after.split_at_checked(length)?;
        rest = after.get(BACK..)?;
        let kind = match kind {
            AUDIO => TagKind::Audio,
            VIDEO => TagKind::Video,
            _ => continue,
        };
        let tag = Tag {
            kind,
            time_ms: u32::from_be_bytes([t3, t2, t1, t0]),
            body: file.slice_ref(body),
        };
        if kind == TagKind::Audio || tag.body.get(1) != Some(&END) {
            tags.push(tag);
        }
    }
    Some(tags)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(tags: &[(u8, u32, &[u8])]) -> Bytes {
        let mut file = b"FLV\x01\x05\0\0\0\x09\0\0\0\0".to_vec();
        for (kind, time, body) in tags {
            let [t3, t2, t1, t0] = time.to_be_bytes();
            let length = u8::try_from(body.len()).unwrap();
            file.extend([*kind, 0, 0, length, t2, t1, t0, t3, 0, 0, 0]);
            file.extend(*body);
            file.extend([0, 0, 0, length + 11]);
        }
        file.into()
    }

    #[test]
    fn tags_come_with_their_times() {
        let file = file(&[
            (18, 0, b"metadata"),
            (9, 0, b"\x17\0"),
            (8, 0x0102_0304, b"\xaf\x01\x21"),
            (9, 7, b"\x17\x02"),
        ]);
        let found = tags(&file).unwrap();
        assert_eq!(found.len(), 2, "no metadata and no end: {found:?}");
        assert!(found[0].is_configuration() && !found[1].is_configuration());
        assert_eq!(found[1].kind, TagKind::Audio);
        assert_eq!(found[1].time_ms, 0x0102_0304);
        assert_eq!(found[1].body, &b"\xaf\x01\x21"[..]);
    }

    #[test]
    fn half_a_file_is_none() {
        let whole = file(&[(9, 0, b"\x17\x01abc")]);
        assert_eq!(tags(&whole.slice(..whole.len() - 6)), None);
        assert_eq!(tags(&Bytes::from_static(b"RIFF")), None);
    }
}

//! H264 on its way into RTP: Annex B split into pictures, pictures into payloads (RFC 6184).

/// Payloads carry at most this many bytes, as OBS and browsers send them.
pub const MOST_PAYLOAD_BYTES: usize = 1_200;

const SLICE: u8 = 1;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;

/// One coded picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picture {
    /// NAL units without start codes, in order.
    pub nals: Vec<Vec<u8>>,
}

impl Picture {
    /// Whether a decoder can start here.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.nals.iter().any(|nal| kind(nal) == Some(IDR))
    }
}

/// Splits an Annex B stream (H.264 annex B) into pictures.
#[must_use]
pub fn pictures(stream: &[u8]) -> Vec<Picture> {
    let mut pictures = Vec::new();
    let mut picture = Picture::default();
    let mut has_slice = false;
    for nal in nals(stream) {
        let is_slice = matches!(kind(nal), Some(SLICE | IDR));
        // `first_mb_in_slice` is the first field of a slice; 0 is the single bit 1 (§7.3.3).
        let is_first_slice = is_slice && nal.get(1).is_some_and(|byte| byte & 0x80 != 0);
        if has_slice && (!is_slice || is_first_slice) {
            pictures.push(std::mem::take(&mut picture));
            has_slice = false;
        }
        has_slice |= is_slice;
        picture.nals.push(nal.to_vec());
    }
    if has_slice {
        pictures.push(picture);
    }
    pictures
}

fn nals(stream: &[u8]) -> impl Iterator<Item = &[u8]> {
    let starts: Vec<usize> = stream
        .windows(3)
        .enumerate()
        .filter(|(_, window)| *window == [0, 0, 1])
        .map(|(at, _)| at)
        .collect();
    let ends: Vec<usize> = starts
        .iter()
        .skip(1)
        .copied()
        .chain([stream.len()])
        .collect();
    starts
        .into_iter()
        .zip(ends)
        .filter_map(move |(start, end)| {
            let nal = stream.get(start + 3..end)?;
            // A start code of four bytes leaves its first zero here; a NAL unit ends with no zero.
            let length = nal.iter().rposition(|byte| *byte != 0)? + 1;
            nal.get(..length)
        })
}

/// The RTP payloads of one picture: parameter sets in one packet (STAP-A), slices whole or in
/// fragments (FU-A).
#[must_use]
pub fn packetize(picture: &Picture) -> Vec<Vec<u8>> {
    let (sets, rest): (Vec<&[u8]>, Vec<&[u8]>) = picture
        .nals
        .iter()
        .map(Vec::as_slice)
        .partition(|nal| matches!(kind(nal), Some(SPS | PPS)));
    let mut payloads = Vec::new();
    match sets.as_slice() {
        [] => {}
        [single] => payloads.push(single.to_vec()),
        several => payloads.push(aggregate(several)),
    }
    for nal in rest {
        push_fragments(nal, &mut payloads);
    }
    payloads
}

fn aggregate(nals: &[&[u8]]) -> Vec<u8> {
    let importance = nals.iter().filter_map(|nal| nal.first()).max();
    let mut payload = vec![importance.map_or(0, |byte| byte & 0x60) | STAP_A];
    for nal in nals {
        let length = u16::try_from(nal.len()).unwrap_or(u16::MAX);
        payload.extend(length.to_be_bytes());
        payload.extend_from_slice(nal);
    }
    payload
}

fn push_fragments(nal: &[u8], payloads: &mut Vec<Vec<u8>>) {
    if nal.len() <= MOST_PAYLOAD_BYTES {
        payloads.push(nal.to_vec());
        return;
    }
    let Some((header, body)) = nal.split_first() else {
        return;
    };
    let mut chunks = body.chunks(MOST_PAYLOAD_BYTES - 2).peekable();
    let mut start = 0x80;
    while let Some(chunk) = chunks.next() {
        let end = if chunks.peek().is_none() { 0x40 } else { 0 };
        let mut payload = vec![header & 0xe0 | FU_A, start | end | header & 0x1f];
        payload.extend_from_slice(chunk);
        payloads.push(payload);
        start = 0;
    }
}

/// What a viewer must know of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Holds parameter sets: a decodable picture begins here.
    ParameterSets,
    /// Part of a picture that a decoder can start with.
    Key,
    /// Anything else.
    Other,
}

/// Looks into a payload.
#[must_use]
pub fn part_of(payload: &[u8]) -> Part {
    let inner = match kind(payload) {
        Some(STAP_A) => payload.get(3..).and_then(kind),
        Some(FU_A) => payload.get(1).map(|byte| byte & 0x1f),
        other => other,
    };
    match inner {
        Some(SPS) => Part::ParameterSets,
        Some(IDR) => Part::Key,
        _ => Part::Other,
    }
}

fn kind(nal: &[u8]) -> Option<u8> {
    nal.first().map(|byte| byte & 0x1f)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(nals: &[&[u8]]) -> Vec<u8> {
        nals.iter()
            .flat_map(|nal| [&[0, 0, 0, 1], *nal].concat())
            .collect()
    }

    #[test]
    fn a_stream_falls_into_pictures() {
        let stream = stream(&[
            &[0x67, 1],
            &[0x68, 1],
            &[0x65, 0x88, 7],
            &[0x65, 0x08, 7],
            &[0x41, 0x9a, 7],
            &[0x41, 0x9a, 8],
        ]);
        let pictures = pictures(&stream);
        let counts: Vec<_> = pictures.iter().map(|p| p.nals.len()).collect();
        assert_eq!(counts, [4, 1, 1]);
        let keys: Vec<_> = pictures.iter().map(Picture::is_key).collect();
        assert_eq!(keys, [true, false, false]);
    }

    #[test]
    fn fragments_put_together_are_the_nal_unit_again() {
        let nal: Vec<u8> = [0x65]
            .into_iter()
            .chain((0..5_000u32).map(|n| n.to_be_bytes()[3] | 1))
            .collect();
        let picture = Picture {
            nals: vec![vec![0x67, 1, 2], vec![0x68, 3], nal.clone()],
        };
        let payloads = packetize(&picture);
        assert_eq!(payloads[0], [0x78, 0, 3, 0x67, 1, 2, 0, 2, 0x68, 3]);
        assert_eq!(part_of(&payloads[0]), Part::ParameterSets);
        let fragments = &payloads[1..];
        assert!(fragments.iter().all(|p| p.len() <= MOST_PAYLOAD_BYTES));
        assert!(fragments.iter().all(|p| part_of(p) == Part::Key));
        let body: Vec<u8> = fragments.iter().flat_map(|p| p[2..].to_vec()).collect();
        assert_eq!(body, nal[1..]);
        assert_eq!(fragments[0][1], 0x85);
        assert_eq!(fragments[fragments.len() - 1][1], 0x45);
    }
}

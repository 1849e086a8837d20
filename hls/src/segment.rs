//! [`Segment`] and [`Part`]: what playlists list, and the names by which both are asked for.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;

/// A partial segment (§4.4.4.9).
#[derive(Debug, Clone)]
pub(crate) struct Part {
    pub(crate) bytes: Bytes,
    pub(crate) duration: Duration,
    pub(crate) independent: bool,
}

/// A segment, growing or complete.
#[derive(Debug, Clone)]
pub(crate) struct Segment {
    /// Media sequence number.
    pub(crate) msn: u64,
    pub(crate) duration: Duration,
    /// Unix time of its first sample, in milliseconds.
    pub(crate) unix_ms: i64,
    /// Number of the initialisation that it needs.
    pub(crate) init: u32,
    /// Whether it does not continue what came before.
    pub(crate) discontinuity: bool,
    /// Whether decoding can begin with it.
    pub(crate) independent: bool,
    pub(crate) size_bytes: u64,
    /// Its parts, until it is so old that only the disk has it.
    pub(crate) parts: Option<Vec<Part>>,
    pub(crate) stored: Arc<Stored>,
}

impl Segment {
    /// Whether its bytes can be had no more.
    pub(crate) fn is_lost(&self) -> bool {
        self.parts.is_none() && self.stored.get() != Fate::Written
    }

    pub(crate) fn parts(&self) -> &[Part] {
        self.parts.as_deref().unwrap_or_default()
    }

    /// The same without its parts in memory.
    pub(crate) fn on_disk_alone(&self) -> Self {
        Self {
            parts: None,
            ..self.clone()
        }
    }
}

/// What became of a segment on its way to disk; shared with the task that writes.
#[derive(Debug, Default)]
pub(crate) struct Stored(AtomicU8);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Pending,
    Written,
    Lost,
}

impl Stored {
    pub(crate) fn get(&self) -> Fate {
        match self.0.load(Ordering::Acquire) {
            0 => Fate::Pending,
            1 => Fate::Written,
            _ => Fate::Lost,
        }
    }

    /// The first fate holds: what is lost once is never whole again.
    pub(crate) fn set(&self, fate: Fate) {
        let value = match fate {
            Fate::Pending => return,
            Fate::Written => 1,
            Fate::Lost => 2,
        };
        let _ = self
            .0
            .compare_exchange(0, value, Ordering::AcqRel, Ordering::Acquire);
    }
}

/// Name of a complete segment, such as `12.m4s`.
#[must_use]
pub fn segment_name(msn: u64) -> String {
    Name::Segment(msn).to_string()
}

/// Reads the name of a segment exactly as [`segment_name`] writes it.
#[must_use]
pub fn parse_segment_name(name: &str) -> Option<u64> {
    match Name::parse(name)? {
        Name::Segment(msn) => Some(msn),
        Name::Init(_) | Name::Part(..) => None,
    }
}

/// A file of a rendition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// `init0.mp4`.
    Init(u32),
    /// `12.m4s`.
    Segment(u64),
    /// `12.3.m4s`.
    Part(u64, usize),
}

impl Name {
    /// Reads a name exactly as [`Name::to_string`] writes it; nothing else reaches a file.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = if let Some(number) = text
            .strip_prefix("init")
            .and_then(|rest| rest.strip_suffix(".mp4"))
        {
            Self::Init(number.parse().ok()?)
        } else {
            let numbers = text.strip_suffix(".m4s")?;
            match numbers.split_once('.') {
                Some((msn, part)) => Self::Part(msn.parse().ok()?, part.parse().ok()?),
                None => Self::Segment(numbers.parse().ok()?),
            }
        };
        (name.to_string() == text).then_some(name)
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Init(number) => write!(f, "init{number}.mp4"),
            Self::Segment(msn) => write!(f, "{msn}.m4s"),
            Self::Part(msn, part) => write!(f, "{msn}.{part}.m4s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in [Name::Init(0), Name::Segment(12), Name::Part(12, 3)] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for hostile in [
            "",
            "..",
            "../12.m4s",
            "+1.m4s",
            "01.m4s",
            "1.m4s/",
            "1.2.3.m4s",
            "-1.m4s",
            "init.mp4",
            "99999999999999999999.m4s",
            "1.m4s\0",
        ] {
            assert_eq!(Name::parse(hostile), None, "{hostile}");
        }
    }

    #[test]
    fn the_first_fate_holds() {
        let stored = Stored::default();
        assert_eq!(stored.get(), Fate::Pending);
        stored.set(Fate::Lost);
        stored.set(Fate::Written);
        assert_eq!(stored.get(), Fate::Lost);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic_or_escape(text in "(?s).{0,40}") {
            if let Some(name) = Name::parse(&text) {
                prop_assert!(!name.to_string().contains(['/', '\\']));
            }
        }
    }
}

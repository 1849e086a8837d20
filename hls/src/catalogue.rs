//! `index.jsonl`: what there is of a rendition on disk, one line an event.
//!
//! A line is appended after the bytes that it speaks of. So whatever moment the process dies at,
//! the lines tell of no byte that is not there; a torn line at the end, and bytes that no line speaks
//! of, count for nothing.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::chunk::Media;

/// Its name in the folder of a rendition.
pub(crate) const FILE: &str = "index.jsonl";

/// A line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Event {
    Init(InitWritten),
    Part(PartWritten),
    /// The segment is complete.
    End {
        msn: u64,
    },
    /// The disk failed to keep the segment, whatever was written of it.
    Lost {
        msn: u64,
    },
    /// The process ends and the stream goes on: numbers below these were used.
    Left {
        msn: u64,
        init: u32,
    },
    /// The process ends and all of it is written: the stream is over, unless more follows.
    Closed,
}

/// `init{number}.mp4` is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct InitWritten {
    pub(crate) number: u32,
    pub(crate) media: Media,
    pub(crate) zero_unix_ms: i64,
    pub(crate) discontinuity: bool,
    pub(crate) size_bytes: u64,
}

/// `{msn}.m4s` has grown by a part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PartWritten {
    pub(crate) msn: u64,
    pub(crate) init: u32,
    #[serde(rename = "start_ns", with = "nanoseconds")]
    pub(crate) start: Duration,
    #[serde(rename = "duration_ns", with = "nanoseconds")]
    pub(crate) duration: Duration,
    pub(crate) size_bytes: u64,
    pub(crate) independent: bool,
}

/// Writes it.
#[derive(Debug)]
pub(crate) struct Index {
    file: File,
    /// Bytes of whole lines.
    size_bytes: u64,
    /// Whether a torn line stands behind them.
    is_torn: bool,
}

impl Index {
    /// Starts that of a rendition which has none.
    ///
    /// # Errors
    /// Also when there is one: whoever wrote that may still be asked for it.
    pub(crate) fn create(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let created = OpenOptions::new().append(true).create_new(true).open(path);
        let file = created.map_err(|error| match error.kind() {
            io::ErrorKind::AlreadyExists => {
                io::Error::new(error.kind(), "their folder holds a recording already")
            }
            _ => error,
        })?;
        Ok(Self {
            file,
            size_bytes: 0,
            is_torn: false,
        })
    }

    /// Goes on with the one that a process before this one wrote, and that holds whole lines.
    pub(crate) fn resume(folder: &Path) -> io::Result<Self> {
        let path = folder.join(FILE);
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self {
            size_bytes: file.metadata()?.len(),
            file,
            is_torn: false,
        })
    }

    /// # Errors
    /// The line is not there then.
    pub(crate) fn append(&mut self, event: &Event) -> io::Result<()> {
        if self.is_torn {
            self.file.set_len(self.size_bytes)?;
            self.is_torn = false;
        }
        let mut line = serde_json::to_vec(event)?;
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.is_torn = self.file.set_len(self.size_bytes).is_err();
            return Err(error);
        }
        self.size_bytes += u64::try_from(line.len()).unwrap_or_default();
        Ok(())
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// What an index tells.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Contents {
    pub(crate) inits: BTreeMap<u32, InitWritten>,
    /// In order, without those that are lost.
    pub(crate) segments: Vec<SegmentWritten>,
    /// Bytes up to the torn line.
    pub(crate) whole_bytes: usize,
    pub(crate) is_closed: bool,
    /// Numbers of segments and initialisations that were not used, where the process that wrote it
    /// took leave.
    pub(crate) left: Option<(u64, u32)>,
    /// No segment that a line tells of has this number or a higher one.
    pub(crate) next_msn: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SegmentWritten {
    pub(crate) msn: u64,
    pub(crate) init: u32,
    pub(crate) parts: Vec<PartWritten>,
    pub(crate) is_complete: bool,
}

impl SegmentWritten {
    pub(crate) fn duration(&self) -> Duration {
        self.parts.iter().map(|part| part.duration).sum()
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.size_bytes).sum()
    }

    /// Leaves out the parts that a file of this size does not hold.
    pub(crate) fn cut_to(&mut self, size_bytes: u64) {
        let mut end = 0_u64;
        let held = self.parts.iter().take_while(|part| {
            end = end.saturating_add(part.size_bytes);
            end <= size_bytes
        });
        let held = held.count();
        if held < self.parts.len() {
            self.parts.truncate(held);
            self.is_complete = false;
        }
    }
}

impl Contents {
    /// Reads an index. Lines that make no sense are passed over.
    pub(crate) fn read(text: &[u8]) -> Self {
        let mut contents = Self::default();
        let mut at = 0;
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            at += line.len();
            let Some(line) = line.strip_suffix(b"\n") else {
                break;
            };
            contents.whole_bytes = at;
            if let Ok(event) = serde_json::from_slice(line) {
                contents.take(event);
            }
        }
        contents
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Init(init) => {
                self.go_on();
                self.inits.insert(init.number, init);
            }
            Event::Part(part) => {
                self.go_on();
                self.take_part(part);
            }
            Event::End { msn } => {
                if let Some(segment) = self.segments.last_mut().filter(|last| last.msn == msn) {
                    segment.is_complete = true;
                }
            }
            Event::Left { msn, init } => self.left = Some((msn, init)),
            Event::Closed => self.is_closed = true,
            Event::Lost { msn } => self.segments.retain(|segment| segment.msn != msn),
        }
    }

    /// Another process wrote more.
    fn go_on(&mut self) {
        (self.is_closed, self.left) = (false, None);
    }

    fn take_part(&mut self, part: PartWritten) {
        self.next_msn = self.next_msn.max(part.msn.saturating_add(1));
        match self.segments.last_mut() {
            Some(last) if last.msn == part.msn && !last.is_complete => last.parts.push(part),
            Some(last) if last.msn >= part.msn => {}
            _ if !self.inits.contains_key(&part.init) => {}
            _ => self.segments.push(SegmentWritten {
                msn: part.msn,
                init: part.init,
                parts: vec![part],
                is_complete: false,
            }),
        }
    }
}

/// A length of time as a whole number.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(msn: u64, size_bytes: u64) -> PartWritten {
        PartWritten {
            msn,
            init: 0,
            start: Duration::from_millis(msn * 1_000),
            duration: Duration::from_nanos(333_333_333),
            size_bytes,
            independent: true,
        }
    }

    fn init() -> InitWritten {
        InitWritten {
            number: 0,
            media: Media::Audio {
                codec: "mp4a.40.2".to_owned(),
                channels: 2,
            },
            zero_unix_ms: 1_700_000_000_000,
            discontinuity: false,
            size_bytes: 9,
        }
    }

    fn lines(events: &[Event]) -> Vec<u8> {
        let line = |event| serde_json::to_string(event).unwrap() + "\n";
        events.iter().map(line).collect::<String>().into_bytes()
    }

    #[test]
    fn lines_are_as_documented() {
        let text = lines(&[
            Event::Init(init()),
            Event::Part(part(7, 100)),
            Event::End { msn: 7 },
        ]);
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"init\":{\"number\":0,\"media\":{\"audio\":{\"codec\":\"mp4a.40.2\",\"channels\":2}},\
             \"zero_unix_ms\":1700000000000,\"discontinuity\":false,\"size_bytes\":9}}\n\
             {\"part\":{\"msn\":7,\"init\":0,\"start_ns\":7000000000,\"duration_ns\":333333333,\
             \"size_bytes\":100,\"independent\":true}}\n\
             {\"end\":{\"msn\":7}}\n"
        );
    }

    #[test]
    fn what_is_lost_is_left_out_and_what_is_torn_passed_over() {
        let mut text = lines(&[
            Event::Init(init()),
            Event::Part(part(0, 100)),
            Event::Part(part(0, 50)),
            Event::End { msn: 0 },
            Event::Part(part(1, 100)),
            Event::Lost { msn: 1 },
            Event::Part(part(2, 100)),
        ]);
        let whole_bytes = text.len();
        text.extend_from_slice(b"{\"part\":{\"msn\":2,\"in");
        let contents = Contents::read(&text);
        let found = contents.segments.iter().map(|segment| {
            (
                segment.msn,
                segment.parts.len(),
                segment.size_bytes(),
                segment.is_complete,
            )
        });
        assert_eq!(
            found.collect::<Vec<_>>(),
            [(0, 2, 150, true), (2, 1, 100, false)]
        );
        assert_eq!(contents.whole_bytes, whole_bytes);
    }

    #[test]
    fn what_follows_an_end_opens_the_index_again() {
        let mut events = vec![
            Event::Init(init()),
            Event::Part(part(0, 100)),
            Event::End { msn: 0 },
            Event::Left { msn: 2, init: 1 },
            Event::Closed,
        ];
        let before = Contents::read(&lines(&events));
        assert!(before.is_closed);
        assert_eq!((before.left, before.next_msn), (Some((2, 1)), 1));
        events.push(Event::Part(part(2, 100)));
        let after = Contents::read(&lines(&events));
        assert!(!after.is_closed);
        assert_eq!((after.left, after.next_msn), (None, 3));
        assert_eq!(after.segments.len(), 2);
    }

    #[test]
    fn parts_that_a_file_does_not_hold_are_left_out() {
        let text = lines(&[
            Event::Init(init()),
            Event::Part(part(0, 100)),
            Event::Part(part(0, 50)),
            Event::End { msn: 0 },
        ]);
        let segment = Contents::read(&text).segments.remove(0);
        for (size_bytes, held) in [(99, 0), (100, 1), (149, 1), (150, 2), (900, 2)] {
            let mut cut = segment.clone();
            cut.cut_to(size_bytes);
            assert_eq!((cut.parts.len(), cut.is_complete), (held, held == 2));
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(Contents::read(&text).whole_bytes <= text.len());
        }

        #[test]
        fn a_prefix_tells_a_prefix(cut in 0_usize..2_000) {
            let events: Vec<Event> = std::iter::once(Event::Init(init()))
                .chain((0..8).flat_map(|msn| [
                    Event::Part(part(msn, 10)),
                    Event::Part(part(msn, 20)),
                    Event::End { msn },
                ]))
                .collect();
            let text = lines(&events);
            let cut = cut.min(text.len());
            let parts = |text: &[u8]| -> Vec<PartWritten> {
                Contents::read(text).segments.into_iter().flat_map(|s| s.parts).collect()
            };
            let (all, some) = (parts(&text), parts(&text[..cut]));
            prop_assert_eq!(&all[..some.len()], &some[..]);
            let told = text[..cut].split_inclusive(|byte| *byte == b'\n');
            let told = told.filter(|line| line.starts_with(b"{\"part") && line.ends_with(b"\n"));
            prop_assert_eq!(told.count(), some.len());
        }
    }
}

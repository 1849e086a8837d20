//! What a packager does, for tests: chunks that name themselves.

#![allow(dead_code, reason = "each test program uses a part")]

use std::time::Duration;

use bytes::Bytes;
use hls::{Body, Chunk, Config, Init, Media, Origin, PushError, Writer};

pub(crate) const PART: Duration = Duration::from_millis(333);

pub(crate) fn config() -> Config {
    Config {
        part_target: Duration::from_millis(334),
        target_duration: Duration::from_secs(4),
        window: Duration::from_secs(60),
        ..Config::default()
    }
}

pub(crate) fn video() -> Media {
    Media::Video {
        codec: "avc1.42e01f".to_owned(),
        width: 1280,
        height: 720,
        frame_rate: 30.0,
    }
}

pub(crate) fn audio() -> Media {
    Media::Audio {
        codec: "mp4a.40.2".to_owned(),
        channels: 2,
    }
}

pub(crate) fn init(media: Media) -> Init {
    Init {
        bytes: Bytes::from_static(b"ftyp moov"),
        media,
        zero_unix_ms: 1_700_000_000_000,
        discontinuity: true,
    }
}

/// A rendition whose chunks name themselves.
pub(crate) struct Feed {
    pub(crate) writer: Writer,
    pub(crate) at: Duration,
    pub(crate) pushed: u64,
    pub(crate) in_segment: u64,
    /// Spaces before the name of each chunk.
    pub(crate) padding: usize,
}

impl Feed {
    pub(crate) fn new(origin: &Origin, name: &str, media: Media) -> Self {
        let mut writer = origin.writer(name);
        writer.begin(init(media)).unwrap();
        Self {
            writer,
            at: Duration::ZERO,
            pushed: 0,
            in_segment: 0,
            padding: 0,
        }
    }

    /// A part; each sixth ends its segment.
    pub(crate) fn part(&mut self) {
        let ends_segment = self.in_segment == 5;
        self.push(PART, self.in_segment == 0, ends_segment).unwrap();
        self.in_segment = if ends_segment { 0 } else { self.in_segment + 1 };
    }

    pub(crate) fn parts(&mut self, count: usize) {
        for _ in 0..count {
            self.part();
        }
    }

    pub(crate) fn push(
        &mut self,
        duration: Duration,
        independent: bool,
        ends_segment: bool,
    ) -> Result<(), PushError> {
        let padding = self.padding;
        let chunk = Chunk {
            bytes: Bytes::from(format!("{:padding$}part {};", "", self.pushed)),
            start: self.at,
            duration,
            independent,
            ends_segment,
        };
        self.writer.push(chunk)?;
        self.pushed += 1;
        self.at += duration;
        Ok(())
    }
}

pub(crate) fn text(body: &Body) -> String {
    let bytes: Vec<u8> = body.0.iter().flatten().copied().collect();
    String::from_utf8(bytes).unwrap()
}

//! What of a stream a viewer counts, whichever implementation received it.

use std::time::Duration;

use serde::Serialize;

use crate::h264::Part;
use crate::latency::Latencies;
use crate::sent::{Sent, SentFrame};

/// One video packet as it came.
#[derive(Debug, Clone, Copy)]
pub(crate) struct VideoPacket<'a> {
    /// Extended sequence number.
    pub(crate) seq: u64,
    pub(crate) timestamp: u32,
    pub(crate) is_last: bool,
    pub(crate) payload: &'a [u8],
    pub(crate) part: Part,
}

/// Counts one stream.
#[derive(Debug)]
pub(crate) struct Counter {
    sent: Sent,
    frame: Frame,
    report: ViewerReport,
}

/// The frame whose packets are coming.
#[derive(Debug, Default)]
struct Frame {
    timestamp: u32,
    /// Sequence numbers: of the last packet of the frame before, and of the newest.
    before: Option<u64>,
    packets: u64,
    has_parameter_sets: bool,
    is_key: bool,
}

/// Milestones of a join, counted from the moment the offer is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Milestones {
    /// The answer is here.
    pub answer: Option<Duration>,
    /// ICE is connected.
    pub ice: Option<Duration>,
    /// DTLS is up.
    pub dtls: Option<Duration>,
    /// The first media packet.
    pub first_packet: Option<Duration>,
    /// The first whole key frame with its parameter sets: a decoder can show a picture.
    pub first_key_frame: Option<Duration>,
}

/// What a viewer saw. Counts run from the join or the last [`crate::Viewer::start_window`].
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ViewerReport {
    /// How it joined.
    pub milestones: Milestones,
    /// Whether the session is over.
    pub closed: bool,
    /// Labels of data channels that opened.
    pub channels: Vec<String>,
    /// Video packets.
    pub video_packets: u64,
    /// Audio packets.
    pub audio_packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Video packets that never came, retransmission included.
    pub lost: u64,
    /// Frames whose last packet came.
    pub frames: u64,
    /// Of them, those that came whole and in order.
    pub whole_frames: u64,
    /// Key frame requests made.
    pub keyframe_requests: u64,
    /// From sending to receiving, for each frame that the publisher noted.
    #[serde(skip)]
    pub latencies: Latencies,
    /// The same for key frames alone.
    #[serde(skip)]
    pub key_latencies: Latencies,
    /// The first frame of all, if the publisher noted it: what a joining viewer is shown.
    #[serde(skip)]
    pub first_frame: Option<SentFrame>,
    /// The newest frame, if the publisher noted it.
    #[serde(skip)]
    pub newest_frame: Option<SentFrame>,
    #[serde(skip)]
    first_seq: Option<u64>,
    #[serde(skip)]
    last_seq: u64,
}

impl Counter {
    pub(crate) fn new(sent: &Sent) -> Self {
        Self {
            sent: sent.clone(),
            frame: Frame::default(),
            report: ViewerReport::default(),
        }
    }

    pub(crate) fn start_window(&mut self) {
        let old = std::mem::take(&mut self.report);
        self.report = ViewerReport {
            milestones: old.milestones,
            closed: old.closed,
            channels: old.channels,
            first_frame: old.first_frame,
            newest_frame: old.newest_frame,
            ..ViewerReport::default()
        };
    }

    /// What was counted, to be completed by whoever knows of the connection.
    pub(crate) fn report_mut(&mut self) -> &mut ViewerReport {
        &mut self.report
    }

    pub(crate) fn milestones(&self) -> Milestones {
        self.report.milestones
    }

    pub(crate) fn report(&self) -> ViewerReport {
        let mut report = self.report.clone();
        let expected = report
            .first_seq
            .map_or(0, |first| (report.last_seq + 1).saturating_sub(first));
        report.lost = expected.saturating_sub(report.video_packets);
        report
    }

    pub(crate) fn take_audio(&mut self, payload: &[u8], since: Duration) {
        let report = &mut self.report;
        report.milestones.first_packet.get_or_insert(since);
        report.audio_packets += 1;
        report.bytes += payload.len() as u64;
    }

    /// Takes a video packet: `since` the offer, `at` which time since 1970.
    pub(crate) fn take_video(&mut self, packet: VideoPacket<'_>, since: Duration, at: Duration) {
        let report = &mut self.report;
        report.milestones.first_packet.get_or_insert(since);
        report.bytes += packet.payload.len() as u64;
        report.video_packets += 1;
        let first = report.first_seq.unwrap_or(packet.seq).min(packet.seq);
        report.first_seq = Some(first);
        report.last_seq = report.last_seq.max(packet.seq);
        let frame = &mut self.frame;
        if frame.timestamp != packet.timestamp || frame.packets == 0 {
            *frame = Frame {
                timestamp: packet.timestamp,
                before: frame.before,
                ..Frame::default()
            };
        }
        frame.packets += 1;
        match packet.part {
            Part::ParameterSets => frame.has_parameter_sets = true,
            Part::Key => frame.is_key = true,
            Part::Other => {}
        }
        if packet.is_last {
            self.finish_frame(packet, since, at);
        }
    }

    fn finish_frame(&mut self, packet: VideoPacket<'_>, since: Duration, at: Duration) {
        let frame = std::mem::take(&mut self.frame);
        self.frame.before = Some(packet.seq);
        let report = &mut self.report;
        report.frames += 1;
        // The very first frame has nothing before it to tell whether its beginning is here; its
        // parameter sets do.
        let is_whole = match frame.before {
            Some(before) => before + frame.packets == packet.seq,
            None => frame.has_parameter_sets,
        };
        report.whole_frames += u64::from(is_whole);
        if is_whole && frame.is_key && frame.has_parameter_sets {
            report.milestones.first_key_frame.get_or_insert(since);
        }
        let Some(sent) = self.sent.find(packet.payload) else {
            return;
        };
        report.first_frame.get_or_insert(sent);
        report.newest_frame = Some(sent);
        let latency = at.saturating_sub(sent.at);
        report.latencies.note(latency);
        if sent.is_key {
            report.key_latencies.note(latency);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(seq: u64, timestamp: u32, is_last: bool, part: Part) -> VideoPacket<'static> {
        VideoPacket {
            seq,
            timestamp,
            is_last,
            payload: &[1, 2, 3],
            part,
        }
    }

    #[test]
    fn a_picture_is_whole_when_all_its_packets_came() {
        let mut counter = Counter::new(&Sent::default());
        let stream = [
            packet(10, 0, false, Part::ParameterSets),
            packet(11, 0, true, Part::Key),
            packet(12, 3_000, false, Part::Other),
            packet(14, 3_000, true, Part::Other),
            packet(15, 6_000, true, Part::Other),
        ];
        for packet in stream {
            counter.take_video(packet, Duration::from_millis(5), Duration::ZERO);
        }
        let report = counter.report();
        assert_eq!((report.frames, report.whole_frames), (3, 2));
        assert_eq!((report.video_packets, report.lost), (5, 1));
        let picture = report.milestones.first_key_frame;
        assert_eq!(picture, Some(Duration::from_millis(5)));
    }

    #[test]
    fn a_stream_that_begins_within_a_key_frame_is_no_picture() {
        let mut counter = Counter::new(&Sent::default());
        counter.take_video(
            packet(1, 0, true, Part::Key),
            Duration::ZERO,
            Duration::ZERO,
        );
        assert_eq!(counter.report().milestones.first_key_frame, None);
        counter.start_window();
        assert_eq!(counter.report().frames, 0);
    }
}

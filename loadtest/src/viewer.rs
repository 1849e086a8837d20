//! A client that watches: it counts what a player would show.

use std::fmt;
use std::time::Duration;

use str0m::media::{Direction, KeyframeRequestKind, MediaKind, Mid, Pt};
use str0m::{Event, Rtc, RtcConfig};

use crate::clock;
use crate::counts::{Counter, Milestones, VideoPacket, ViewerReport};
use crate::h264;
use crate::peer::{Prepared, Role};
use crate::sent::Sent;

/// What a viewer is to be.
#[derive(Debug, Clone, Default)]
pub struct ViewerSpec {
    /// Whether it opens the data channel `chat`.
    pub with_chat: bool,
    /// Whether it takes datagrams one by one, as most viewers do. Otherwise a run that the server
    /// sent in one call arrives in one piece on loopback, which spares both ends.
    pub one_by_one: bool,
}

/// A client that watches.
#[derive(Debug)]
pub struct Viewer {
    video: Mid,
    video_pt: Vec<Pt>,
    counter: Counter,
    asked_at: Duration,
    listener: Option<Listener>,
}

/// Gets what comes on data channels, and when it came, since 1970.
struct Listener(Box<Listen>);
type Listen = dyn FnMut(&[u8], Duration) + Send;

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listener")
    }
}

/// Without a key frame, one is asked for this often.
const PATIENCE: Duration = Duration::from_millis(500);

impl ViewerSpec {
    /// Makes the offer. With the publisher's notes the viewer tells latencies.
    #[must_use]
    pub fn prepare(&self, sent: &Sent) -> Option<Prepared> {
        let mut rtc = RtcConfig::new()
            .set_rtp_mode(true)
            .clear_codecs()
            .enable_opus(true, false)
            .enable_h264(true)
            .build(clock::now());
        let video_pt = rtc.codec_config().params().iter();
        let video_pt = video_pt
            .filter(|p| p.spec().codec.is_video())
            .map(|p| p.pt());
        let video_pt = video_pt.collect();
        let mut change = rtc.sdp_api();
        change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
        let video = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
        if self.with_chat {
            change.add_channel("chat".to_owned());
        }
        let (offer, pending) = change.apply()?;
        let viewer = Viewer {
            video,
            video_pt,
            counter: Counter::new(sent),
            asked_at: Duration::ZERO,
            listener: None,
        };
        let role = Role::Viewer(Box::new(viewer));
        let prepared = Prepared::new(rtc, pending, role, offer.to_sdp_string());
        Some(prepared.one_by_one(self.one_by_one))
    }
}

impl Viewer {
    /// Hands over what comes on data channels from now on, and when it came, since 1970.
    pub fn listen(&mut self, listener: impl FnMut(&[u8], Duration) + Send + 'static) {
        self.listener = Some(Listener(Box::new(listener)));
    }

    /// Counts from now on.
    pub fn start_window(&mut self) {
        self.counter.start_window();
    }

    pub(crate) fn report(&self) -> ViewerReport {
        self.counter.report()
    }

    /// Those of media; the connection's are not known here.
    pub(crate) fn milestones(&self) -> Milestones {
        self.counter.milestones()
    }

    pub(crate) fn take(&mut self, rtc: &mut Rtc, event: &Event, since: Duration, at: Duration) {
        if let (Event::ChannelData(came), Some(listener)) = (event, &mut self.listener) {
            return listener.0(&came.data, at);
        }
        let Event::RtpPacket(packet) = event else {
            return;
        };
        if !self.video_pt.contains(&packet.header.payload_type) {
            self.counter.take_audio(&packet.payload, since);
            return;
        }
        let video = VideoPacket {
            seq: *packet.seq_no,
            timestamp: packet.header.timestamp,
            is_last: packet.header.marker,
            payload: &packet.payload,
            part: h264::part_of(&packet.payload),
        };
        self.counter.take_video(video, since, at);
        self.ask_for_key_frame(rtc, since);
    }

    fn ask_for_key_frame(&mut self, rtc: &mut Rtc, since: Duration) {
        let report = self.counter.report_mut();
        let first = report.milestones.first_packet.unwrap_or(since);
        let has_picture = report.milestones.first_key_frame.is_some();
        if has_picture || since < first.max(self.asked_at) + PATIENCE {
            return;
        }
        self.asked_at = since;
        report.keyframe_requests += 1;
        if let Some(stream) = rtc.direct_api().stream_rx_by_mid(self.video, None) {
            stream.request_keyframe(KeyframeRequestKind::Pli);
        }
    }
}

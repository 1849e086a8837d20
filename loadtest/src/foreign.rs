//! The same clients on webrtc-rs: an implementation that shares no code with the server, so that
//! what both agree on is the protocol and no mistake of ours.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rtc::interceptor::Registry;
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::interceptor_registry::register_default_interceptors;
use rtc::peer_connection::configuration::media_engine::{
    MIME_TYPE_H264, MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine,
};
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters,
    RTCRtpEncodingParameters, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpTransceiverDirection, RTCRtpTransceiverInit};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::media_stream::track_remote::{TrackRemote, TrackRemoteEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCIceConnectionState,
    RTCIceGatheringState, RTCPeerConnectionState,
};

use crate::clock;
use crate::counts::{Counter, Milestones, VideoPacket, ViewerReport};
use crate::h264::{self, Part};
use crate::publisher::PublishReport;
use crate::sent::{Sent, SentFrame};
use crate::signalling::{Endpoint, HttpError, Session};
use crate::source::{AUDIO, AUDIO_48KHZ, FRAME, FRAME_90KHZ, Source, VideoCodec};

/// Why a client did not join. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForeignError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// webrtc-rs refused.
    #[error("webrtc-rs: {0}")]
    Webrtc(#[from] webrtc::error::Error),
    /// It gathered no candidates in time, or made no offer.
    #[error("webrtc-rs made no offer")]
    NoOffer,
}

/// A publisher in a session.
pub struct Publishing {
    connection: Box<dyn PeerConnection>,
    pace: JoinHandle<()>,
    report: Arc<Mutex<PublishReport>>,
    /// Its session.
    pub session: Session,
}

/// A viewer in a session.
pub struct Watching {
    connection: Box<dyn PeerConnection>,
    seen: Arc<Seen>,
    chat: Option<Arc<dyn DataChannel>>,
    /// Its session.
    pub session: Session,
}

/// What the handlers of one connection share.
struct Seen {
    began: Instant,
    counter: Mutex<Counter>,
    gathered: Notify,
    connected: Notify,
    codec: VideoCodec,
    /// Texts that came on the data channel.
    texts: Mutex<Vec<String>>,
}

struct Handler(Arc<Seen>);

const GATHER_WITHIN: Duration = Duration::from_secs(5);
const VIDEO_PT: u8 = 96;
const OPUS_PT: u8 = 111;

/// Publishes one layer of the source.
///
/// # Errors
/// When the server refuses or cannot be reached.
pub async fn publish(
    endpoint: &Endpoint,
    source: &Source,
    sent: &Sent,
) -> Result<Publishing, ForeignError> {
    let seen = Seen::new(source.codec, sent);
    let connection = Box::pin(connection(&seen, local_ip(endpoint))).await?;
    let video = track(RtpCodecKind::Video, video_codec(source.codec), VIDEO_SSRC);
    let audio = track(RtpCodecKind::Audio, opus(), AUDIO_SSRC);
    connection
        .add_track(Arc::clone(&audio) as Arc<dyn TrackLocal>)
        .await?;
    connection
        .add_track(Arc::clone(&video) as Arc<dyn TrackLocal>)
        .await?;
    let session = negotiate(connection.as_ref(), &seen, endpoint).await?;
    let report = Arc::new(Mutex::new(PublishReport::default()));
    let pace = Pace {
        source: source.clone(),
        video,
        audio,
        sent: sent.clone(),
        report: Arc::clone(&report),
    };
    let pace = tokio::spawn(async move {
        seen.connected.notified().await;
        lock(&pace.report).connected = true;
        pace.run().await;
    });
    Ok(Publishing {
        connection,
        pace,
        report,
        session,
    })
}

/// Watches a stream of that codec; with `with_chat` it opens the data channel `chat`.
///
/// # Errors
/// When the server refuses or cannot be reached.
pub async fn watch(
    endpoint: &Endpoint,
    codec: VideoCodec,
    with_chat: bool,
    sent: &Sent,
) -> Result<Watching, ForeignError> {
    let seen = Seen::new(codec, sent);
    let connection = Box::pin(connection(&seen, local_ip(endpoint))).await?;
    for kind in [RtpCodecKind::Audio, RtpCodecKind::Video] {
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Recvonly,
            ..Default::default()
        };
        connection
            .add_transceiver_from_kind(kind, Some(init))
            .await?;
    }
    let mut chat = None;
    if with_chat {
        let channel = connection.create_data_channel("chat", None).await?;
        tokio::spawn(listen(Arc::clone(&channel), Arc::clone(&seen)));
        chat = Some(channel);
    }
    let session = negotiate(connection.as_ref(), &seen, endpoint).await?;
    Ok(Watching {
        connection,
        seen,
        chat,
        session,
    })
}

impl Publishing {
    /// What it did so far.
    #[must_use]
    pub fn report(&self) -> PublishReport {
        *lock(&self.report)
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// When webrtc-rs cannot.
    pub async fn close(&self) -> Result<(), ForeignError> {
        self.pace.abort();
        Ok(self.connection.close().await?)
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        self.pace.abort();
    }
}

impl Watching {
    /// What it saw so far.
    #[must_use]
    pub fn report(&self) -> ViewerReport {
        lock(&self.seen.counter).report()
    }

    /// How far it has come, and whether it is over.
    #[must_use]
    pub fn progress(&self) -> (Milestones, bool) {
        let mut counter = lock(&self.seen.counter);
        let report = counter.report_mut();
        (report.milestones, report.closed)
    }

    /// Counts from now on.
    pub fn start_window(&self) {
        lock(&self.seen.counter).start_window();
    }

    /// Sends a text on the data channel.
    ///
    /// # Errors
    /// When webrtc-rs cannot.
    pub async fn say(&self, text: &str) -> Result<(), ForeignError> {
        match &self.chat {
            Some(chat) => Ok(chat.send_text(text).await?),
            None => Ok(()),
        }
    }

    /// What came on the data channel so far, oldest first.
    #[must_use]
    pub fn heard(&self) -> Vec<String> {
        lock(&self.seen.texts).clone()
    }

    /// Closes the connection.
    ///
    /// # Errors
    /// When webrtc-rs cannot.
    pub async fn close(&self) -> Result<(), ForeignError> {
        Ok(self.connection.close().await?)
    }
}

impl Seen {
    fn new(codec: VideoCodec, sent: &Sent) -> Arc<Self> {
        Arc::new(Self {
            began: clock::now(),
            counter: Mutex::new(Counter::new(sent)),
            gathered: Notify::new(),
            connected: Notify::new(),
            codec,
            texts: Mutex::default(),
        })
    }

    fn since(&self) -> Duration {
        clock::now().saturating_duration_since(self.began)
    }
}

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Handler {
    async fn on_ice_gathering_state_change(&self, state: RTCIceGatheringState) {
        if state == RTCIceGatheringState::Complete {
            self.0.gathered.notify_one();
        }
    }

    async fn on_ice_connection_state_change(&self, state: RTCIceConnectionState) {
        if state == RTCIceConnectionState::Connected {
            let since = self.0.since();
            let mut counter = lock(&self.0.counter);
            counter.report_mut().milestones.ice.get_or_insert(since);
        }
    }

    async fn on_connection_state_change(&self, state: RTCPeerConnectionState) {
        let since = self.0.since();
        match state {
            RTCPeerConnectionState::Connected => {
                let mut counter = lock(&self.0.counter);
                counter.report_mut().milestones.dtls.get_or_insert(since);
                self.0.connected.notify_one();
            }
            RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed => {
                lock(&self.0.counter).report_mut().closed = true;
            }
            _ => {}
        }
    }

    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        tokio::spawn(count(track, Arc::clone(&self.0)));
    }
}

async fn count(track: Arc<dyn TrackRemote>, seen: Arc<Seen>) {
    let is_video = track.kind().await == RtpCodecKind::Video;
    let mut newest: Option<u64> = None;
    while let Some(event) = track.poll().await {
        let TrackRemoteEvent::OnRtpPacket(packet) = event else {
            continue;
        };
        let (since, at) = (seen.since(), clock::since_1970());
        let mut counter = lock(&seen.counter);
        if !is_video {
            counter.take_audio(&packet.payload, since);
            continue;
        }
        let seq = extended(packet.header.sequence_number, newest);
        newest = newest.max(Some(seq));
        let video = VideoPacket {
            seq,
            timestamp: packet.header.timestamp,
            is_last: packet.header.marker,
            payload: &packet.payload,
            part: part_of(seen.codec, &packet.payload),
        };
        counter.take_video(video, since, at);
    }
}

/// The sequence number nearest to the newest one; the first starts a cycle in, so that packets
/// before it have room.
fn extended(seq: u16, newest: Option<u64>) -> u64 {
    const CYCLE: u64 = 1 << 16;
    let Some(newest) = newest else {
        return CYCLE + u64::from(seq);
    };
    let base = newest - newest % CYCLE + u64::from(seq);
    [base.saturating_sub(CYCLE), base, base + CYCLE]
        .into_iter()
        .min_by_key(|candidate| candidate.abs_diff(newest))
        .unwrap_or(base)
}

fn part_of(codec: VideoCodec, payload: &[u8]) -> Part {
    match codec {
        VideoCodec::H264 => h264::part_of(payload),
        // The start of the first partition of a key frame, which also tells the size (RFC 7741
        // §4.2 and §4.3; our own streams have no extended descriptor).
        VideoCodec::Vp8 => match payload {
            [0x10, first, ..] if first & 1 == 0 => Part::ParameterSets,
            [0x00, ..] => Part::Key,
            _ => Part::Other,
        },
    }
}

async fn listen(channel: Arc<dyn DataChannel>, seen: Arc<Seen>) {
    while let Some(event) = channel.poll().await {
        match event {
            DataChannelEvent::OnOpen => {
                let label = channel.label().await.unwrap_or_default();
                lock(&seen.counter).report_mut().channels.push(label);
            }
            DataChannelEvent::OnMessage(message) => {
                let text = String::from_utf8_lossy(&message.data).into_owned();
                lock(&seen.texts).push(text);
            }
            _ => {}
        }
    }
}

async fn connection(
    seen: &Arc<Seen>,
    local: &'static str,
) -> Result<Box<dyn PeerConnection>, ForeignError> {
    let mut engine = MediaEngine::default();
    for (codec, payload_type, kind) in [
        (video_codec(seen.codec), VIDEO_PT, RtpCodecKind::Video),
        (opus(), OPUS_PT, RtpCodecKind::Audio),
    ] {
        let parameters = RTCRtpCodecParameters {
            rtp_codec: codec,
            payload_type,
        };
        engine.register_codec(parameters, kind)?;
    }
    let registry = register_default_interceptors(Registry::new(), &mut engine)?;
    let runtime = webrtc::runtime::default_runtime().ok_or(ForeignError::NoOffer)?;
    let building = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::new().build())
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_handler(Arc::new(Handler(Arc::clone(seen))))
        .with_runtime(runtime)
        .with_udp_addrs(vec![local])
        .build();
    Ok(Box::new(Box::pin(building).await?))
}

async fn negotiate(
    connection: &dyn PeerConnection,
    seen: &Seen,
    endpoint: &Endpoint,
) -> Result<Session, ForeignError> {
    let offer = connection.create_offer(None).await?;
    connection.set_local_description(offer).await?;
    let gathered = tokio::time::timeout(GATHER_WITHIN, seen.gathered.notified()).await;
    gathered.map_err(|_| ForeignError::NoOffer)?;
    let offer = connection
        .local_description()
        .await
        .ok_or(ForeignError::NoOffer)?;
    let (answer, session) = endpoint.offer(&offer.sdp).await?;
    lock(&seen.counter).report_mut().milestones.answer = Some(seen.since());
    let accepted = match RTCSessionDescription::answer(answer) {
        Ok(answer) => connection.set_remote_description(answer).await,
        Err(error) => Err(error),
    };
    if let Err(error) = accepted {
        // Nobody else knows of it any more.
        let _ = session.delete().await;
        return Err(error.into());
    }
    Ok(session)
}

/// webrtc-rs gathers on the addresses that it is told; on loopback it must be told that.
fn local_ip(endpoint: &Endpoint) -> &'static str {
    if endpoint.is_loopback() {
        "127.0.0.1:0"
    } else {
        "0.0.0.0:0"
    }
}

const VIDEO_SSRC: u32 = 0x7a11_0001;
const AUDIO_SSRC: u32 = 0x7a11_0002;

fn track(kind: RtpCodecKind, codec: RTCRtpCodec, ssrc: u32) -> Arc<TrackLocalStaticRTP> {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters {
            ssrc: Some(ssrc),
            ..Default::default()
        },
        codec,
        ..Default::default()
    };
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        "tallylight".to_owned(),
        format!("{kind}"),
        format!("{kind}"),
        kind,
        vec![encoding],
    )))
}

fn video_codec(codec: VideoCodec) -> RTCRtpCodec {
    let (mime_type, fmtp) = match codec {
        VideoCodec::H264 => (
            MIME_TYPE_H264,
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
        ),
        VideoCodec::Vp8 => (MIME_TYPE_VP8, ""),
    };
    let feedback = |kind: &str, parameter: &str| RTCPFeedback {
        typ: kind.to_owned(),
        parameter: parameter.to_owned(),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: 90_000,
        channels: 0,
        sdp_fmtp_line: fmtp.to_owned(),
        rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli")],
    }
}

fn opus() -> RTCRtpCodec {
    RTCRtpCodec {
        mime_type: MIME_TYPE_OPUS.to_owned(),
        clock_rate: 48_000,
        channels: 2,
        sdp_fmtp_line: "minptime=10;useinbandfec=1".to_owned(),
        rtcp_feedback: Vec::new(),
    }
}

/// Sends the source at its pace.
struct Pace {
    source: Source,
    video: Arc<TrackLocalStaticRTP>,
    audio: Arc<TrackLocalStaticRTP>,
    sent: Sent,
    report: Arc<Mutex<PublishReport>>,
}

impl Pace {
    async fn run(&self) {
        let mut frames = tokio::time::interval(FRAME);
        let mut audio = tokio::time::interval(AUDIO);
        let (mut frame, mut audio_packet) = (0u32, 0u32);
        let mut seq = 0u16;
        loop {
            tokio::select! {
                _ = frames.tick() => {
                    self.send_frame(frame, &mut seq).await;
                    frame = frame.wrapping_add(1);
                }
                _ = audio.tick() => {
                    self.send_audio(audio_packet).await;
                    audio_packet = audio_packet.wrapping_add(1);
                }
            }
        }
    }

    async fn send_frame(&self, number: u32, seq: &mut u16) {
        let Some(layer) = self.source.layers.last() else {
            return;
        };
        let at = usize::try_from(number).unwrap_or(0) % layer.frames.len().max(1);
        let Some(frame) = layer.frames.get(at) else {
            return;
        };
        if let Some(last) = frame.payloads.last() {
            let sent = SentFrame {
                at: clock::since_1970(),
                layer: self.source.layers.len() - 1,
                number: number.into(),
                is_key: frame.is_key,
            };
            self.sent.note(last, sent);
        }
        let count = frame.payloads.len();
        for (part, payload) in frame.payloads.iter().enumerate() {
            let header = rtc::rtp::Header {
                version: 2,
                marker: part + 1 == count,
                payload_type: VIDEO_PT,
                sequence_number: *seq,
                timestamp: number.wrapping_mul(FRAME_90KHZ),
                ssrc: VIDEO_SSRC,
                ..Default::default()
            };
            *seq = seq.wrapping_add(1);
            self.write(&self.video, header, payload).await;
        }
        let mut report = lock(&self.report);
        report.frames += 1;
        report.video_packets += count as u64;
    }

    async fn send_audio(&self, number: u32) {
        let at = usize::try_from(number).unwrap_or(0) % self.source.audio.len().max(1);
        let Some(payload) = self.source.audio.get(at) else {
            return;
        };
        let header = rtc::rtp::Header {
            version: 2,
            payload_type: OPUS_PT,
            sequence_number: u16::try_from(number & 0xffff).unwrap_or_default(),
            timestamp: number.wrapping_mul(AUDIO_48KHZ),
            ssrc: AUDIO_SSRC,
            ..Default::default()
        };
        self.write(&self.audio, header, payload).await;
        lock(&self.report).audio_packets += 1;
    }

    async fn write(&self, track: &TrackLocalStaticRTP, header: rtc::rtp::Header, payload: &[u8]) {
        let packet = rtc::rtp::Packet {
            header,
            payload: bytes::Bytes::copy_from_slice(payload),
        };
        // A connection that is over takes no more; its state tells.
        if track.write_rtp(packet).await.is_err() {
            lock(&self.report).closed = true;
        }
    }
}

/// What is behind a lock is counters: a panic elsewhere leaves them good enough.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequence_numbers_run_on_past_their_16_bits() {
        let mut newest = None;
        let mut seen = Vec::new();
        for seq in [65_534u16, 65_535, 1, 0, 2] {
            let seq = extended(seq, newest);
            newest = newest.max(Some(seq));
            seen.push(seq - 65_536);
        }
        assert_eq!(seen, [65_534, 65_535, 65_537, 65_536, 65_538]);
    }
}

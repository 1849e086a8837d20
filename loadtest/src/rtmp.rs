//! A publisher by RTMP that sends a clip in a loop, on `rml_rtmp`: our server shares no more with it
//! than the handshake.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rml_rtmp::handshake::{Handshake, HandshakeError, HandshakeProcessResult, PeerType};
use rml_rtmp::sessions::{
    ClientSession, ClientSessionConfig, ClientSessionError, ClientSessionEvent as Event,
    ClientSessionResult, PublishRequestType,
};
use rml_rtmp::time::RtmpTimestamp;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{sleep_until, timeout};

use crate::clip;
use crate::clock;
use crate::flv::{Tag, TagKind};
use crate::source::SourceError;

/// Where to publish: `rtmp://HOST[:PORT]/APP`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host and port.
    pub host: String,
    /// Application, which is `live` here.
    pub app: String,
}

/// What a publisher sends: 720p at 2.5 Mbit/s, and sound where it is wished.
#[derive(Debug, Clone)]
pub struct Clip {
    configuration: Arc<[Tag]>,
    media: Arc<[Tag]>,
    /// Whether times begin anew with every lap.
    restarts: bool,
}

/// What a publisher has done so far; others look at it while it goes on.
#[derive(Debug, Default)]
pub struct Progress {
    bytes: AtomicU64,
    latest_us: AtomicU64,
}

/// Why publishing ended before its time. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The server does not want this publisher.
    #[error("it was refused: {0}")]
    Refused(String),
    /// No answer came in time.
    #[error("the server did not answer within {} s", ANSWER_WITHIN.as_secs())]
    NoAnswer,
    /// The connection broke, or was closed by the server.
    #[error("the connection broke: {0}")]
    Broken(#[from] io::Error),
    /// What the server sent is no RTMP.
    #[error("the server sent what is no RTMP: {0}")]
    Handshake(#[from] HandshakeError),
    /// The same, after the handshake.
    #[error("the session failed: {0}")]
    Session(#[from] ClientSessionError),
}

/// A publisher that may send.
pub struct Publisher {
    socket: TcpStream,
    session: ClientSession,
    buffer: Box<[u8]>,
}

/// Longest wait from the first byte to the permission.
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
/// Bytes read at once; a server says little.
const BUFFER: usize = 4 * 1024;
/// As OBS and ffmpeg set it, or near it.
const CHUNK_BYTES: u32 = 4096;
/// A lap of the clip.
const LAP: Duration = Duration::from_secs(6);

impl Address {
    /// `None`: it is no address to publish to.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        let (host, app) = url.strip_prefix("rtmp://")?.split_once('/')?;
        let app = app.trim_end_matches('/');
        let has_port = host
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = match has_port {
            true => host.to_owned(),
            false => format!("{host}:1935"),
        };
        (!app.is_empty() && !host.starts_with(':')).then(|| Self {
            host,
            app: app.to_owned(),
        })
    }
}

impl Clip {
    /// Reads the clip from the cache folder, or makes it there first.
    ///
    /// # Errors
    /// When ffmpeg is missing or the cache folder cannot be used.
    pub fn load(with_audio: bool) -> Result<Self, SourceError> {
        let tags = clip::flv()?.into_iter();
        let wanted = tags.filter(|tag| with_audio || tag.kind == TagKind::Video);
        let (configuration, media): (Vec<_>, Vec<_>) = wanted.partition(Tag::is_configuration);
        Ok(Self {
            configuration: configuration.into(),
            media: media.into(),
            restarts: false,
        })
    }

    /// The same, whose sound is missing so long at the beginning.
    #[must_use]
    pub fn with_late_audio(mut self, by: Duration) -> Self {
        let is_late = |tag: &&Tag| {
            tag.kind == TagKind::Video || Duration::from_millis(tag.time_ms.into()) >= by
        };
        self.media = self.media.iter().filter(is_late).cloned().collect();
        self
    }

    /// The same, whose times begin anew with every lap, as when an encoder behind a relay is restarted.
    #[must_use]
    pub fn with_times_that_restart(mut self) -> Self {
        self.restarts = true;
        self
    }

    /// The tag of that number when the clip is sent in a loop, and when that is from the start.
    fn tag(&self, number: usize) -> Option<(&Tag, Duration)> {
        let lap = number.checked_div(self.media.len())?;
        let tag = self.media.get(number % self.media.len())?;
        let laps = LAP * u32::try_from(lap).ok()?;
        Some((tag, laps + Duration::from_millis(tag.time_ms.into())))
    }

    /// What a tag says of its time.
    fn told(&self, tag: &Tag, time: Duration) -> Duration {
        match self.restarts {
            true => Duration::from_millis(tag.time_ms.into()),
            false => time,
        }
    }
}

impl Progress {
    /// Bytes given to the kernel.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// How far behind its time the most belated tag since the last call was sent.
    pub fn take_latest(&self) -> Duration {
        Duration::from_micros(self.latest_us.swap(0, Relaxed))
    }

    fn sent(&self, bytes: usize, late: Duration) {
        self.bytes
            .fetch_add(u64::try_from(bytes).unwrap_or_default(), Relaxed);
        let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        self.latest_us.fetch_max(late, Relaxed);
    }
}

impl Publisher {
    /// Connects and asks for the permission to publish.
    ///
    /// # Errors
    /// When it is not given, in time or at all.
    pub async fn connect(address: &Address, key: &str) -> Result<Self, PublishError> {
        let connecting = Self::ask(address, key);
        let asked = timeout(ANSWER_WITHIN, connecting).await;
        asked.map_err(|_| PublishError::NoAnswer)?
    }

    async fn ask(address: &Address, key: &str) -> Result<Self, PublishError> {
        let mut socket = TcpStream::connect(&address.host).await?;
        socket.set_nodelay(true)?;
        let early = shake_hands(&mut socket).await?;
        let mut config = ClientSessionConfig::new();
        config.chunk_size = CHUNK_BYTES;
        config.tc_url = Some(format!("rtmp://{}/{}", address.host, address.app));
        let (session, first) = ClientSession::new(config)?;
        let mut publisher = Self {
            socket,
            session,
            buffer: vec![0; BUFFER].into(),
        };
        publisher.answer(first).await?;
        publisher.receive(&early).await?;
        let wish = publisher.session.request_connection(address.app.clone())?;
        publisher.answer(vec![wish]).await?;
        publisher.until(&Event::ConnectionRequestAccepted).await?;
        let (key, kind) = (key.to_owned(), PublishRequestType::Live);
        let wish = publisher.session.request_publishing(key, kind)?;
        publisher.answer(vec![wish]).await?;
        publisher.until(&Event::PublishRequestAccepted).await?;
        Ok(publisher)
    }

    /// Sends the clip, tag by tag at its time, until `ends`.
    ///
    /// # Errors
    /// When the server ends it before.
    pub async fn send(
        mut self,
        clip: &Clip,
        ends: Instant,
        progress: &Progress,
    ) -> Result<(), PublishError> {
        let starts = clock::now();
        for tag in clip.configuration.iter() {
            self.write(tag, Duration::ZERO, starts, progress).await?;
        }
        for (tag, time) in (0..).map_while(|number| clip.tag(number)) {
            let due = starts + time;
            if due >= ends {
                break;
            }
            self.listen_until(due).await?;
            let told = clip.told(tag, time);
            self.write(tag, told, due, progress).await?;
        }
        let farewell = self.session.stop_publishing()?;
        self.answer(farewell).await?;
        Ok(self.socket.shutdown().await?)
    }

    async fn write(
        &mut self,
        tag: &Tag,
        time: Duration,
        due: Instant,
        progress: &Progress,
    ) -> Result<(), PublishError> {
        // Wraps after 49 days, as RTMP's times do.
        let millis = u32::try_from(time.as_millis() & u128::from(u32::MAX)).unwrap_or_default();
        let (time, body) = (RtmpTimestamp::new(millis), tag.body.clone());
        let packet = match tag.kind {
            TagKind::Video => self.session.publish_video_data(body, time, false)?,
            TagKind::Audio => self.session.publish_audio_data(body, time, false)?,
        };
        if let ClientSessionResult::OutboundResponse(packet) = packet {
            self.socket.write_all(&packet.bytes).await?;
            let late = clock::now().saturating_duration_since(due);
            progress.sent(packet.bytes.len(), late);
        }
        Ok(())
    }

    /// Answers what the server says until then.
    async fn listen_until(&mut self, until: Instant) -> Result<(), PublishError> {
        loop {
            tokio::select! {
                // What is due goes out, however much the server says.
                biased;
                () = sleep_until(until.into()) => return Ok(()),
                heard = self.socket.read(&mut self.buffer) => {
                    let heard = self.heard(heard?)?;
                    self.receive(&heard).await?;
                }
            }
        }
    }

    /// Waits for that event.
    async fn until(&mut self, wanted: &Event) -> Result<(), PublishError> {
        loop {
            let heard = self.socket.read(&mut self.buffer).await?;
            let heard = self.heard(heard)?;
            if self.receive(&heard).await?.contains(wanted) {
                return Ok(());
            }
        }
    }

    fn heard(&self, length: usize) -> Result<Bytes, PublishError> {
        match self.buffer.get(..length) {
            Some(heard) if !heard.is_empty() => Ok(Bytes::copy_from_slice(heard)),
            _ => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }
    }

    /// Takes what came, and returns what it means. A refusal is an error.
    async fn receive(&mut self, bytes: &[u8]) -> Result<Vec<Event>, PublishError> {
        let results = self.session.handle_input(bytes)?;
        self.answer(results).await
    }

    async fn answer(
        &mut self,
        results: Vec<ClientSessionResult>,
    ) -> Result<Vec<Event>, PublishError> {
        let mut events = Vec::new();
        for result in results {
            match result {
                ClientSessionResult::OutboundResponse(packet) => {
                    self.socket.write_all(&packet.bytes).await?;
                }
                ClientSessionResult::RaisedEvent(event) => events.push(refused(event)?),
                ClientSessionResult::UnhandleableMessageReceived(_) => {}
            }
        }
        Ok(events)
    }
}

fn refused(event: Event) -> Result<Event, PublishError> {
    match event {
        Event::ConnectionRequestRejected { description } => Err(PublishError::Refused(description)),
        Event::UnhandleableOnStatusCode { code } if is_refusal(&code) => {
            Err(PublishError::Refused(code))
        }
        event => Ok(event),
    }
}

fn is_refusal(code: &str) -> bool {
    ["BadName", "Unauthorized", "Denied", "Failed", "Rejected"]
        .iter()
        .any(|word| code.contains(word))
}

/// What came behind the handshake.
async fn shake_hands(socket: &mut TcpStream) -> Result<Vec<u8>, PublishError> {
    let mut handshake = Handshake::new(PeerType::Client);
    let first = handshake.generate_outbound_p0_and_p1()?;
    socket.write_all(&first).await?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = socket.read(&mut buffer).await?;
        if length == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
        let heard = buffer.get(..length).unwrap_or_default();
        match handshake.process_bytes(heard)? {
            HandshakeProcessResult::InProgress { response_bytes } => {
                socket.write_all(&response_bytes).await?;
            }
            HandshakeProcessResult::Completed {
                response_bytes,
                remaining_bytes,
            } => {
                socket.write_all(&response_bytes).await?;
                return Ok(remaining_bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_host_and_an_application() {
        let address = |url: &str| Address::parse(url).map(|a| (a.host, a.app));
        let expected = |host: &str, app: &str| Some((host.to_owned(), app.to_owned()));
        assert_eq!(address("rtmp://a/live"), expected("a:1935", "live"));
        assert_eq!(address("rtmp://a:19/live/"), expected("a:19", "live"));
        assert_eq!(address("rtmp://[::1]/live"), expected("[::1]:1935", "live"));
        for wrong in ["rtmp://a", "rtmp://a/", "rtmps://a/live", "rtmp:///live"] {
            assert_eq!(address(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_loop_goes_on_in_time() {
        let tag = |time_ms| Tag {
            kind: TagKind::Video,
            time_ms,
            body: Bytes::from_static(b"\x17\x01"),
        };
        let clip = Clip {
            configuration: Arc::new([]),
            media: Arc::new([tag(0), tag(33)]),
            restarts: false,
        };
        let times: Vec<u128> = (0..5)
            .map(|number| clip.tag(number).unwrap().1.as_millis())
            .collect();
        assert_eq!(times, [0, 33, 6_000, 6_033, 12_000]);
        let empty = Clip {
            media: Arc::new([]),
            ..clip
        };
        assert!(empty.tag(0).is_none());
    }
}

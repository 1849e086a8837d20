//! A stream from one node to another, over loopback: origin, edge, a tap and a viewer at the edge.

#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sfu::{
    CloseReason, Config, Event, Ingest, IngestTracks, IngestVideo, Picture, Role, SessionId, Sfu,
    StreamId, Tap, TapCodec, Tapped, Track,
};
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};
use str0m::net::{Protocol, Receive};
use str0m::{Candidate, Input, Output, RtcConfig};
use tokio::sync::mpsc;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);
const PICTURE: Duration = Duration::from_millis(20);
/// 640x360, by x264.
const SPS: &[u8] = &[
    0x67, 0x42, 0xc0, 0x1e, 0xd9, 0x00, 0xa0, 0x2f, 0xf9, 0x70, 0x11, 0x00, 0x00, 0x03, 0x00, 0x01,
    0x00, 0x00, 0x03, 0x00, 0x3c, 0x0f, 0x16, 0x2e, 0x48,
];
const PPS: &[u8] = &[0x68, 0xcb, 0x83, 0xcb, 0x20];

/// A node, and what happened on it.
struct Node {
    sfu: Sfu,
    events: mpsc::Receiver<Event>,
}

impl Node {
    fn start() -> Self {
        let config = Config {
            bind: IpAddr::V4(Ipv4Addr::LOCALHOST),
            port: 0,
            shards: 2,
            ..Config::default()
        };
        let (sfu, events) = Sfu::start(config).expect("it starts");
        Self { sfu, events }
    }

    /// Waits for an event.
    async fn until(&mut self, is_it: impl Fn(&Event) -> bool) {
        let wait = async {
            loop {
                let event = self.events.recv().await.expect("it runs");
                if is_it(&event) {
                    return;
                }
            }
        };
        timeout(PATIENCE, wait).await.expect("it happens");
    }
}

/// Lets the edge pull the stream, as HTTP would.
async fn pull(edge: &Node, origin: &Node, stream: StreamId) -> SessionId {
    let pull = edge.sfu.pull(stream).await.expect("there is room");
    let answer = origin.sfu.relay(stream, &pull.offer).await;
    let answer = answer.expect("it is live");
    let pulled = edge.sfu.pulled(pull.session, &answer.sdp).await;
    pulled.expect("it answers the offer");
    pull.session
}

/// Hands pictures over for as long as it lives, a key frame every second.
struct Feeder {
    stops: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Feeder {
    fn start(ingest: Ingest) -> Self {
        let stops = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stops);
        let feed = move || {
            let mut number = 0u32;
            while !told.load(Ordering::Relaxed) {
                let at = now().duration_since(ingest.zero());
                let keyframe = number.is_multiple_of(50);
                ingest.push_video(Picture {
                    dts: at,
                    pts: at,
                    keyframe,
                    reordered: false,
                    bytes: picture(keyframe, number),
                });
                ingest.push_opus(at, Bytes::from_static(&[0xfc; 80]));
                number += 1;
                std::thread::park_timeout(PICTURE);
            }
        };
        Self {
            stops,
            thread: Some(std::thread::spawn(feed)),
        }
    }
}

impl Drop for Feeder {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "real sockets have real time")]
fn now() -> Instant {
    Instant::now()
}

fn picture(keyframe: bool, number: u32) -> Bytes {
    let mut bytes = Vec::new();
    let mut unit = |unit: &[u8]| {
        bytes.extend([0, 0, 0, 1]);
        bytes.extend_from_slice(unit);
    };
    if keyframe {
        unit(SPS);
        unit(PPS);
    }
    let mut slice = vec![if keyframe { 0x65 } else { 0x41 }];
    slice.resize(if keyframe { 9_000 } else { 2_500 }, 0xee);
    slice.extend(number.to_be_bytes().map(|byte| byte | 0x80));
    unit(&slice);
    bytes.into()
}

async fn ingested(node: &Node, stream: StreamId) -> Feeder {
    let tracks = IngestTracks {
        video: Some(IngestVideo {
            codec: TapCodec::H264,
            reordered: false,
            patience: Duration::ZERO,
        }),
        audio: Some(TapCodec::Opus),
    };
    let ingest = node.sfu.ingest(stream, tracks).await;
    Feeder::start(ingest.expect("there is room"))
}

/// Waits for pictures, from a key frame on, and sound of a tap.
async fn listen(tap: &mut Tap) {
    let (mut pictures, mut sounds, mut has_begun) = (0, 0, false);
    let wait = async {
        while pictures < 25 || sounds < 25 {
            match tap.next().await.expect("it is not over") {
                Tapped::Unit(unit) if unit.track == Track::Audio => sounds += 1,
                Tapped::Unit(unit) => {
                    has_begun |= unit.keyframe;
                    pictures += u32::from(has_begun);
                }
                Tapped::Tracks(tracks) => assert!(
                    tracks
                        .iter()
                        .all(|t| matches!(t.codec, TapCodec::H264 | TapCodec::Opus))
                ),
            }
        }
    };
    timeout(PATIENCE, wait).await.expect("media come");
}

/// What a viewer got of pictures.
#[derive(Default)]
struct Seen {
    packets: AtomicU64,
    /// Extended sequence numbers.
    numbers: Mutex<Vec<u64>>,
}

/// A viewer on a thread of its own, until the returned flag is set.
async fn view(node: &Node, stream: StreamId, seen: Arc<Seen>, stops: Arc<AtomicBool>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let address = socket.local_addr().expect("an address");
    let mut rtc = RtcConfig::new().set_rtp_mode(true).build(now());
    rtc.add_local_candidate(Candidate::host(address, "udp").expect("a candidate"));
    let mut change = rtc.sdp_api();
    change.add_media(MediaKind::Audio, Direction::RecvOnly, None, None, None);
    let video = change.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None);
    let (offer, pending) = change.apply().expect("an offer");
    let answer = node.sfu.view(stream, &offer.to_sdp_string()).await;
    let answer = answer.expect("it is live");
    let answer = SdpAnswer::from_sdp_string(&answer.sdp).expect("an answer");
    rtc.sdp_api()
        .accept_answer(pending, answer)
        .expect("it fits");
    std::thread::spawn(move || {
        let mut buffer = vec![0; 2_000];
        while !stops.load(Ordering::Relaxed) && rtc.is_alive() {
            let wait = match rtc.poll_output().expect("it goes on") {
                Output::Timeout(at) => at.saturating_duration_since(now()),
                Output::Transmit(transmit) => {
                    let _ = socket.send_to(&transmit.contents, transmit.destination);
                    continue;
                }
                Output::Event(str0m::Event::RtpPacket(packet)) => {
                    let mut direct = rtc.direct_api();
                    let stream = direct.stream_rx(&packet.header.ssrc);
                    if stream.is_some_and(|stream| stream.mid() == video) {
                        seen.packets.fetch_add(1, Ordering::Relaxed);
                        seen.numbers.lock().expect("alone").push(*packet.seq_no);
                    }
                    continue;
                }
                Output::Event(_) => continue,
            };
            let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(50));
            socket.set_read_timeout(Some(wait)).expect("a limit");
            let input = match socket.recv_from(&mut buffer) {
                Ok((length, source)) => {
                    let contents = buffer.get(..length).unwrap_or_default();
                    match Receive::new(Protocol::Udp, source, address, contents) {
                        Ok(receive) => Input::Receive(now(), receive),
                        Err(_) => continue,
                    }
                }
                Err(_) => Input::Timeout(now()),
            };
            rtc.handle_input(input).expect("it goes on");
        }
    });
}

/// Waits until a viewer got more packets.
async fn gets_more(seen: &Seen) {
    let wanted = seen.packets.load(Ordering::Relaxed) + 100;
    let wait = async {
        while seen.packets.load(Ordering::Relaxed) < wanted {
            tokio::task::yield_now().await;
            std::thread::park_timeout(Duration::from_millis(5));
        }
    };
    timeout(PATIENCE, wait).await.expect("packets come");
}

fn is_connected(event: &Event, session: SessionId) -> bool {
    matches!(event, Event::Connected { session: of, role: Role::Publisher, .. } if *of == session)
}

fn has_relay(event: &Event) -> bool {
    matches!(
        event,
        Event::Connected {
            role: Role::Relay,
            ..
        }
    )
}

#[tokio::test]
async fn edge_serves_two_streams_of_one_origin_and_pulls_again_without_a_break() {
    let (mut origin, mut edge) = (Node::start(), Node::start());
    let (first, second) = (StreamId::from(1), StreamId::from(2));
    let _feeders = [
        ingested(&origin, first).await,
        ingested(&origin, second).await,
    ];
    let mut taps = Vec::new();
    let mut pulls = Vec::new();
    for stream in [first, second] {
        let session = pull(&edge, &origin, stream).await;
        edge.until(|event| is_connected(event, session)).await;
        origin.until(has_relay).await;
        taps.push(edge.sfu.tap(stream).await.expect("it is known"));
        pulls.push(session);
    }
    for tap in &mut taps {
        listen(tap).await;
    }
    let (seen, stops) = (Arc::<Seen>::default(), Arc::<AtomicBool>::default());
    view(&edge, first, Arc::clone(&seen), Arc::clone(&stops)).await;
    gets_more(&seen).await;
    assert_eq!(origin.sfu.totals().relays, 2);
    assert_eq!(origin.sfu.totals().viewers, 0);

    // The pull is lost, and there is another: a session that is new there and here.
    let lost = pulls.remove(0);
    assert!(edge.sfu.close(lost, CloseReason::Requested).await);
    edge.until(|event| matches!(event, Event::Closed { session, .. } if *session == lost))
        .await;
    let again = pull(&edge, &origin, first).await;
    edge.until(|event| is_connected(event, again)).await;
    gets_more(&seen).await;
    listen(&mut taps[0]).await;
    stops.store(true, Ordering::Relaxed);
    let mut numbers = seen.numbers.lock().expect("alone").clone();
    numbers.sort_unstable();
    let (least, most) = (numbers.first(), numbers.last());
    let span = most.zip(least).map(|(most, least)| most - least + 1);
    assert_eq!(span, Some(numbers.len() as u64), "no number is missing");

    origin.sfu.shutdown().await;
    edge.sfu.shutdown().await;
}

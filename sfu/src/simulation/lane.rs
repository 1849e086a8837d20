//! The lane to a viewer, from the other end: repair, reports, numbers that go round, another address,
//! forged reports, a viewer that tells little.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use str0m::ice::{StunMessage, TransId};
use str0m_netem::{Bitrate, DataSize};

use super::player::Told;
use super::*;
use crate::session::Kind;
use crate::shard::Receipt;

const SECOND: Duration = Duration::from_secs(1);
const VISIBLE: Duration = Duration::from_millis(200);

/// What went to one viewer, by the SSRCs of the answer.
#[derive(Debug, Default)]
struct Wire {
    video: u32,
    repair: u32,
    /// Media packets of video, and those of them that are lost.
    sent: usize,
    lost: usize,
    /// Retransmissions, and packets of padding.
    repaired: usize,
    padded: usize,
    /// Sealed packets by SSRC and number, and how often each came.
    numbers: HashMap<(u32, u16), usize>,
    reports: Vec<Vec<u8>>,
    loses: bool,
}

impl Wire {
    /// Looks at a datagram; loses every 33rd packet of video.
    fn take(&mut self, datagram: &[u8]) -> bool {
        if crate::lane::is_rtcp(datagram) {
            self.reports.push(datagram.to_vec());
            return false;
        }
        if !matches!(datagram, [128..=191, ..]) {
            return false;
        }
        let ssrc = u32::from_be_bytes(datagram[8..12].try_into().expect("four bytes"));
        let number = u16::from_be_bytes(datagram[2..4].try_into().expect("two bytes"));
        *self.numbers.entry((ssrc, number)).or_default() += 1;
        if ssrc == self.repair {
            let is_padding = datagram[0] & 0x20 != 0;
            self.padded += usize::from(is_padding);
            self.repaired += usize::from(!is_padding);
        }
        if ssrc != self.video {
            return false;
        }
        self.sent += 1;
        let is_lost = self.loses && self.sent.is_multiple_of(33);
        self.lost += usize::from(is_lost);
        is_lost
    }
}

/// Watches, and where told to loses, what goes to the newest viewer.
fn watched(world: &mut World, viewer: usize, loses: bool) -> Rc<RefCell<Wire>> {
    let line = |start: &str| {
        let line = world.answer.lines().find_map(|l| l.strip_prefix(start));
        line.expect("the answer has it").to_owned()
    };
    let group = line("a=ssrc-group:FID ");
    let mut ssrcs = group.split(' ').map(|s| s.parse().expect("an SSRC"));
    let wire = Rc::new(RefCell::new(Wire {
        video: ssrcs.next().expect("video"),
        repair: ssrcs.next().expect("repair"),
        loses,
        ..Wire::default()
    }));
    let seen = Rc::clone(&wire);
    world.watch(
        viewer,
        Box::new(move |datagram| seen.borrow_mut().take(datagram)),
    );
    wire
}

fn published(spec: &EncoderSpec) -> (World, StreamId) {
    let mut world = World::new();
    let stream = StreamId::from(1);
    world.publish(stream, spec, PERFECT());
    world.run(SECOND * 2);
    (world, stream)
}

fn single(codec: Codec) -> EncoderSpec {
    EncoderSpec {
        codec,
        layers: vec![(None, 1_200_000)],
        ..EncoderSpec::single(SECOND * 2, true)
    }
}

fn viewer(world: &mut World, stream: StreamId, codec: Codec) -> usize {
    let viewer = world.view_as(stream, codec, PERFECT(), |offer| offer, |_| {});
    world.player_mut(viewer).keeps_packets = true;
    viewer
}

/// Layer, frame and part of each payload of video that came, with the payload and, of VP8, the picture
/// id cut out of it.
fn payloads(player: &Player, codec: Codec) -> BTreeMap<(u8, u32, u16), (Vec<u8>, u16)> {
    let taken_apart = player.packets.iter().filter_map(|(_, payload)| {
        let mark = Mark::read(payload)?;
        let mut payload = payload.clone();
        let mut picture = 0;
        if codec == Codec::Vp8 {
            picture = u16::from_be_bytes([payload[2] & 0x7f, payload[3]]);
            payload.drain(2..4);
        }
        Some(((mark.layer, mark.frame, mark.part), (payload, picture)))
    });
    taken_apart.collect()
}

#[test]
fn what_is_lost_comes_again_once_and_is_the_same() {
    for codec in [Codec::H264, Codec::Vp8] {
        let (mut world, stream) = published(&single(codec));
        let whole = viewer(&mut world, stream, codec);
        let lossy = viewer(&mut world, stream, codec);
        let wire = watched(&mut world, lossy, true);
        world.run(SECOND * 12);
        wire.borrow_mut().loses = false;
        world.run(SECOND);
        let wire = wire.borrow();
        assert!(wire.lost > 30, "{codec:?}: {} lost", wire.lost);
        assert_eq!(wire.repaired, wire.lost, "{codec:?}");
        let player = world.player(lossy);
        let mut numbers: Vec<u64> = player.packets.iter().map(|(seq, _)| *seq).collect();
        assert_eq!(numbers.len(), wire.sent, "each came once");
        numbers.sort_unstable();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        assert_eq!(player.requests, 0);
        assert_eq!(player.frozen(world.elapsed(), VISIBLE), Duration::ZERO);

        let right = payloads(world.player(whole), codec);
        let came = payloads(player, codec);
        assert_eq!(came.keys().last(), right.keys().last());
        for (mark, (payload, _)) in &came {
            let (right, _) = right.get(mark).expect("the other has it");
            assert_eq!(payload, right, "{codec:?}: {mark:?}");
        }
        let mut pictures: Vec<(u32, u16)> = came
            .iter()
            .map(|((_, frame, _), (_, id))| (*frame, *id))
            .collect();
        pictures.dedup();
        let follows = |pair: &[(u32, u16)]| {
            codec != Codec::Vp8 || pair[1].1 == (pair[0].1 + 1) & 0x7fff && pair[1].0 > pair[0].0
        };
        assert!(pictures.windows(2).all(follows), "{pictures:?}");
    }
}

#[test]
fn reports_of_sound_and_picture_agree_and_count_right() {
    let spec = EncoderSpec {
        video_delay: Duration::from_millis(70),
        ..single(Codec::H264)
    };
    let (mut world, stream) = published(&spec);
    let viewer = viewer(&mut world, stream, Codec::H264);
    world.run(SECOND * 12);
    let told = &world.player(viewer).told;
    let of = |is_video| told.iter().filter(move |told| told.is_video == is_video);
    assert!(of(true).count() >= 8 && of(false).count() >= 8, "{told:?}");
    for report in told {
        assert_eq!(report.told, report.came, "{report:?}");
    }
    // Once the replay at the join is over, which is shown later than it was filmed.
    let settled = |told: &&Told| told.at > SECOND * 5;
    let clock = |told: &Told| told.clock.expect("a mark");
    let clocks = || of(true).chain(of(false)).filter(settled).map(clock);
    let apart = clocks().max().expect("reports") - clocks().min().expect("reports");
    assert!(apart < 5_000, "{apart} µs apart");
}

#[test]
fn numbers_go_round_and_nobody_notices() {
    for loses in [false, true] {
        let (mut world, stream) = published(&single(Codec::H264));
        let prepare = |session: &mut Session| match &mut session.kind {
            Kind::Viewer(viewer) => viewer.begin_video_at(65_300),
            Kind::Publisher(_) | Kind::Relay(_) => panic!("a viewer"),
        };
        let viewer = world.view_as(stream, Codec::H264, PERFECT(), |offer| offer, prepare);
        let wire = watched(&mut world, viewer, loses);
        world.run(SECOND * 5);
        wire.borrow_mut().loses = false;
        world.run(SECOND);
        let player = world.player(viewer);
        let mut numbers = player.sequence.clone();
        numbers.sort_unstable();
        assert!(numbers[0] <= 65_300 && numbers[numbers.len() - 1] > 65_700);
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1));
        assert_eq!(player.requests, 0);
        assert_eq!(player.frozen(world.elapsed(), VISIBLE), Duration::ZERO);
        let wire = wire.borrow();
        assert_eq!(wire.repaired >= 10, loses, "{} repaired", wire.repaired);
    }
}

/// The STUN requests that a viewer sends from now on.
fn checks_of(world: &mut World, viewer: usize) -> Rc<RefCell<Vec<Vec<u8>>>> {
    let checks = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&checks);
    let watch = move |datagram: &[u8]| {
        if let [0, 1, ..] = datagram {
            seen.borrow_mut().push(datagram.to_vec());
        }
        false
    };
    world.watch_up(viewer, Box::new(watch));
    checks
}

#[test]
fn viewer_whose_address_changes_gets_media_there_at_once() {
    let (mut world, stream) = published(&EncoderSpec::simulcast());
    let viewer = viewer(&mut world, stream, Codec::H264);
    let checks = checks_of(&mut world, viewer);
    world.run(SECOND * 3);
    for port in [5_555, 6_666] {
        world.rebind(viewer, ([203, 0, 113, 77], port).into());
        let before = checks.borrow().len();
        // The next check of the viewer's own: the same ufrag, USE-CANDIDATE, as important as before.
        while checks.borrow().len() == before {
            world.run(Duration::from_millis(5));
        }
        let checked = world.elapsed();
        world.run(SECOND * 3);
        let player = world.player(viewer);
        let sound = player.audio.iter().find(|at| **at > checked);
        let sound = *sound.expect("it goes on") - checked;
        assert!(sound < Duration::from_millis(50), "{port}: {sound:?}");
        // What was lost before is no more to be had: a key frame is asked for.
        let shown: Vec<_> = player.shown_between(checked, world.elapsed()).collect();
        assert!(shown.len() > 60, "{port}: {} frames", shown.len());
    }
}

/// As a telephone that leaves a wireless network: the other way was known, and no good.
#[test]
fn viewer_that_turns_to_a_way_of_less_priority_gets_media_there_at_once_and_back() {
    let (mut world, stream) = published(&single(Codec::H264));
    let viewer = viewer(&mut world, stream, Codec::H264);
    let checks = checks_of(&mut world, viewer);
    let home = world.peer_address(viewer);
    let (username, password) = world.credentials();
    let away: SocketAddr = ([203, 0, 113, 77], 5_555).into();
    world.run(SECOND * 2);
    let check = StunMessage::binding_request(&username, TransId::new(), true, 7, 1_000, false);
    let mut bytes = vec![0; 500];
    let hmac = str0m::crypto::from_feature_flags().sha1_hmac_provider;
    let sign = |key: &[u8], parts: &[&[u8]]| hmac.sha1_hmac(key, parts);
    let length = check.to_bytes(Some(password.as_bytes()), &mut bytes, sign);
    bytes.truncate(length.expect("it is short"));
    assert_eq!(world.inject(away, &bytes), Receipt::Taken);
    world.run(SECOND * 2);
    for address in [away, home, away] {
        world.rebind(viewer, address);
        let before = checks.borrow().len();
        while checks.borrow().len() == before {
            world.run(Duration::from_millis(5));
        }
        let checked = world.elapsed();
        world.run(SECOND * 3);
        let player = world.player(viewer);
        let sound = player.audio.iter().find(|at| **at > checked);
        let sound = *sound.expect("it goes on") - checked;
        assert!(sound < Duration::from_millis(50), "{address}: {sound:?}");
        let shown = player.shown_between(checked, world.elapsed()).count();
        assert!(shown > 60, "{address}: {shown} frames");
    }
}

/// Of one layer, whose arrivals are not asked for, so that its silence tells less.
#[test]
fn viewer_of_one_layer_whose_address_changes_gets_media_there_within_seconds() {
    let (mut world, stream) = published(&single(Codec::H264));
    let viewer = viewer(&mut world, stream, Codec::H264);
    world.run(SECOND * 3);
    world.rebind(viewer, ([203, 0, 113, 77], 5_555).into());
    let moved = world.elapsed();
    world.run(SECOND * 7);
    let player = world.player(viewer);
    let sound = player.audio.iter().find(|at| **at > moved + SECOND / 10);
    let sound = *sound.expect("it goes on") - moved;
    assert!(sound < SECOND * 2, "{sound:?}");
    let shown = player.shown_between(moved + SECOND * 3, world.elapsed());
    assert!(shown.count() > 105);
}

#[test]
fn check_that_is_replayed_from_elsewhere_moves_nobody() {
    for spec in [single(Codec::H264), EncoderSpec::simulcast()] {
        check_is_replayed(&spec);
    }
}

fn check_is_replayed(spec: &EncoderSpec) {
    let (mut world, stream) = published(spec);
    let viewer = viewer(&mut world, stream, Codec::H264);
    let checks = checks_of(&mut world, viewer);
    world.run(SECOND * 4);
    let thief: SocketAddr = ([203, 0, 113, 66], 6_666).into();
    let at = world.elapsed();
    for _ in 0..20 {
        let check = checks.borrow().last().cloned().expect("it checks");
        world.inject(thief, &check);
        world.run(Duration::from_millis(100));
    }
    // Answers to the checks, and no media.
    assert!(world.stray.iter().all(|(_, bytes)| bytes[0] < 4));
    let shown = world.player(viewer).shown_between(at, world.elapsed());
    assert!(shown.count() > 55);
}

#[test]
fn reports_that_are_replayed_or_forged_disturb_nobody() {
    let (mut world, stream) = published(&EncoderSpec::simulcast());
    let viewer = viewer(&mut world, stream, Codec::H264);
    let wire = watched(&mut world, viewer, true);
    let reports = Rc::new(RefCell::new(Vec::new()));
    let seen = Rc::clone(&reports);
    world.watch_up(
        viewer,
        Box::new(move |datagram| {
            if crate::lane::is_rtcp(datagram) {
                seen.borrow_mut().push(datagram.to_vec());
            }
            false
        }),
    );
    let other = world.view(stream, PERFECT());
    world.run(SECOND * 4);
    let (ours, theirs) = (world.peer_address(viewer), world.peer_address(other));
    let reports = reports.borrow().clone();
    assert!(reports.len() > 30, "{} reports", reports.len());
    wire.borrow_mut().loses = false;
    world.run(SECOND / 5);
    let repaired = wire.borrow().repaired;
    for report in &reports {
        assert_eq!(world.inject(ours, report), Receipt::Dropped, "again");
        assert_eq!(world.inject(theirs, report), Receipt::Dropped, "of another");
        for at in [0, 1, 4, 8, report.len() / 2, report.len() - 1] {
            let mut forged = report.clone();
            forged[at] ^= 0x04;
            assert_eq!(world.inject(ours, &forged), Receipt::Dropped, "forged");
        }
    }
    assert_eq!(wire.borrow().repaired, repaired);
    let from = world.elapsed();
    world.run(SECOND * 2);
    for viewer in [viewer, other] {
        let player = world.player(viewer);
        assert!(player.shown_between(from, world.elapsed()).count() > 55);
        assert_eq!(player.frozen(world.elapsed(), VISIBLE), Duration::ZERO);
    }
}

#[test]
fn no_number_is_sealed_twice_and_no_two_viewers_share_a_stream() {
    let (mut world, stream) = published(&EncoderSpec::simulcast());
    let mut wires = Vec::new();
    for _ in 0..2 {
        let link = PERFECT().link(Bitrate::kbps(3_000), DataSize::kbytes(100));
        let viewer = world.view(stream, link);
        wires.push((viewer, watched(&mut world, viewer, true)));
        world.run(SECOND);
    }
    world.run(SECOND * 8);
    // Other layers, replays and probes.
    world.set_down_link(
        wires[0].0,
        PERFECT().link(Bitrate::kbps(400), DataSize::kbytes(20)),
    );
    world.run(SECOND * 6);
    world.set_down_link(wires[0].0, PERFECT());
    world.run(SECOND * 8);
    let mut streams = HashSet::new();
    let mut sealed = HashSet::new();
    for (_, wire) in &wires {
        let wire = wire.borrow();
        assert!(wire.repaired > 20 && wire.numbers.len() > 2_000);
        let twice = wire.numbers.iter().find(|(_, count)| **count > 1);
        assert_eq!(twice, None);
        let ssrcs: HashSet<u32> = wire.numbers.keys().map(|(ssrc, _)| *ssrc).collect();
        assert_eq!(ssrcs.len(), 3, "sound, picture, repair");
        assert!(ssrcs.iter().all(|ssrc| streams.insert(*ssrc)));
        // The index of a report ends it.
        for report in &wire.reports {
            let index = report[report.len() - 4..].to_vec();
            let sender = report[4..8].to_vec();
            assert!(sealed.insert((sender, index)), "an index of a report twice");
        }
    }
    assert!(wires[0].1.borrow().padded > 0, "it was probed");
}

fn without_transport_cc(offer: String) -> String {
    let lines = offer
        .lines()
        .filter(|line| !(line.contains("transport-wide-cc") || line.contains("transport-cc")));
    let kept: Vec<&str> = lines.collect();
    assert!(kept.len() < offer.lines().count());
    kept.join("\r\n") + "\r\n"
}

#[test]
fn viewer_that_does_not_tell_of_arrivals_gets_media_and_repair() {
    let (mut world, stream) = published(&single(Codec::H264));
    let (codec, down) = (Codec::H264, PERFECT());
    let viewer = world.view_as(stream, codec, down, without_transport_cc, |_| {});
    let wire = watched(&mut world, viewer, true);
    world.run(SECOND * 10);
    let wire = wire.borrow();
    assert!(wire.lost > 25, "{} lost", wire.lost);
    assert!(wire.repaired.abs_diff(wire.lost) <= 3);
    assert_eq!(wire.padded, 0);
    let player = world.player(viewer);
    assert_eq!(player.requests, 0);
    assert_eq!(player.frozen(world.elapsed(), VISIBLE), Duration::ZERO);
    assert!(player.shown.len() > 280, "{} frames", player.shown.len());
}

#[test]
fn viewer_that_does_not_tell_of_arrivals_gets_a_layer_by_loss() {
    let (mut world, stream) = published(&EncoderSpec::simulcast());
    let narrow = PERFECT().link(Bitrate::kbps(900), DataSize::kbytes(20));
    let viewer = world.view_as(stream, Codec::H264, narrow, without_transport_cc, |_| {});
    world.run(SECOND * 12);
    let late = world.elapsed();
    world.run(SECOND * 8);
    let player = world.player(viewer);
    assert_ne!(player.layer(), Some(2), "1.8 Mbit/s do not fit");
    let shown = player.shown_between(late, world.elapsed()).count();
    assert!(shown > 200, "{shown} frames in 8 s");
}

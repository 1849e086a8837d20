//! Whatever order heartbeats, joins and departures come in.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Act {
    Join(u8),
    Leave(u8),
    Beat {
        viewer: u8,
        session: Option<u8>,
        transport: u8,
        is_leaving: bool,
    },
    Read(u8),
    Pass(i32),
    Tell,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..6_u8).prop_map(Act::Join),
        (0..6_u8).prop_map(Act::Leave),
        (
            0..4_u8,
            proptest::option::of(0..6_u8),
            0..3_u8,
            proptest::bool::weighted(0.2)
        )
            .prop_map(|(viewer, session, transport, is_leaving)| Act::Beat {
                viewer,
                session,
                transport,
                is_leaving,
            }),
        (0..5_u8).prop_map(Act::Read),
        (-1_000..60_000_i32).prop_map(Act::Pass),
        Just(Act::Tell),
    ]
}

fn who() -> Who {
    Who {
        account: None,
        address: [192, 0, 2, 1].into(),
        agent: "".into(),
        is_owner: false,
    }
}

fn viewer(number: u8) -> ViewerId {
    ViewerId::read(&format!("viewer-{number:020}")).unwrap()
}

fn session(ids: &mut HashMap<u8, SessionId>, number: u8) -> SessionId {
    *ids.entry(number).or_insert_with(SessionId::random)
}

fn transport(number: u8) -> Transport {
    [Transport::Webrtc, Transport::LlHls, Transport::Hls][usize::from(number)]
}

fn beat(number: u8, by: Transport, session: Option<SessionId>) -> Beat {
    Beat {
        viewer: viewer(number),
        who: who(),
        transport: by,
        session,
        is_leaving: false,
    }
}

proptest! {
    #[test]
    fn nobody_counts_twice_and_nothing_shrinks(acts in proptest::collection::vec(act(), 0..120)) {
        let (mut presence, mut ids) = (Presence::default(), HashMap::new());
        let (mut now_ms, mut began_ms, mut latest_ms) = (1_000_000_i64, 1_000_000, 1_000_000);
        let mut connected = HashSet::new();
        let mut beating = HashSet::new();
        let mut watched: HashMap<Uuid, i64> = HashMap::new();
        let mut peak = 0;
        for act in acts {
            match act {
                Act::Join(number) => {
                    presence.joined(session(&mut ids, number), who(), now_ms);
                    connected.insert(number);
                }
                Act::Leave(number) => {
                    presence.left(session(&mut ids, number), now_ms);
                    connected.remove(&number);
                    // A session's id is used once.
                    ids.remove(&number);
                }
                Act::Beat { viewer: number, session: named, transport: by, is_leaving } => {
                    let named = named.map(|named| session(&mut ids, named));
                    let told = Beat { is_leaving, ..beat(number, transport(by), named) };
                    presence.beat(told, now_ms);
                    beating.insert(number);
                }
                Act::Read(readers) => presence.read(u32::from(readers)),
                Act::Pass(by) => {
                    now_ms += i64::from(by);
                    began_ms = now_ms.min(began_ms);
                    latest_ms = now_ms.max(latest_ms);
                    presence.pass(now_ms);
                }
                Act::Tell => {
                    let changes = presence.changes(now_ms, false);
                    prop_assert!(changes.watched_ms.webrtc >= 0);
                    prop_assert!(changes.watched_ms.ll_hls >= 0 && changes.watched_ms.hls >= 0);
                    for watching in changes.watchings {
                        let before = watched.insert(watching.id, watching.watch_ms);
                        prop_assert!(watching.watch_ms >= before.unwrap_or(0));
                        prop_assert!(watching.watch_ms <= latest_ms - began_ms);
                        prop_assert!(watching.started_ms <= watching.last_seen_ms);
                    }
                }
            }
            let count = presence.count(now_ms);
            prop_assert!(count.webrtc >= 0 && count.ll_hls >= 0 && count.hls >= 0);
            // No more than all signs there are, and no fewer than the sessions' and viewers' larger.
            let most = connected.len() + beating.len() + 5;
            prop_assert!(count.all() <= i64::try_from(most).unwrap());
            prop_assert!(presence.peak() >= peak);
            peak = presence.peak();
        }
        let last = presence.end(now_ms);
        prop_assert_eq!(last.now, ByTransport::default());
    }

    /// One viewer with one session or reader at a time, which it tells of, is one viewer.
    #[test]
    fn one_viewer_is_one_however_it_changes(steps in proptest::collection::vec((0..3_u8, 0..2_u8, 100..40_000_i32), 1..60)) {
        let mut presence = Presence::default();
        let mut now_ms = 0;
        let mut open: Option<SessionId> = None;
        for (by, order, pause) in steps {
            let by = transport(by);
            let next = (by == Transport::Webrtc).then(SessionId::random);
            let told = beat(1, by, next);
            // The heartbeat may be ahead of what the media connection tells, or behind it.
            if order == 0 {
                presence.beat(told.clone(), now_ms);
            }
            if let Some(next) = next {
                presence.joined(next, who(), now_ms);
            }
            if order != 0 {
                presence.beat(told, now_ms);
            }
            if let Some(before) = open.take() {
                presence.left(before, now_ms);
            }
            open = next;
            prop_assert_eq!(presence.count(now_ms).all(), 1);
            let until_ms = now_ms + i64::from(pause);
            while now_ms < until_ms {
                now_ms = until_ms.min(now_ms + 2_000);
                presence.read(u32::from(by != Transport::Webrtc));
                presence.pass(now_ms);
                prop_assert_eq!(presence.count(now_ms).all(), 1);
            }
        }
        prop_assert_eq!(presence.peak(), 1);
        let last = presence.end(now_ms);
        prop_assert_eq!(last.watchings.len(), 1);
        prop_assert_eq!(last.watchings[0].watch_ms, last.watched_ms.all());
        prop_assert_eq!(last.watchings[0].watch_ms, now_ms);
    }
}

#[test]
fn a_viewer_who_says_nothing_is_gone_after_the_grace_and_one_with_a_session_is_not() {
    let mut presence = Presence::default();
    let session = SessionId::random();
    presence.joined(session, who(), 0);
    presence.beat(beat(1, Transport::Webrtc, Some(session)), 0);
    presence.beat(beat(2, Transport::LlHls, None), 0);
    presence.pass(GRACE_MS - 1);
    assert_eq!(presence.count(GRACE_MS - 1).all(), 2);
    presence.pass(GRACE_MS);
    let count = presence.count(GRACE_MS);
    assert_eq!(
        (count.webrtc, count.ll_hls),
        (1, 0),
        "a sleepy page plays on"
    );
}

#[test]
fn who_leaves_and_comes_back_within_the_grace_goes_on_watching() {
    let mut presence = Presence::default();
    let at = |transport, is_leaving| Beat {
        is_leaving,
        ..beat(1, transport, None)
    };
    presence.beat(at(Transport::Hls, false), 0);
    presence.beat(at(Transport::Hls, true), 10_000);
    assert_eq!(presence.count(10_000).all(), 0);
    presence.beat(at(Transport::LlHls, false), 30_000);
    let last = presence.end(40_000);
    let [watching] = last.watchings.as_slice() else {
        panic!("{last:?}");
    };
    assert_eq!(watching.watch_ms, 20_000, "without the time away");
    assert_eq!(
        (last.watched_ms.hls, last.watched_ms.ll_hls),
        (10_000, 10_000)
    );
}

#[test]
fn owners_make_no_audience_by_whatever_way() {
    let mut presence = Presence::default();
    let session = SessionId::random();
    presence.joined(session, who(), 0);
    let owner = Beat {
        who: Who {
            is_owner: true,
            ..who()
        },
        ..beat(1, Transport::Webrtc, Some(session))
    };
    presence.pass(4_000);
    presence.beat(owner.clone(), 4_100);
    assert_eq!(presence.count(4_100).all(), 0);
    for readers in [1, 1, 1, 1] {
        presence.read(readers);
    }
    let by_hls = Beat {
        transport: Transport::LlHls,
        ..owner
    };
    presence.beat(by_hls, 4_200);
    assert_eq!(presence.count(4_200).all(), 0);
    let last = presence.end(60_000);
    assert_eq!((last.peak, last.watchings.len()), (0, 0));
}

/// Three pages that come at once, one of them the owner's: until WebRTC works they read playlists, too.
#[test]
fn pages_that_are_not_sure_of_their_way_are_no_peak() {
    let mut presence = Presence::default();
    let pass = |presence: &mut Presence, readers, now_ms| {
        presence.read(readers);
        presence.pass(now_ms);
    };
    for step in 0..4 {
        pass(&mut presence, 3, step * 2_000);
    }
    assert_eq!(presence.count(8_000).all(), 3);
    presence.beat(beat(1, Transport::Webrtc, None), 8_000);
    presence.beat(beat(2, Transport::Webrtc, None), 8_000);
    for step in 4..12 {
        pass(&mut presence, 0, step * 2_000);
    }
    assert_eq!((presence.count(24_000).all(), presence.peak()), (2, 2));
    // Players of others that stay do count.
    presence.beat(beat(1, Transport::Webrtc, None), 24_000);
    presence.beat(beat(2, Transport::Webrtc, None), 24_000);
    for step in 12..30 {
        pass(&mut presence, 3, step * 2_000);
    }
    assert_eq!((presence.count(60_000).all(), presence.peak()), (5, 5));
}

#[test]
fn players_of_others_are_told_of_after_a_moment_and_at_their_end() {
    let mut presence = Presence::default();
    let session = SessionId::random();
    presence.joined(session, who(), 0);
    assert!(presence.changes(1_000, false).watchings.is_empty());
    assert_eq!(presence.changes(6_000, false).watchings.len(), 1);
    assert!(
        presence.changes(16_000, false).watchings.is_empty(),
        "once a minute"
    );
    presence.left(session, 20_000);
    let over = presence.changes(21_000, false).watchings;
    assert_eq!(over[0].watch_ms, 20_000);
    // A viewer that names a session late stands in its place.
    let mut presence = Presence::default();
    presence.beat(beat(1, Transport::LlHls, None), 0);
    presence.joined(session, who(), 0);
    let stranger = presence.changes(10_000, false).watchings;
    let stranger = stranger
        .iter()
        .find(|told| told.transport == Transport::Webrtc);
    presence.beat(beat(1, Transport::Webrtc, Some(session)), 11_000);
    let changes = presence.changes(12_000, false);
    assert_eq!(changes.replaced, [stranger.unwrap().id]);
    assert_eq!(changes.now.all(), 1);
}

//! A room that several servers share.

use proptest::prelude::*;

use super::*;

/// A room at the server of that slot.
fn room_at(slot: u8) -> Room {
    let mut room = Room::of(slot);
    room.recall(Vec::new(), Vec::new());
    room
}

fn told(message: &Arc<Message>) -> Heard {
    Heard {
        message: Arc::clone(message),
        network: None,
        reference: None,
        is_held: false,
        is_told: true,
    }
}

fn shown(said: Result<Said, Refusal>) -> Arc<Message> {
    match said {
        Ok(Said::Shown(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn ids(room: &Room) -> Vec<i64> {
    room.since(None).map(|message| message.id).collect()
}

#[test]
fn what_comes_late_stands_where_it_was_said_and_comes_once() {
    let (mut here, mut there, mut time) = (room_at(0), room_at(1), Time::new());
    let first = shown(there.say(time.now(), &viewer(1), draft("first")));
    time.pass(1_000);
    let second = shown(here.say(time.now(), &viewer(2), draft("second")));
    assert!(matches!(here.hear(time.now(), told(&first)), Came::Late(_)));
    assert_eq!(here.hear(time.now(), told(&first)), Came::Known);
    assert!(matches!(
        there.hear(time.now(), told(&second)),
        Came::Next(_)
    ));
    assert_eq!(ids(&here), [first.id, second.id]);
    assert_eq!(ids(&there), ids(&here));
    // Whoever answers it has the higher number, although this clock is behind.
    let mut behind = time.now();
    behind.at = from_millis(behind.at.as_millisecond() - 60_000);
    let answer = shown(there.say(behind, &viewer(3), draft("answer")));
    assert!(answer.id > second.id);
}

#[test]
fn what_was_taken_away_stays_away_however_late_it_comes() {
    let (mut here, mut there, mut time) = (room_at(0), room_at(1), Time::new());
    let say = |room: &mut Room, time: &mut Time, who| {
        time.pass(1_500);
        shown(room.say(time.now(), &viewer(who), draft("hi")))
    };
    let deleted = say(&mut there, &mut time, 1);
    here.forget_these(&[deleted.id]);
    assert_eq!(here.hear(time.now(), told(&deleted)), Came::Known);
    let cleared = say(&mut there, &mut time, 1);
    time.pass(1);
    let up_to = here.next_id(time.now().at);
    here.forget_up_to(up_to);
    assert_eq!(here.hear(time.now(), told(&cleared)), Came::Known);
    // Nothing that is said after that gets a number that is gone, although this clock is behind.
    there.forget_up_to(up_to + 1_000_000);
    assert!(say(&mut there, &mut time, 2).id > up_to + 1_000_000);
    let banned = say(&mut there, &mut time, 3);
    let restraint = Restraint {
        name: String::new(),
        until: None,
        reason: String::new(),
        network: None,
    };
    let who = Subject::Account(AccountId(Uuid::from_u128(3)));
    here.restraints.insert(who, restraint);
    assert_eq!(here.hear(time.now(), told(&banned)), Came::Known);
    let moderates = Person {
        rights: moderator().rights,
        ..viewer(3)
    };
    time.pass(1_500);
    let said = shown(there.say(time.now(), &moderates, draft("may")));
    assert!(matches!(here.hear(time.now(), told(&said)), Came::Next(_)));
    here.forget_these(&[said.id]);
    assert!(ids(&here).is_empty());
}

#[test]
fn what_waits_is_settled_once_in_whatever_order_that_comes() {
    let (mut here, mut there, time) = (room_at(0), room_at(1), Time::new());
    let message = shown(there.say(time.now(), &viewer(1), draft("perhaps")));
    let held = Heard {
        is_held: true,
        ..told(&message)
    };
    assert!(matches!(here.hear(time.now(), held.clone()), Came::Held(_)));
    assert!(matches!(
        here.hear(time.now(), told(&message)),
        Came::Settled(_)
    ));
    assert!(!here.is_held(message.id));
    assert_eq!(ids(&here), [message.id]);
    // Settled before it is heard of.
    let mut other = room_at(2);
    assert_eq!(other.settle(message.id), None);
    assert_eq!(other.hear(time.now(), held), Came::Known);
    assert!(other.admit(Arc::clone(&message)) && !other.admit(message));
}

#[test]
fn who_wrote_elsewhere_keeps_their_pace_here() {
    let (mut here, mut there, mut time) = (room_at(0), room_at(1), Time::new());
    for _ in 0..MOST_SENT {
        time.pass(10);
        let message = shown(there.say(time.now(), &viewer(1), draft("hi")));
        here.hear(time.now(), told(&message));
    }
    assert_eq!(
        code(here.say(time.now(), &viewer(1), draft("hi"))),
        "too_fast"
    );
    // What is only read from the database was written when it was.
    let (mut fresh, old) = (room_at(2), there.since(None).next().cloned().unwrap());
    time.pass(60_000);
    for _ in 0..MOST_SENT {
        let read = Heard {
            is_told: false,
            ..told(&old)
        };
        fresh.hear(time.now(), read);
    }
    assert_eq!(
        code(fresh.say(time.now(), &viewer(1), draft("hi"))),
        "shown"
    );
}

/// What happens at one of two servers, or on the way between them.
#[derive(Debug, Clone)]
enum Shared {
    Say {
        at: usize,
        who: u128,
        ms: u64,
    },
    Delete {
        at: usize,
        nth: usize,
    },
    /// The other hears what it has not heard yet, the newest first or last.
    Hear {
        at: usize,
        backwards: bool,
    },
}

fn shared() -> impl Strategy<Value = Vec<Shared>> {
    let step = prop_oneof![
        4 => (0..2_usize, 1..5_u128, 0..3_000_u64)
            .prop_map(|(at, who, ms)| Shared::Say { at, who, ms }),
        1 => (0..2_usize, 0..8_usize).prop_map(|(at, nth)| Shared::Delete { at, nth }),
        2 => (0..2_usize, any::<bool>())
            .prop_map(|(at, backwards)| Shared::Hear { at, backwards }),
    ];
    prop::collection::vec(step, 1..60)
}

/// What a server tells the other.
#[derive(Debug, Clone)]
enum Telling {
    Said(Arc<Message>),
    Deleted(i64),
}

proptest! {
    /// Whatever is said and deleted at two servers whose clocks differ, and in whatever order they hear
    /// of it: in the end both have the same, in the same order, and no number twice.
    #[test]
    fn servers_that_have_heard_all_have_the_same(steps in shared(), skew in 0..5_000_i64) {
        let mut rooms = [room_at(0), room_at(1)];
        let mut waiting: [Vec<Telling>; 2] = [Vec::new(), Vec::new()];
        let mut time = Time::new();
        let mut given = Vec::new();
        let hear = |room: &mut Room, now: Moment, all: Vec<Telling>| {
            for telling in all {
                match telling {
                    Telling::Said(message) => drop(room.hear(now, told(&message))),
                    Telling::Deleted(id) => room.forget_these(&[id]),
                }
            }
        };
        for step in steps {
            match step {
                Shared::Say { at, who, ms } => {
                    time.pass(ms);
                    let mut now = time.now();
                    now.at = from_millis(now.at.as_millisecond() + skew * i64::try_from(at).unwrap());
                    if let Ok(Said::Shown(message)) = rooms[at].say(now, &viewer(who), draft("hi")) {
                        given.push(message.id);
                        waiting[1 - at].push(Telling::Said(message));
                    }
                }
                Shared::Delete { at, nth } => {
                    let found = rooms[at].since(None).nth(nth).map(|message| message.id);
                    if let Some(id) = found {
                        rooms[at].forget_these(&[id]);
                        waiting[1 - at].push(Telling::Deleted(id));
                    }
                }
                Shared::Hear { at, backwards } => {
                    let mut all = std::mem::take(&mut waiting[at]);
                    if backwards {
                        all.reverse();
                    }
                    hear(&mut rooms[at], time.now(), all);
                }
            }
        }
        for at in 0..2 {
            let all = std::mem::take(&mut waiting[at]);
            hear(&mut rooms[at], time.now(), all);
        }
        prop_assert_eq!(ids(&rooms[0]), ids(&rooms[1]));
        prop_assert!(ids(&rooms[0]).is_sorted());
        let several = given.len();
        given.sort_unstable();
        given.dedup();
        prop_assert_eq!(given.len(), several);
    }
}

use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::accounts::AccountId;
use crate::channels::Rights;
use crate::chat::message::Sender;
use crate::chat::writers::MOST_SENT;
use crate::clock::{Clock, from_millis};

/// Virtual time.
#[derive(Clone, Copy)]
struct Time {
    began: Instant,
    ms: u64,
}

const START_MS: i64 = 1_700_000_000_000;

impl Time {
    fn new() -> Self {
        Self {
            began: Clock::system().instant(),
            ms: 0,
        }
    }

    fn now(self) -> Moment {
        Moment {
            instant: self.began + Duration::from_millis(self.ms),
            at: from_millis(START_MS + i64::try_from(self.ms).unwrap()),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.ms += ms;
    }
}

fn nobody() -> Person {
    let address: IpAddr = "192.0.2.1".parse().unwrap();
    Person::reader(address, "network".into())
}

fn viewer(n: u128) -> Person {
    Person {
        subject: Some(Subject::Account(AccountId(Uuid::from_u128(n)))),
        name: format!("viewer{n}"),
        may_write: true,
        ..nobody()
    }
}

fn moderator() -> Person {
    Person {
        rights: Rights {
            moderator: true,
            ..Rights::default()
        },
        ..viewer(1_000)
    }
}

fn guest(secret: &str) -> Person {
    Person::guest(format!("guest-{secret}"), "Guest".to_owned(), nobody())
}

fn draft(text: &str) -> Draft {
    Draft {
        text: text.to_owned(),
        ..Draft::default()
    }
}

fn code(said: Result<Said, Refusal>) -> &'static str {
    match said {
        Ok(Said::Shown(_)) => "shown",
        Ok(Said::Held(_)) => "held",
        Ok(Said::Again(_)) => "again",
        Err(refusal) => refusal.code,
    }
}

fn on_air() -> OnAir {
    OnAir {
        id: Uuid::from_u128(7),
        started_at: from_millis(START_MS - 100_000),
    }
}

#[test]
fn five_in_five_seconds_and_no_more() {
    let (mut room, mut time) = (Room::default(), Time::new());
    for _ in 0..5 {
        time.pass(100);
        assert_eq!(code(room.say(time.now(), &viewer(1), draft("hi"))), "shown");
    }
    let refusal = room.say(time.now(), &viewer(1), draft("hi")).unwrap_err();
    assert_eq!((refusal.code, refusal.wait_ms()), ("too_fast", Some(4_600)));
    assert_eq!(code(room.say(time.now(), &viewer(2), draft("hi"))), "shown");
    time.pass(4_600);
    assert_eq!(code(room.say(time.now(), &viewer(1), draft("hi"))), "shown");
    assert_eq!(
        code(room.say(time.now(), &viewer(1), draft("hi"))),
        "too_fast"
    );
}

#[test]
fn moderators_are_bound_at_twenty() {
    let (mut room, time) = (Room::default(), Time::new());
    for _ in 0..20 {
        let said = room.say(time.now(), &moderator(), draft("hi"));
        assert_eq!(code(said), "shown");
    }
    let said = room.say(time.now(), &moderator(), draft("hi"));
    assert_eq!(code(said), "too_fast");
}

#[test]
fn slow_mode_tells_how_long() {
    let (mut room, mut time) = (Room::default(), Time::new());
    room.modes.slow_seconds = 30;
    assert_eq!(code(room.say(time.now(), &viewer(1), draft("a"))), "shown");
    time.pass(10_000);
    let refusal = room.say(time.now(), &viewer(1), draft("b")).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.wait_ms()),
        ("slow_mode", Some(20_000))
    );
    assert_eq!(
        code(room.say(time.now(), &moderator(), draft("b"))),
        "shown"
    );
    assert_eq!(
        code(room.say(time.now(), &moderator(), draft("c"))),
        "shown"
    );
    time.pass(20_000);
    assert_eq!(code(room.say(time.now(), &viewer(1), draft("b"))), "shown");
}

#[test]
fn a_message_sent_again_is_said_once() {
    let (mut room, mut time) = (Room::default(), Time::new());
    let send = |room: &mut Room, time: Time| {
        let draft = Draft {
            reference: Some("1".to_owned()),
            ..draft("once")
        };
        room.say(time.now(), &viewer(1), draft)
    };
    assert_eq!(code(send(&mut room, time)), "shown");
    time.pass(60_000);
    assert_eq!(code(send(&mut room, time)), "again");
    assert_eq!(room.since(None).count(), 1);
    time.pass(61_000);
    assert_eq!(code(send(&mut room, time)), "shown");
}

#[test]
fn modes_hold_for_all_but_moderators() {
    let time = Time::new();
    let said = |change: fn(&mut Room), who: Person, text: &str| {
        let mut room = Room::default();
        change(&mut room);
        code(room.say(time.now(), &who, draft(text)))
    };
    let follower = |minutes: i64| Person {
        follows_since: Some(from_millis(START_MS - minutes * 60_000)),
        ..viewer(1)
    };
    let followers = |room: &mut Room| room.modes.followers_minutes = Some(10);
    assert_eq!(said(followers, viewer(1), "hi"), "followers_only");
    assert_eq!(said(followers, follower(9), "hi"), "followers_only");
    assert_eq!(said(followers, follower(10), "hi"), "shown");
    assert_eq!(said(followers, moderator(), "hi"), "shown");
    let members = |room: &mut Room| room.modes.members_only = true;
    assert_eq!(said(members, viewer(1), "hi"), "members_only");
    assert_eq!(said(members, moderator(), "hi"), "shown");
    let emotes = |room: &mut Room| room.modes.emote_only = true;
    assert_eq!(said(emotes, viewer(1), "hi"), "emote_only");
    assert_eq!(said(emotes, viewer(1), "🎉 🎉"), "shown");
    let links = |room: &mut Room| room.modes.links_blocked = true;
    assert_eq!(said(links, viewer(1), "see x.example"), "links_blocked");
    assert_eq!(said(links, moderator(), "see x.example"), "shown");
    let guests = |room: &mut Room| room.modes.guests = true;
    assert_eq!(said(guests, guest("a"), "hi"), "shown");
    assert_eq!(said(|_| {}, guest("a"), "hi"), "not_signed_in");
    assert_eq!(said(guests, nobody(), "hi"), "not_signed_in");
}

#[test]
fn what_was_just_said_is_not_said_again() {
    let (mut room, time) = (Room::default(), Time::new());
    room.modes.unique_only = true;
    assert_eq!(
        code(room.say(time.now(), &viewer(1), draft("Hello"))),
        "shown"
    );
    assert_eq!(
        code(room.say(time.now(), &viewer(2), draft("hеllo"))),
        "unique_only"
    );
    assert_eq!(
        code(room.say(time.now(), &viewer(2), draft("hello there"))),
        "shown"
    );
}

#[test]
fn who_is_banned_stays_out_by_another_name() {
    let (mut room, mut time) = (Room::default(), Time::new());
    room.modes.guests = true;
    let restraint = |until| Restraint {
        name: "viewer1".to_owned(),
        until,
        reason: "rude".to_owned(),
        network: Some("network".to_owned()),
    };
    let who = viewer(1).subject.unwrap();
    room.restraints.insert(who.clone(), restraint(None));
    let refusal = room.say(time.now(), &viewer(1), draft("hi")).unwrap_err();
    assert_eq!(refusal.code, "banned");
    assert!(refusal.detail.contains("rude"), "{}", refusal.detail);
    assert_eq!(
        code(room.say(time.now(), &guest("b"), draft("hi"))),
        "banned"
    );
    let elsewhere = Person {
        network: "another".into(),
        ..guest("c")
    };
    assert_eq!(code(room.say(time.now(), &elsewhere, draft("hi"))), "shown");
    assert_eq!(code(room.say(time.now(), &viewer(2), draft("hi"))), "shown");
    let until = from_millis(START_MS + 10_000);
    room.restraints.insert(who, restraint(Some(until)));
    let refusal = room.say(time.now(), &viewer(1), draft("hi")).unwrap_err();
    assert_eq!(
        (refusal.code, refusal.wait_ms()),
        ("timed_out", Some(10_000))
    );
    time.pass(10_000);
    assert_eq!(code(room.say(time.now(), &viewer(1), draft("hi"))), "shown");
}

#[test]
fn terms_and_the_filter_hold_and_refuse() {
    let (mut room, time) = (Room::default(), Time::new());
    room.terms = Terms::new([("bad", TermKind::Blocked), ("odd", TermKind::Held)]);
    assert_eq!(
        code(room.say(time.now(), &viewer(1), draft("b4d"))),
        "term_blocked"
    );
    assert_eq!(
        code(room.say(time.now(), &viewer(1), draft("how odd"))),
        "held"
    );
    assert_eq!(
        code(room.say(time.now(), &moderator(), draft("how odd"))),
        "shown"
    );
    assert_eq!(room.held().count(), 1);
    let held = room.held().next().unwrap().id;
    let message = room.settle(held).unwrap();
    room.admit(message);
    let ids: Vec<i64> = room.since(None).map(|message| message.id).collect();
    assert!(
        ids.is_sorted() && ids.len() == 2,
        "it stands where it was said"
    );
}

#[test]
fn time_is_that_of_the_picture_within_a_minute() {
    let (mut room, time) = (Room::default(), Time::new());
    let now = time.now().at;
    assert_eq!(room.stream_time(now, Some(5)), None);
    room.on_air = Some(on_air());
    assert_eq!(room.stream_time(now, None), Some(100_000));
    assert_eq!(room.stream_time(now, Some(94_000)), Some(94_000));
    assert_eq!(room.stream_time(now, Some(5)), Some(40_000));
    assert_eq!(room.stream_time(now, Some(i64::MAX)), Some(100_000));
    assert_eq!(room.stream_time(now, Some(i64::MIN)), Some(40_000));
}

#[test]
fn a_reaction_in_a_tenth_of_a_second() {
    let (mut room, mut time) = (Room::default(), Time::new());
    assert!(room.react(time.now(), &viewer(1)).is_ok());
    time.pass(99);
    assert!(room.react(time.now(), &viewer(1)).is_err());
    assert!(room.react(time.now(), &viewer(2)).is_ok());
    time.pass(1);
    assert!(room.react(time.now(), &viewer(1)).is_ok());
}

#[test]
fn who_comes_back_gets_what_they_missed() {
    let (mut room, mut time) = (Room::default(), Time::new());
    let mut ids = Vec::new();
    for n in 0..HISTORY + 10 {
        time.pass(2_000);
        let who = viewer(u128::try_from(n).unwrap());
        if let Ok(Said::Shown(message)) = room.say(time.now(), &who, draft("hi")) {
            ids.push(message.id);
        }
    }
    let middle = ids[ids.len() - 5];
    assert_eq!(room.since(Some(middle)).count(), 4);
    assert!(room.remembers(middle) && !room.remembers(ids[3]));
    assert_eq!(room.since(None).count(), HISTORY);
}

#[test]
fn answers_quote_what_they_answer() {
    let (mut room, time) = (Room::default(), Time::new());
    let Ok(Said::Shown(first)) = room.say(time.now(), &viewer(1), draft("question?")) else {
        panic!("it is shown");
    };
    let answer = Draft {
        reply_to: Some(first.id),
        ..draft("answer")
    };
    let Ok(Said::Shown(second)) = room.say(time.now(), &viewer(2), answer.clone()) else {
        panic!("it is shown");
    };
    assert_eq!(second.reply_to.as_ref().unwrap().text, "question?");
    room.forget(|message| message.id == first.id);
    assert_eq!(
        code(room.say(time.now(), &viewer(2), answer)),
        "reply_unknown"
    );
}

#[test]
fn badges_say_who_it_is() {
    let owner = Person {
        rights: Rights {
            owner: true,
            moderator: false,
            admin: true,
        },
        ..viewer(1)
    };
    let Sender { badges, .. } = owner.as_sender().unwrap();
    let badges: Vec<&str> = badges.iter().map(|badge| badge.as_str()).collect();
    assert_eq!(badges, ["owner"]);
    assert!(nobody().as_sender().is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Say(u128, u64),
    Back(u64),
    Clear,
    Slow(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (0..6_u128, 0..3_000_u64).prop_map(|(who, ms)| Step::Say(who, ms)),
        1 => (0..5_000_u64).prop_map(Step::Back),
        1 => Just(Step::Clear),
        1 => (0..5_u32).prop_map(Step::Slow),
    ];
    prop::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever happens, and although the time of day jumps back: ids only rise, nobody writes faster
    /// than they may, and who is refused for pace may write after the time that they were told.
    #[test]
    fn order_and_pace_hold(steps in steps()) {
        let (mut room, mut time) = (Room::default(), Time::new());
        let mut back = 0;
        let mut last = 0;
        let mut sent: HashMap<u128, Vec<u64>> = HashMap::new();
        for step in steps {
            match step {
                Step::Say(who, ms) => {
                    time.pass(ms);
                    let mut now = time.now();
                    now.at = from_millis(now.at.as_millisecond() - back);
                    match room.say(now, &viewer(who), draft("hi")) {
                        Ok(Said::Shown(message)) => {
                            prop_assert!(message.id > last);
                            last = message.id;
                            let times = sent.entry(who).or_default();
                            times.push(time.ms);
                            let lately = times.iter().filter(|at| time.ms - **at < 5_000);
                            prop_assert!(lately.count() <= MOST_SENT);
                        }
                        Ok(other) => prop_assert!(false, "{other:?}"),
                        Err(refusal) => {
                            let wait = refusal.wait_ms().unwrap();
                            let mut later = time;
                            later.pass(wait);
                            let mut now = later.now();
                            now.at = from_millis(now.at.as_millisecond() - back);
                            time = later;
                            let said = room.say(now, &viewer(who), draft("hi"));
                            let Ok(Said::Shown(message)) = said else {
                                // The pace of five and that of slow mode may both have to pass.
                                prop_assert_eq!(code(said), "slow_mode");
                                continue;
                            };
                            prop_assert!(message.id > last);
                            last = message.id;
                            sent.entry(who).or_default().push(time.ms);
                        }
                    }
                }
                Step::Back(ms) => back += i64::try_from(ms).unwrap(),
                Step::Clear => {
                    let up_to = room.next_id(time.now().at);
                    room.forget(|message| message.id <= up_to);
                    prop_assert_eq!(room.since(None).count(), 0);
                    last = up_to;
                }
                Step::Slow(seconds) => room.modes.slow_seconds = seconds,
            }
            let ids: Vec<i64> = room.since(None).map(|message| message.id).collect();
            prop_assert!(ids.is_sorted() && ids.len() <= HISTORY);
        }
    }
}

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

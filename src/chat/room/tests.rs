use std::net::IpAddr;

use proptest::prelude::*;

use super::*;
use crate::accounts::AccountId;
use crate::channels::Rights;
use crate::chat::message::Sender;
use crate::chat::writers::MOST_SENT;
use crate::clock::{Clock, from_millis};

mod servers;

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

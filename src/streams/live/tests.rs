use super::*;
use crate::accounts::AccountId;
use crate::clock::Clock;
use crate::cluster::{OnAir, Own, Record, Standing};
use uuid::Uuid;

struct Bench {
    live: LiveChannels,
    clock: Clock,
    channel: Channel,
}

impl Bench {
    fn new(second_publisher: SecondPublisher) -> Self {
        Self::with(Settings {
            second_publisher,
            ..Settings::default()
        })
    }

    fn with(settings: Settings) -> Self {
        let clock = Clock::movable();
        Self {
            live: LiveChannels::new(Rules::from(&settings)),
            channel: Channel::new(
                "ada".to_owned(),
                "Ada".to_owned(),
                AccountId(Uuid::now_v7()),
                clock.now(),
            ),
            clock,
        }
    }

    fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    fn claim(&mut self) -> Result<StreamId, AlreadyLive> {
        let now = self.clock.instant();
        let about = Stream::new(self.channel.id, self.clock.now());
        self.live.claim(&self.channel, Arc::new(about), None, now)
    }

    fn publish(&mut self) -> (StreamId, SessionId, Vec<Effect>) {
        let stream = self.claim().unwrap();
        let session = SessionId::random();
        let now = self.clock.instant();
        let effects = self.live.publishing(stream, session, now);
        (stream, session, effects)
    }

    fn go_live(&mut self) -> (StreamId, SessionId) {
        let (stream, session, _) = self.publish();
        let effects = self.live.flowing(stream, session, self.clock.now());
        assert!(matches!(
            effects.as_slice(),
            [Effect::Tell(StreamEvent::Started { .. })]
        ));
        (stream, session)
    }

    fn silent(&mut self, stream: StreamId, session: SessionId) -> Vec<Effect> {
        self.live.silent(stream, session, self.clock.instant())
    }

    fn closed(&mut self, stream: StreamId, session: SessionId) -> Vec<Effect> {
        let (now, at) = (self.clock.instant(), self.clock.now());
        self.live.closed(stream, session, now, at)
    }

    fn tick(&mut self) -> Vec<Effect> {
        self.live.tick(self.clock.instant(), self.clock.now())
    }
}

#[test]
fn second_publisher_is_refused_while_the_first_sends() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    bench.go_live();
    bench.wait(60);
    assert_eq!(bench.claim(), Err(AlreadyLive));
}

#[test]
fn publisher_that_continues_its_own_session_is_let_in() {
    let mut bench = Bench::new(SecondPublisher::Reject);
    let (stream, first) = bench.go_live();
    let now = bench.clock.instant();
    let about = Arc::new(Stream::new(bench.channel.id, bench.clock.now()));
    let mut claim =
        |continued| (bench.live).claim(&bench.channel, Arc::clone(&about), continued, now);
    assert_eq!(claim(Some(SessionId::random())), Err(AlreadyLive));
    assert_eq!(claim(Some(first)), Ok(stream));
}

#[test]
fn second_publisher_takes_over_after_silence() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (stream, first) = bench.go_live();
    assert_eq!(bench.silent(stream, first).len(), 1);
    let (again, second, effects) = bench.publish();
    assert_eq!(again, stream, "viewers keep the stream");
    assert_eq!(effects, [Effect::Close(first, CloseReason::Superseded)]);
    assert_eq!(
        bench.closed(stream, first),
        [],
        "the first is of no account"
    );
    let effects = bench.live.flowing(stream, second, bench.clock.now());
    assert!(matches!(
        effects.as_slice(),
        [Effect::Tell(StreamEvent::Resumed { .. })]
    ));
}

#[test]
fn second_publisher_takes_over_from_one_that_never_connects() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (_, first, _) = bench.publish();
    assert_eq!(bench.claim(), Err(AlreadyLive));
    bench.wait(2);
    let (.., effects) = bench.publish();
    assert_eq!(effects, [Effect::Close(first, CloseReason::Superseded)]);
}

#[test]
fn takeover_and_reject_do_as_they_say() {
    let mut takeover = Bench::new(SecondPublisher::Takeover);
    takeover.go_live();
    assert!(takeover.claim().is_ok());
    let mut reject = Bench::new(SecondPublisher::Reject);
    let (stream, first) = reject.go_live();
    reject.silent(stream, first);
    assert_eq!(reject.claim(), Err(AlreadyLive));
    reject.closed(stream, first);
    assert_eq!(reject.claim(), Ok(stream));
}

#[test]
fn two_offers_at_once_do_not_both_get_the_channel() {
    let mut bench = Bench::new(SecondPublisher::Takeover);
    bench.claim().unwrap();
    assert_eq!(bench.claim(), Err(AlreadyLive));
}

#[test]
fn lost_publisher_has_the_window_to_come_back() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (stream, first) = bench.go_live();
    bench.closed(stream, first);
    bench.wait(29);
    assert_eq!(bench.tick(), []);
    let (again, ..) = bench.publish();
    assert_eq!(again, stream);
    bench.wait(2);
    assert_eq!(bench.tick(), [], "its handshake is under way");
}

#[test]
fn stream_ends_once_when_the_window_passes() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (stream, first) = bench.go_live();
    bench.silent(stream, first);
    bench.closed(stream, first);
    bench.wait(31);
    let effects = bench.tick();
    assert_eq!(effects.first(), Some(&Effect::EndStream(stream)));
    assert!(matches!(
        effects.get(1),
        Some(Effect::Tell(StreamEvent::Ended { .. }))
    ));
    assert_eq!(bench.tick(), []);
    assert_ne!(bench.claim().unwrap(), stream, "the next is a new stream");
}

#[test]
fn publisher_that_connects_and_sends_nothing_is_not_live_for_ever() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (stream, session, _) = bench.publish();
    bench.live.connected(stream, session, bench.clock.now());
    bench.wait(9);
    assert_eq!(bench.tick(), []);
    bench.wait(1);
    assert!(matches!(
        bench.tick().as_slice(),
        [Effect::Tell(StreamEvent::Interrupted { .. })]
    ));
    bench.wait(31);
    assert_eq!(bench.tick().first(), Some(&Effect::EndStream(stream)));
}

#[test]
fn takeover_without_a_window_ends_the_first_publisher_alone() {
    let mut bench = Bench::with(Settings {
        second_publisher: SecondPublisher::Takeover,
        reconnect_window_seconds: 0,
        ..Settings::default()
    });
    let (stream, first) = bench.go_live();
    let (again, second, effects) = bench.publish();
    assert_eq!(again, stream);
    assert!(effects.contains(&Effect::Close(first, CloseReason::Superseded)));
    assert_eq!(bench.tick(), [], "the second has its handshake to make");
    let effects = bench.live.flowing(stream, second, bench.clock.now());
    assert!(matches!(
        effects.as_slice(),
        [Effect::Tell(StreamEvent::Resumed { .. })]
    ));
}

#[test]
fn publisher_that_never_connected_leaves_no_trace() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let (stream, session, _) = bench.publish();
    assert_eq!(bench.closed(stream, session), [Effect::EndStream(stream)]);
    assert!(bench.live.get(bench.channel.id).is_none());
    let stream = bench.claim().unwrap();
    assert_eq!(bench.live.refused(stream), [Effect::EndStream(stream)]);
}

#[test]
fn refused_second_offer_leaves_the_stream_alone() {
    let mut bench = Bench::new(SecondPublisher::Takeover);
    let (stream, first) = bench.go_live();
    bench.claim().unwrap();
    assert_eq!(bench.live.refused(stream), []);
    let live = bench.live.get(bench.channel.id).unwrap();
    assert_eq!(live.phase, Phase::OnAir);
    assert_eq!(live.publisher.unwrap().session, first);
}

#[test]
fn offer_answered_after_the_end_is_closed() {
    let mut bench = Bench::new(SecondPublisher::Takeover);
    let stream = bench.claim().unwrap();
    bench.live.end(stream, bench.clock.now());
    let session = SessionId::random();
    let effects = bench
        .live
        .publishing(stream, session, bench.clock.instant());
    assert_eq!(effects, [Effect::Close(session, CloseReason::StreamEnded)]);
}

fn elsewhere(fence: u64, standing: Standing) -> Elsewhere {
    let record = Record {
        id: Uuid::from_u128(u128::from(fence)),
        slot: 1,
        url: "http://10.0.0.1".to_owned(),
        own: Own::default(),
    };
    let on_air = OnAir {
        channel: Uuid::nil(),
        stream: Uuid::nil(),
        fence,
        standing,
        has_publisher: true,
        viewers: 0,
        size: None,
    };
    Elsewhere::new(&Arc::new(record), &on_air)
}

impl Bench {
    /// A stream of ours is on air at another server.
    fn appears(&mut self) -> StreamId {
        let about = Arc::new(Stream::new(self.channel.id, self.clock.now()));
        let stream = about.id;
        let now = self.clock.instant();
        let origin = elsewhere(1, Standing::Live);
        self.live.appear(self.channel.clone(), about, origin, now);
        stream
    }
}

#[test]
fn what_is_elsewhere_is_over_when_its_server_says_so_or_is_gone_for_the_window() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let stream = bench.appears();
    bench.wait(3_600);
    assert_eq!(bench.tick(), [], "its server says when it is over");
    let now = bench.clock.instant();
    let effects = bench.live.missing(stream, now);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Interrupted { .. })]
    ));
    let effects = bench.live.vouched(stream);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Resumed { .. })]
    ));
    let now = bench.clock.instant();
    bench.live.missing(stream, now);
    bench.wait(29);
    assert_eq!(bench.tick(), []);
    bench.wait(2);
    assert_eq!(
        bench.tick(),
        [Effect::EndStream(stream)],
        "told where it was"
    );
    let stream = bench.appears();
    assert_eq!(bench.live.vanish(stream), [Effect::EndStream(stream)]);
}

#[test]
fn what_is_pulled_flows_whatever_is_said_of_its_server() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let stream = bench.appears();
    let pull = SessionId::random();
    let (now, at) = (bench.clock.instant(), bench.clock.now());
    assert_eq!(bench.live.publishing(stream, pull, now), []);
    bench.live.flowing(stream, pull, at);
    assert_eq!(bench.live.missing(stream, now), []);
    let effects = bench.live.silent(stream, pull, now);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Interrupted { .. })]
    ));
    // Another server has it: it is live when packets of that come.
    let effects = bench.live.stands(stream, elsewhere(2, Standing::Live), now);
    assert_eq!(effects, []);
    let again = SessionId::random();
    let effects = bench.live.publishing(stream, again, now);
    assert_eq!(effects, [Effect::Close(pull, CloseReason::Superseded)]);
    let effects = bench.live.flowing(stream, again, at);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Resumed { .. })]
    ));
}

#[test]
fn a_pull_that_broke_off_is_away_until_it_flows_or_nobody_wants_it() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let stream = bench.appears();
    let pull = SessionId::random();
    let (now, at) = (bench.clock.instant(), bench.clock.now());
    bench.live.publishing(stream, pull, now);
    bench.live.flowing(stream, pull, at);
    let effects = bench.closed(stream, pull);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Interrupted { .. })]
    ));
    let live = || elsewhere(1, Standing::Live);
    assert_eq!(bench.live.stands(stream, live(), now), [], "it has it");
    let again = SessionId::random();
    bench.live.publishing(stream, again, now);
    assert_eq!(bench.closed(stream, again), []);
    assert_eq!(bench.live.stands(stream, live(), now), [], "out of reach");
    bench.live.unpulled(stream);
    let effects = bench.live.stands(stream, live(), now);
    assert!(matches!(
        effects[..],
        [Effect::Tell(StreamEvent::Resumed { .. })]
    ));
}

#[test]
fn a_stream_is_taken_over_without_another_beginning_and_handed_over_without_an_end() {
    let mut bench = Bench::new(SecondPublisher::AfterSilence);
    let stream = bench.appears();
    let about = Arc::clone(&bench.live.get(bench.channel.id).unwrap().about);
    let (now, at) = (bench.clock.instant(), bench.clock.now());
    let channel = bench.channel.clone();
    let media = StreamId::from(9);
    let pull = SessionId::random();
    bench.live.publishing(stream, pull, now);
    bench.live.flowing(stream, pull, at);
    let about_it = Arc::clone(&about);
    assert_eq!(
        bench.live.take_over(&channel, about_it, media, now),
        [Effect::Close(pull, CloseReason::Superseded)]
    );
    bench.live.claim(&channel, about, None, now).unwrap();
    let session = SessionId::random();
    bench.live.publishing(stream, session, now);
    let effects = bench.live.flowing(stream, session, at);
    assert!(
        matches!(
            effects[..],
            [
                Effect::Tell(StreamEvent::TakenOver { .. }),
                Effect::Tell(StreamEvent::Resumed { .. })
            ]
        ),
        "{effects:?}"
    );
    let effects = bench.live.hand_over(channel.id, (now, at));
    assert!(
        matches!(
            effects[..],
            [
                Effect::Close(_, CloseReason::Superseded),
                Effect::Tell(StreamEvent::Interrupted { .. }),
                Effect::Tell(StreamEvent::HandedOver { .. })
            ]
        ),
        "{effects:?}"
    );
    assert!(!bench.live.get(channel.id).unwrap().is_here());
    assert_eq!(bench.live.hand_over(channel.id, (now, at)), [], "once");
}

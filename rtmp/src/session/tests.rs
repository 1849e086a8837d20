use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;
use rml_rtmp::handshake::{Handshake, HandshakeProcessResult, PeerType};

use super::*;
use crate::amf0::Value;
use crate::chunk::ChunkWriter;
use crate::flv::VideoCodec;

/// A publisher's end, and the session that it talks with.
struct Publisher {
    session: Session,
    writer: ChunkWriter,
    reader: ChunkReader,
    /// What the session answered, not yet looked at.
    answers: BytesMut,
}

impl Publisher {
    /// After a plain handshake.
    fn new() -> Self {
        let mut session = Session::new(Config::default());
        let c0_and_c1 = [&[3, 0, 0, 0, 0, 0, 0, 0, 0][..], &[7; 1_528]].concat();
        session.receive(&c0_and_c1).unwrap();
        let answer = session.take_output();
        assert_eq!(answer.len(), 1 + 1_536 + 1_536);
        assert_eq!(answer[1_537..], c0_and_c1[1..], "S2 is C1");
        session.receive(&answer[1..1_537]).unwrap();
        assert!(session.is_open());
        Self {
            session,
            writer: ChunkWriter::new(),
            reader: ChunkReader::new(Config::default().limits),
            answers: BytesMut::new(),
        }
    }

    fn connected() -> Self {
        let mut publisher = Self::new();
        let app = Value::from([("app", "live".into()), ("tcUrl", "rtmp://h/live".into())]);
        publisher.command(0, "connect", 1.0, &[app]).unwrap();
        publisher.answers();
        publisher
    }

    fn publishing() -> Self {
        let mut publisher = Self::connected();
        publisher.publish("tl_key").unwrap();
        publisher.session.accept();
        publisher.answers();
        publisher
    }

    fn send(&mut self, kind: u8, timestamp: u32, payload: &[u8]) -> Result<Vec<Event>, Error> {
        let message = Message {
            kind,
            stream: 1,
            timestamp,
            payload: Bytes::copy_from_slice(payload),
        };
        let mut chunks = BytesMut::new();
        self.writer.write(4, &message, &mut chunks);
        self.bytes(&chunks)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<Vec<Event>, Error> {
        self.session.receive(bytes)?;
        let mut events = Vec::new();
        while let Some(event) = self.session.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    fn command(
        &mut self,
        stream: u32,
        name: &str,
        transaction: f64,
        values: &[Value],
    ) -> Result<Vec<Event>, Error> {
        let mut payload = BytesMut::new();
        amf0::write(&name.into(), &mut payload);
        amf0::write(&transaction.into(), &mut payload);
        values
            .iter()
            .for_each(|value| amf0::write(value, &mut payload));
        let message = Message {
            kind: kind::COMMAND_AMF0,
            stream,
            timestamp: 0,
            payload: payload.freeze(),
        };
        let mut chunks = BytesMut::new();
        self.writer.write(3, &message, &mut chunks);
        self.bytes(&chunks)
    }

    fn publish(&mut self, name: &str) -> Result<Vec<Event>, Error> {
        self.command(
            1,
            "publish",
            5.0,
            &[Value::Null, name.into(), "live".into()],
        )
    }

    /// Messages that the session sent since last asked.
    fn answers(&mut self) -> Vec<Message> {
        self.answers.extend_from_slice(&self.session.take_output());
        let mut messages = Vec::new();
        while let Some(message) = self.reader.next(&mut self.answers).unwrap() {
            messages.push(message);
        }
        messages
    }

    /// Names and codes of the commands among them, and the last description.
    fn words(&mut self) -> (Vec<String>, String) {
        let (mut names, mut words) = (Vec::new(), String::new());
        for message in self.answers() {
            if message.kind == kind::COMMAND_AMF0 {
                let values = amf0::read(&message.payload).unwrap();
                let status = values.last().unwrap();
                let text = |name| status.get(name).and_then(Value::text).unwrap_or_default();
                names.push(format!("{} {}", values[0].text().unwrap(), text("code")));
                words = text("description").to_owned();
            }
        }
        (names, words)
    }
}

fn requested(events: &[Event]) -> &str {
    let [Event::PublishRequested(request)] = events else {
        panic!("{events:?}");
    };
    request.key.reveal()
}

const AVC_CONFIGURATION: &[u8] = &[
    0x17, 0, 0, 0, 0, 1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 2, 0x68, 2,
];
const AVC_KEY_FRAME: &[u8] = &[0x17, 1, 0, 0, 0, 0, 0, 0, 2, 0x65, 9];

#[test]
fn a_digest_handshake_is_answered_and_what_follows_is_kept() {
    let mut session = Session::new(Config::default());
    let mut client = Handshake::new(PeerType::Client);
    session
        .receive(&client.generate_outbound_p0_and_p1().unwrap())
        .unwrap();
    let result = client.process_bytes(&session.take_output()).unwrap();
    let HandshakeProcessResult::Completed { response_bytes, .. } = result else {
        panic!("the client goes on");
    };
    assert!(!session.is_open());
    session
        .receive(&[&response_bytes[..], &[2]].concat())
        .unwrap();
    assert!(session.is_open());
    assert_eq!(session.input, [2][..]);
}

#[test]
fn what_is_no_rtmp_is_refused_at_its_first_byte() {
    for other in [b"GET / HTTP/1.1".as_slice(), b"\x16\x03\x01", b"\x06"] {
        let mut session = Session::new(Config::default());
        let refused = session.receive(other).unwrap_err();
        assert_eq!(refused, Error::Handshake(HandshakeError));
    }
}

#[test]
fn a_publisher_goes_from_connect_to_end() {
    let mut publisher = Publisher::new();
    let app = Value::from([("app", "live/".into()), ("tcUrl", "rtmp://h/live".into())]);
    publisher.command(0, "connect", 1.0, &[app]).unwrap();
    let answers = publisher.answers();
    let kinds: Vec<_> = answers.iter().map(|message| message.kind).collect();
    assert_eq!(
        kinds,
        [5, 6, 20],
        "the reader took the chunk size for itself"
    );
    let values = amf0::read(&answers[2].payload).unwrap();
    assert_eq!(values[..2], ["_result".into(), Value::from(1.0)]);
    let Some(Value::Array(codes)) = values[2].get("fourCcList") else {
        panic!("no list");
    };
    let codes: Vec<_> = codes.iter().filter_map(Value::text).collect();
    assert_eq!(codes, ["avc1", "hvc1", "av01", "vp09", "mp4a", "Opus"]);
    assert_eq!(values[3].get("capsEx"), Some(&Value::Number(4.0)));

    let name = [Value::Null, "tl_key".into()];
    publisher.command(0, "releaseStream", 2.0, &name).unwrap();
    publisher.command(0, "FCPublish", 3.0, &name).unwrap();
    publisher
        .command(0, "createStream", 4.0, &[Value::Null])
        .unwrap();
    let created = amf0::read(&publisher.answers()[2].payload).unwrap();
    let expected = ["_result".into(), 4.0.into(), Value::Null, 1.0.into()];
    assert_eq!(created, expected);

    let events = publisher.publish("tl_key").unwrap();
    assert_eq!(requested(&events), "tl_key");
    assert!(
        !format!("{events:?}").contains("tl_key"),
        "keys are not shown"
    );
    assert_eq!(publisher.words().0, [""; 0], "it waits");
    publisher.session.accept();
    let start = ["onFCPublish", "onStatus"].map(|name| format!("{name} NetStream.Publish.Start"));
    assert_eq!(publisher.words().0, start);

    publisher.send(kind::VIDEO, 0, AVC_CONFIGURATION).unwrap();
    let events = publisher.send(kind::VIDEO, 40, AVC_KEY_FRAME).unwrap();
    assert!(matches!(&events[..], [Event::Video(unit)] if unit.keyframe));

    let events = publisher.command(0, "FCUnpublish", 6.0, &name).unwrap();
    assert!(matches!(events[..], [Event::Unpublished]));
    let end = ["onFCUnpublish", "onStatus"].map(|n| format!("{n} NetStream.Unpublish.Success"));
    assert_eq!(publisher.words().0, end);
    let delete = [Value::Null, 1.0.into()];
    assert_eq!(
        publisher
            .command(0, "deleteStream", 7.0, &delete)
            .unwrap()
            .len(),
        0
    );
    let events = publisher.publish("tl_other").unwrap();
    assert_eq!(requested(&events), "tl_other", "it may begin anew");
}

#[test]
fn a_key_in_the_url_is_taken() {
    let mut publisher = Publisher::new();
    let app = Value::from([("app", "live?key=tl_url".into())]);
    publisher.command(0, "connect", 1.0, &[app]).unwrap();
    assert_eq!(requested(&publisher.publish("x").unwrap()), "tl_url");
}

#[test]
fn refusals_reach_the_encoder_with_words() {
    for (refusal, code) in [
        (Refusal::BadName("No such key.".to_owned()), "BadName"),
        (Refusal::Unauthorized("Revoked.".to_owned()), "Unauthorized"),
    ] {
        for is_live in [false, true] {
            let mut publisher = Publisher::connected();
            publisher.publish("tl_key").unwrap();
            if is_live {
                publisher.session.accept();
                publisher.answers();
            }
            publisher.session.refuse(&refusal);
            let (names, words) = publisher.words();
            assert_eq!(names, [format!("onStatus NetStream.Publish.{code}")]);
            assert!(
                matches!(&refusal, Refusal::BadName(w) | Refusal::Unauthorized(w) if *w == words)
            );
            assert_eq!(
                publisher.send(kind::VIDEO, 0, AVC_KEY_FRAME).unwrap().len(),
                0
            );
        }
    }
}

#[test]
fn wrong_applications_are_refused_and_not_repeated() {
    for app in ["", "other", "live/tl_secret", "tl_secret"] {
        let mut publisher = Publisher::new();
        let object = Value::from([("app", app.into())]);
        let refused = publisher.command(0, "connect", 1.0, &[object]).unwrap_err();
        assert_eq!(refused, Error::App("live".to_owned()));
        let (names, words) = publisher.words();
        assert_eq!(names, ["_error NetConnection.Connect.Rejected"]);
        assert!(words.contains("/live") && !words.contains("secret"));
    }
}

#[test]
fn commands_out_of_order_are_refused() {
    let key = [Value::Null, "tl_key".into()];
    for name in [
        "publish",
        "createStream",
        "play",
        "deleteStream",
        "nonsense",
    ] {
        let mut publisher = Publisher::new();
        let refused = publisher.command(0, name, 1.0, &key).unwrap_err();
        assert_eq!(refused, Error::Command("came before `connect`"));
    }
    let mut twice = Publisher::connected();
    let refused = twice.command(0, "connect", 1.0, &[Value::Null]);
    assert_eq!(refused.unwrap_err(), Error::Command("`connect` came twice"));
    let mut twice = Publisher::publishing();
    let refused = twice.publish("tl_other").unwrap_err();
    assert_eq!(refused, Error::Command("`publish` came twice"));
    assert_eq!(twice.words().0, ["onStatus NetStream.Publish.Failed"]);
}

#[test]
fn who_wants_to_watch_is_told_where() {
    let mut viewer = Publisher::connected();
    let refused = viewer.command(1, "play", 3.0, &[Value::Null, "x".into()]);
    assert_eq!(refused.unwrap_err(), Error::Play);
    let (names, words) = viewer.words();
    assert_eq!(names, ["onStatus NetStream.Play.Failed"]);
    assert_eq!(words, Error::Play.to_string());
}

#[test]
fn a_missing_key_is_told() {
    let mut publisher = Publisher::connected();
    assert_eq!(publisher.publish("").unwrap_err(), Error::NoKey);
    assert_eq!(publisher.words().0, ["onStatus NetStream.Publish.BadName"]);
    let mut publisher = Publisher::connected();
    let short = publisher.command(1, "publish", 5.0, &[]).unwrap_err();
    assert_eq!(short, Error::NoKey);
}

/// Each ends the process, or the thread, that reads it with `rml_rtmp` 0.8.
#[test]
fn what_rml_rtmp_dies_of_is_read_or_refused() {
    let short = b"\x0a\x1b\0\0\0\0\0\x14\xff\xff\xff\xff\xff\0\0\xff\xff\xff\xff\0\x4a";
    assert!(Publisher::connected().bytes(short).is_err());
    let mut short = Publisher::connected();
    assert_eq!(
        short
            .send(kind::COMMAND_AMF0, 0, b"\x02\0\x01x")
            .unwrap()
            .len(),
        0
    );
    assert_eq!(
        short
            .send(kind::COMMAND_AMF3, 0, b"\0\x02\0\x01x")
            .unwrap()
            .len(),
        0
    );
    let nameless = short.send(kind::COMMAND_AMF0, 0, b"").unwrap_err();
    assert_eq!(nameless, Error::Command("has no name"));

    let mut nested = BytesMut::from(&b"\x02\0\x07connect\0\x3f\xf0\0\0\0\0\0\0"[..]);
    nested.extend(b"\x03\0\x01a".repeat(10_000));
    let refused = Publisher::new().send(kind::COMMAND_AMF0, 0, &nested);
    assert_eq!(refused.unwrap_err(), Error::Amf0(Amf0Error::Depth));

    let mut interleaved = Publisher::publishing();
    let mut chunks = BytesMut::new();
    chunks.put_slice(&[4, 0, 0, 0, 0, 3, 0xe8, kind::VIDEO, 1, 0, 0, 0]);
    chunks.put_bytes(0x27, 128);
    chunks.put_slice(&[5, 0, 0, 0, 0, 0, 10, kind::AUDIO, 1, 0, 0, 0]);
    chunks.put_bytes(0xaf, 10);
    assert_eq!(interleaved.bytes(&chunks).unwrap().len(), 0);
    assert_eq!(interleaved.session.messages(), 3, "connect, publish, sound");
}

#[test]
fn commands_in_amf3_messages_are_amf0_behind_a_byte() {
    let mut publisher = Publisher::new();
    let mut connect = BytesMut::from(&[0][..]);
    let app = Value::from([("app", "live".into())]);
    for value in ["connect".into(), 1.0.into(), app] {
        amf0::write(&value, &mut connect);
    }
    publisher.send(kind::COMMAND_AMF3, 0, &connect).unwrap();
    assert_eq!(
        publisher.words().0,
        ["_result NetConnection.Connect.Success"]
    );
}

#[test]
fn metadata_names_the_encoder_and_broken_metadata_is_counted() {
    let mut publisher = Publisher::publishing();
    let mut payload = BytesMut::new();
    let encoder = format!("Lavf\n{}", "x".repeat(200));
    let object = Value::from([("encoder", encoder.as_str().into())]);
    for value in ["@setDataFrame".into(), "onMetaData".into(), object] {
        amf0::write(&value, &mut payload);
    }
    let events = publisher.send(kind::DATA_AMF0, 0, &payload).unwrap();
    let [Event::Metadata(metadata)] = &events[..] else {
        panic!("{events:?}");
    };
    let encoder = metadata.encoder.as_deref().unwrap();
    assert!(encoder.starts_with("Lavfx") && encoder.len() == MOST_ENCODER);
    let nested = b"\x0a\0\0\0\x01".repeat(100);
    assert_eq!(
        publisher.send(kind::DATA_AMF0, 0, &nested).unwrap().len(),
        0
    );
    assert_eq!(publisher.session.counts().broken, 1);
}

#[test]
fn a_codec_without_a_place_is_named_to_the_encoder() {
    let mut publisher = Publisher::publishing();
    let refused = publisher
        .send(kind::AUDIO, 0, &[0x2f, 0xff, 0xfb])
        .unwrap_err();
    assert!(matches!(refused, Error::Unsupported(_)));
    let (names, words) = publisher.words();
    assert_eq!(names, ["onStatus NetStream.Publish.Failed"]);
    assert_eq!(
        words,
        "MP3 audio is not supported: set the encoder to AAC or Opus"
    );
}

#[test]
fn media_before_publish_is_dropped_and_counted() {
    let mut publisher = Publisher::connected();
    publisher.send(kind::VIDEO, 0, AVC_CONFIGURATION).unwrap();
    assert_eq!(publisher.session.counts().unexpected, 1);
}

#[test]
fn bytes_are_acknowledged_by_window_and_pings_answered() {
    let mut publisher = Publisher::publishing();
    publisher
        .send(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, 0, &[0; 4])
        .unwrap();
    for _ in 0..3 {
        publisher
            .send(kind::AUDIO, 0, &[0xaf, 2].repeat(5_000))
            .unwrap();
    }
    let [acknowledgement] = &publisher.answers()[..] else {
        panic!("one a window, however small the peer wishes it");
    };
    assert_eq!(acknowledgement.kind, kind::ACKNOWLEDGEMENT);
    publisher
        .send(kind::USER_CONTROL, 0, &[0, 6, 1, 2, 3, 4])
        .unwrap();
    publisher.send(kind::USER_CONTROL, 0, &[0, 6, 1]).unwrap();
    publisher
        .send(kind::USER_CONTROL, 0, &[0, 3, 0, 0, 0, 1, 0, 0, 0, 1])
        .unwrap();
    let answers = publisher.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].payload, [0, 7, 1, 2, 3, 4][..]);
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut publisher = Publisher::publishing();
    publisher.send(kind::VIDEO, 0, AVC_CONFIGURATION).unwrap();
    let mut aggregate = BytesMut::new();
    for (timestamp, tag) in [(7_000_u64, AVC_KEY_FRAME), (7_040, AVC_KEY_FRAME)] {
        aggregate.put_u8(kind::VIDEO);
        aggregate.put_uint(tag.len() as u64, 3);
        aggregate.put_uint(timestamp, 3);
        aggregate.put_u32(0);
        aggregate.put_slice(tag);
        aggregate.put_u32(0);
    }
    aggregate.put_slice(&[9, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 1]);
    let events = publisher.send(kind::AGGREGATE, 1_000, &aggregate).unwrap();
    let [Event::Video(first), Event::Video(second)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!((second.dts - first.dts).as_millis(), 40);
    assert_eq!(first.codec, VideoCodec::H264);
}

#[test]
fn nothing_is_read_while_a_request_waits() {
    let mut publisher = Publisher::connected();
    publisher.publish("tl_key").unwrap();
    assert_eq!(
        publisher
            .send(kind::VIDEO, 0, AVC_CONFIGURATION)
            .unwrap()
            .len(),
        0
    );
    publisher.session.accept();
    let events = publisher.send(kind::VIDEO, 0, AVC_KEY_FRAME).unwrap();
    assert!(matches!(events[..], [Event::Video(_)]));
}

proptest! {
    #[test]
    fn no_messages_make_a_session_panic(
        messages in prop::collection::vec(
            (0_u8..24, any::<u32>(), prop::collection::vec(any::<u8>(), 0..60)),
            0..12,
        ),
        is_publishing in any::<bool>(),
    ) {
        let mut publisher = match is_publishing {
            true => Publisher::publishing(),
            false => Publisher::connected(),
        };
        for (kind, timestamp, payload) in messages {
            if publisher.send(kind, timestamp, &payload).is_err() {
                break;
            }
        }
    }

    #[test]
    fn no_bytes_make_a_handshake_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..4_000),
        at_once in 1_usize..2_000,
    ) {
        let mut session = Session::new(Config::default());
        session.receive(&[3]).unwrap();
        for piece in bytes.chunks(at_once) {
            if session.receive(piece).is_err() || session.next_event().is_err() {
                break;
            }
        }
    }
}

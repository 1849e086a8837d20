//! What the server says (RTMP 1.0 §5.4, §7.2, Enhanced RTMP v2 "Enhancing NetConnection").

use bytes::BytesMut;

use crate::amf0::{self, Value};
use crate::chunk::{ChunkWriter, Message, kind};

use super::Refusal;

/// Answers that wait to be sent.
pub(super) struct Output {
    writer: ChunkWriter,
    bytes: BytesMut,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            writer: ChunkWriter::new(),
            bytes: BytesMut::new(),
        }
    }

    pub(super) fn bytes(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// A protocol control or user control message.
    pub(super) fn control(&mut self, kind: u8, payload: &[u8]) {
        self.send(CONTROL, kind, 0, payload);
    }

    /// What `connect` waits for, with the limits that hold from now on.
    pub(super) fn connected(&mut self, transaction: f64) {
        self.control(kind::WINDOW_ACKNOWLEDGEMENT_SIZE, &WINDOW.to_be_bytes());
        let bandwidth = [&WINDOW.to_be_bytes()[..], &[DYNAMIC]].concat();
        self.control(kind::SET_PEER_BANDWIDTH, &bandwidth);
        self.control(kind::SET_CHUNK_SIZE, &CHUNK_SIZE.to_be_bytes());
        self.writer.set_chunk_size(CHUNK_SIZE);
        let mut properties = vec![
            ("fmsVer".to_owned(), Value::from("FMS/3,5,7,7009")),
            ("capabilities".to_owned(), Value::from(31.0)),
        ];
        properties.extend(enhanced());
        let mut status = status(STATUS, "NetConnection.Connect.Success", "Connected.");
        status.push(("objectEncoding".to_owned(), Value::from(0.0)));
        // Servers differ in which of both objects it stands, so encoders look into either.
        status.extend(enhanced());
        let answer = [Value::Object(properties), Value::Object(status)];
        self.command(0, "_result", transaction, answer);
    }

    pub(super) fn connect_refused(&mut self, transaction: f64, words: &str) {
        let status = status(ERROR, "NetConnection.Connect.Rejected", words);
        let answer = [Value::Null, Value::Object(status)];
        self.command(0, "_error", transaction, answer);
    }

    /// The answer to a command that has one value for answer.
    pub(super) fn result(&mut self, transaction: f64, value: Value) {
        self.command(0, "_result", transaction, [Value::Null, value]);
    }

    pub(super) fn publish_started(&mut self, stream: u32, is_announced: bool) {
        let begin = [&STREAM_BEGIN.to_be_bytes()[..], &stream.to_be_bytes()].concat();
        self.control(kind::USER_CONTROL, &begin);
        let words = "Publishing.";
        if is_announced {
            self.status("onFCPublish", stream, STATUS, PUBLISH_START, words);
        }
        self.status("onStatus", stream, STATUS, PUBLISH_START, words);
    }

    pub(super) fn refused(&mut self, stream: u32, refusal: &Refusal) {
        let (code, words) = match refusal {
            Refusal::BadName(words) => (BAD_NAME, words),
            Refusal::Unauthorized(words) => (UNAUTHORIZED, words),
        };
        self.status("onStatus", stream, ERROR, code, words);
    }

    pub(super) fn no_key(&mut self, stream: u32, words: &str) {
        self.status("onStatus", stream, ERROR, BAD_NAME, words);
    }

    pub(super) fn play_refused(&mut self, stream: u32, words: &str) {
        let code = "NetStream.Play.Failed";
        self.status("onStatus", stream, ERROR, code, words);
    }

    /// A publication that cannot go on.
    pub(super) fn failed(&mut self, stream: u32, words: &str) {
        let code = "NetStream.Publish.Failed";
        self.status("onStatus", stream, ERROR, code, words);
    }

    pub(super) fn unpublished(&mut self, stream: u32, is_announced: bool) {
        let (code, words) = ("NetStream.Unpublish.Success", "The stream has ended.");
        if is_announced {
            self.status("onFCUnpublish", stream, STATUS, code, words);
        }
        self.status("onStatus", stream, STATUS, code, words);
    }

    fn status(&mut self, name: &str, stream: u32, level: &str, code: &str, words: &str) {
        let status = Value::Object(status(level, code, words));
        self.command(stream, name, 0.0, [Value::Null, status]);
    }

    fn command(&mut self, stream: u32, name: &str, transaction: f64, values: [Value; 2]) {
        let mut payload = BytesMut::new();
        amf0::write(&name.into(), &mut payload);
        amf0::write(&transaction.into(), &mut payload);
        for value in &values {
            amf0::write(value, &mut payload);
        }
        self.send(COMMAND, kind::COMMAND_AMF0, stream, &payload);
    }

    fn send(&mut self, csid: u8, kind: u8, stream: u32, payload: &[u8]) {
        let message = Message {
            kind,
            stream,
            timestamp: 0,
            payload: payload.to_vec().into(),
        };
        self.writer.write(csid, &message, &mut self.bytes);
    }
}

fn status(level: &str, code: &str, words: &str) -> Vec<(String, Value)> {
    let properties = [("level", level), ("code", code), ("description", words)];
    let properties = properties.into_iter();
    let named = properties.map(|(name, text)| (name.to_owned(), text.into()));
    named.collect()
}

/// What of Enhanced RTMP is understood.
fn enhanced() -> [(String, Value); 4] {
    let codes = VIDEO_CODES.iter().chain(&AUDIO_CODES);
    let list = codes.map(|code| (*code).into()).collect();
    let map = |codes: &[&str]| {
        let codes = codes.iter();
        let able = codes.map(|code| ((*code).to_owned(), Value::from(CAN_DECODE_AND_FORWARD)));
        Value::Object(able.collect())
    };
    [
        ("fourCcList".to_owned(), Value::Array(list)),
        ("videoFourCcInfoMap".to_owned(), map(&VIDEO_CODES)),
        ("audioFourCcInfoMap".to_owned(), map(&AUDIO_CODES)),
        ("capsEx".to_owned(), MOD_EX.into()),
    ]
}

const VIDEO_CODES: [&str; 4] = ["avc1", "hvc1", "av01", "vp09"];
const AUDIO_CODES: [&str; 2] = ["mp4a", "Opus"];
/// `FourCcInfoMask`: `CanDecode` and `CanForward`.
const CAN_DECODE_AND_FORWARD: f64 = 5.0;
/// `CapsExMask`: neither reconnect requests nor multitrack.
const MOD_EX: f64 = 4.0;

/// Bytes after which peers acknowledge, and may send: no bound on a stream.
const WINDOW: u32 = 5_000_000;
/// Limit type of `Set Peer Bandwidth` (§5.4.5).
const DYNAMIC: u8 = 2;
/// Longer than any answer.
const CHUNK_SIZE: u32 = 4_096;
/// User control event (§7.1.7).
const STREAM_BEGIN: u16 = 0;

/// Chunk streams: the one for control messages (§5.4), and one for commands.
const CONTROL: u8 = 2;
const COMMAND: u8 = 3;

const STATUS: &str = "status";
const ERROR: &str = "error";
const PUBLISH_START: &str = "NetStream.Publish.Start";
const BAD_NAME: &str = "NetStream.Publish.BadName";
const UNAUTHORIZED: &str = "NetStream.Publish.Unauthorized";

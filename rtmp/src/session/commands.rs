//! What each command does (RTMP 1.0 §7.2, and what Flash Media Live Encoder added).

use crate::amf0::Value;

use super::command::Command;
use super::{Connected, Error, Event, PublishRequest, Session, State, key};

impl Session {
    pub(super) fn command(&mut self, command: &Command) -> Result<Option<Event>, Error> {
        match (command.name.as_str(), &self.state) {
            ("connect", State::Connecting) => self.connect(command)?,
            ("connect", _) => return Err(Error::Command("`connect` came twice")),
            (_, State::Connecting) => return Err(Error::Command("came before `connect`")),
            ("createStream", _) => {
                let stream = Value::from(f64::from(STREAM));
                self.output.result(command.transaction, stream);
            }
            ("releaseStream", _) => self.output.result(command.transaction, Value::Undefined),
            ("FCPublish", _) => {
                self.is_announced = true;
                self.output.result(command.transaction, Value::Undefined);
            }
            ("publish", State::Connected(connected)) => {
                let connected = connected.clone();
                return self.publish(command, connected).map(Some);
            }
            ("publish", _) => return Err(Error::Command("`publish` came twice")),
            ("FCUnpublish" | "deleteStream" | "closeStream", State::Publishing(..)) => {
                return Ok(self.unpublish(command));
            }
            ("play" | "play2", _) => {
                self.output
                    .play_refused(command.stream, &Error::Play.to_string());
                return Err(Error::Play);
            }
            // What no answer is waited for, from `_checkbw` to whatever an encoder says of itself.
            _ => {}
        }
        Ok(None)
    }

    /// §7.2.1.1.
    fn connect(&mut self, command: &Command) -> Result<(), Error> {
        let text = |name| command.object.get(name).and_then(Value::text);
        let (app, query) = key::split_query(text("app").unwrap_or_default());
        let app = app.trim_matches('/');
        if app != self.config.app {
            let error = Error::App(self.config.app.clone());
            let words = error.to_string();
            self.output.connect_refused(command.transaction, &words);
            return Err(error);
        }
        let (_, url_query) = key::split_query(text("tcUrl").unwrap_or_default());
        let key = key::of_query(query).or_else(|| key::of_query(url_query));
        self.state = State::Connected(Connected {
            app: app.to_owned(),
            key,
        });
        self.output.connected(command.transaction);
        Ok(())
    }

    /// §7.2.2.6. Whatever kind of stream is asked for, it is published live.
    fn publish(&mut self, command: &Command, connected: Connected) -> Result<Event, Error> {
        let name = command.arguments.first().and_then(Value::text);
        let name = name.unwrap_or_default();
        let Some(key) = key::of_stream(name, connected.key.as_ref()) else {
            let error = Error::NoKey;
            self.output.no_key(command.stream, &error.to_string());
            return Err(error);
        };
        let app = connected.app.clone();
        self.state = State::Asked(connected, command.stream);
        Ok(Event::PublishRequested(PublishRequest { app, key }))
    }

    /// Encoders send up to three commands for it; the first ends the stream.
    fn unpublish(&mut self, command: &Command) -> Option<Event> {
        let State::Publishing(connected, stream) = &self.state else {
            return None;
        };
        let stream = *stream;
        self.state = State::Connected(connected.clone());
        self.demuxer.restart();
        self.aggregate = None;
        let is_announced = std::mem::take(&mut self.is_announced);
        let tells = is_announced && command.name == "FCUnpublish";
        self.output.unpublished(stream, tells);
        Some(Event::Unpublished)
    }
}

/// The only message stream that is ever created.
const STREAM: u32 = 1;

//! Planned streams as a calendar (RFC 5545) that programs follow: an event keeps its UID, and its
//! SEQUENCE rises with each change, also with the one that cancels it.

use icalendar::{Calendar, Component, Event, EventStatus};
use jiff::{SignedDuration, Timestamp};

use super::{Stream, StreamState, stream_uuid};

/// Whose calendar it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Feed<'a> {
    /// The channel's name.
    pub(super) name: &'a str,
    pub(super) handle: &'a str,
    /// How the reader reached us.
    pub(super) origin: &'a str,
}

/// How long an event lasts that nobody knows the end of.
const USUAL_LENGTH: SignedDuration = SignedDuration::from_hours(1);

/// The calendar of these streams of a channel.
pub(super) fn in_text(feed: Feed<'_>, streams: &[Stream]) -> String {
    let mut calendar = Calendar::new();
    calendar.name(feed.name);
    for event in streams.iter().filter_map(|stream| event(feed, stream)) {
        calendar.push(event);
    }
    calendar.done().to_string()
}

fn event(feed: Feed<'_>, stream: &Stream) -> Option<Event> {
    let plan = stream.schedule.as_ref()?;
    let mut event = Event::new();
    event
        .uid(&format!("{}@tallylight", stream_uuid(stream.id)))
        .sequence(stream.revision)
        .summary(match stream.details.title.as_str() {
            "" => feed.name,
            title => title,
        })
        .status(match stream.state {
            StreamState::Cancelled => EventStatus::Cancelled,
            _ => EventStatus::Confirmed,
        })
        .add_property("DTSTAMP", utc(stream.changed_at))
        .add_property("DTSTART", utc(plan.at))
        .add_property("DTEND", utc(plan.at + USUAL_LENGTH))
        .url(&format!("{}/@{}", feed.origin, feed.handle));
    if !stream.details.description.is_empty() {
        event.description(&stream.details.description);
    }
    Some(event.done())
}

fn utc(at: Timestamp) -> String {
    at.strftime("%Y%m%dT%H%M%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Schedule;
    use super::*;
    use crate::channels::ChannelId;

    #[test]
    fn an_event_keeps_its_uid_and_tells_of_changes() {
        let now: Timestamp = "2026-05-01T18:00:00Z".parse().unwrap();
        let feed = Feed {
            name: "Ada",
            handle: "ada",
            origin: "https://x.example",
        };
        let mut stream = Stream {
            state: StreamState::Scheduled,
            schedule: Some(Schedule {
                at: now,
                time_zone: "Europe/Berlin".to_owned(),
            }),
            ..Stream::new(ChannelId(Uuid::nil()), now)
        };
        stream.details.title = "Tea; cake, and\nBEGIN:VALARM".to_owned();
        let first = in_text(feed, &[stream.clone()]);
        let uid = format!("UID:{}@tallylight\r\n", stream_uuid(stream.id));
        for line in [
            uid.as_str(),
            "SEQUENCE:0\r\n",
            "STATUS:CONFIRMED\r\n",
            "DTSTART:20260501T180000Z\r\n",
            "DTEND:20260501T190000Z\r\n",
            "URL:https://x.example/@ada\r\n",
            "SUMMARY:Tea\\; cake\\, and\\nBEGIN:VALARM\r\n",
        ] {
            assert!(first.contains(line), "{line} in {first}");
        }
        (stream.state, stream.revision) = (StreamState::Cancelled, 1);
        let second = in_text(feed, &[stream]);
        for line in [uid.as_str(), "SEQUENCE:1\r\n", "STATUS:CANCELLED\r\n"] {
            assert!(second.contains(line), "{line} in {second}");
        }
    }
}

//! The steps that a stream takes by hand: start, end, publish, cancel, and what becomes of one that
//! nobody came to. Pure; a step that makes no sense is refused with the state that it is in.

use jiff::{SignedDuration, Timestamp};

use super::{Stream, StreamState, taking};
use crate::error::ApiError;

/// One that was started by hand waits for its publisher this long.
pub(super) const WAITS: SignedDuration = SignedDuration::from_mins(15);

/// It waits for its publisher from now on; one that waits already does so anew.
pub(super) fn start(stream: &mut Stream, now: Timestamp) -> Result<(), ApiError> {
    match stream.state {
        StreamState::Scheduled | StreamState::Preparing => {
            stream.state = StreamState::Preparing;
            stream.preparing_until = now.checked_add(WAITS).ok();
            Ok(())
        }
        StreamState::Live => Err(already_live()),
        StreamState::Ended | StreamState::Cancelled => {
            Err(refused(stream, "started; make a new one"))
        }
    }
}

/// It waits no longer, or is on air no longer.
pub(super) fn end(stream: &mut Stream, now: Timestamp) -> Result<(), ApiError> {
    match stream.state {
        StreamState::Preparing => {
            give_up(stream, now);
            Ok(())
        }
        StreamState::Live => {
            (stream.state, stream.ended_at) = (StreamState::Ended, Some(now));
            Ok(())
        }
        StreamState::Scheduled => Err(refused(stream, "ended; cancel it")),
        StreamState::Ended | StreamState::Cancelled => Err(refused(stream, "ended")),
    }
}

/// It is shown to everybody from now on.
pub(super) fn publish(stream: &mut Stream, now: Timestamp) -> Result<(), ApiError> {
    match stream.state {
        StreamState::Ended | StreamState::Cancelled => Err(refused(stream, "published")),
        _ if !stream.publish_at_button || stream.published_at.is_some() => {
            Err(ApiError::Conflict {
                code: "already_published",
                detail: "the stream is published already".to_owned(),
            })
        }
        _ => {
            stream.published_at = Some(now);
            Ok(())
        }
    }
}

/// It will not take place.
pub(super) fn cancel(stream: &mut Stream, now: Timestamp) -> Result<(), ApiError> {
    match stream.state {
        StreamState::Scheduled | StreamState::Preparing => {
            (stream.state, stream.ended_at) = (StreamState::Cancelled, Some(now));
            stream.preparing_until = None;
            Ok(())
        }
        StreamState::Live => Err(refused(stream, "cancelled; end it")),
        StreamState::Ended | StreamState::Cancelled => Err(refused(stream, "cancelled")),
    }
}

/// Nobody came to it in time: it is planned again where its time has not passed, else over.
pub(super) fn give_up(stream: &mut Stream, now: Timestamp) {
    stream.preparing_until = None;
    let plan = stream.schedule.as_ref();
    let is_awaited = plan.is_some_and(|plan| now.duration_since(plan.at) <= taking::LATE);
    if is_awaited {
        stream.state = StreamState::Scheduled;
    } else {
        (stream.state, stream.ended_at) = (StreamState::Ended, Some(now));
    }
}

/// Whether a stream may be edited, and how far.
pub(super) fn check_editable(stream: &Stream, changes_time: bool) -> Result<(), ApiError> {
    match stream.state {
        StreamState::Cancelled => Err(refused(stream, "edited; make a new one")),
        StreamState::Live | StreamState::Ended if changes_time => {
            Err(refused(stream, "planned for another time"))
        }
        _ => Ok(()),
    }
}

pub(super) fn already_live() -> ApiError {
    ApiError::Conflict {
        code: "already_live",
        detail: "the channel has a stream that is live or being prepared; end that one first"
            .to_owned(),
    }
}

fn refused(stream: &Stream, what: &str) -> ApiError {
    ApiError::Conflict {
        code: "stream_state",
        detail: format!(
            "the stream is {}, so that it cannot be {what}",
            stream.state.as_str()
        ),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Schedule;
    use super::*;
    use crate::channels::ChannelId;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn stream(state: StreamState) -> Stream {
        Stream {
            state,
            schedule: Some(Schedule {
                at: NOW,
                time_zone: "UTC".to_owned(),
            }),
            ..Stream::new(ChannelId(Uuid::nil()), NOW)
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused_and_names_the_state() {
        type Step = fn(&mut Stream, Timestamp) -> Result<(), ApiError>;
        let steps: [(Step, [StreamState; 2]); 3] = [
            (start, [StreamState::Ended, StreamState::Cancelled]),
            (end, [StreamState::Scheduled, StreamState::Ended]),
            (cancel, [StreamState::Live, StreamState::Cancelled]),
        ];
        for (step, states) in steps {
            for state in states {
                let refused = step(&mut stream(state), NOW).unwrap_err().to_string();
                assert!(refused.contains(state.as_str()), "{refused}");
            }
        }
    }

    #[test]
    fn who_nobody_came_to_is_planned_again_while_its_time_has_not_passed() {
        let mut waiting = stream(StreamState::Preparing);
        give_up(&mut waiting, NOW + SignedDuration::from_hours(3));
        assert_eq!(waiting.state, StreamState::Scheduled);
        let mut waiting = stream(StreamState::Preparing);
        give_up(&mut waiting, NOW + SignedDuration::from_hours(4));
        assert_eq!(waiting.state, StreamState::Ended);
        assert_eq!(waiting.started_at(), None);
        let mut unplanned = Stream::new(ChannelId(Uuid::nil()), NOW);
        give_up(&mut unplanned, NOW);
        assert_eq!(unplanned.state, StreamState::Ended);
    }

    #[test]
    fn only_a_preview_is_published_and_once() {
        let mut live = stream(StreamState::Live);
        assert!(publish(&mut live, NOW).is_err(), "it is no preview");
        live.publish_at_button = true;
        assert!(live.is_preview() && !live.is_listed());
        publish(&mut live, NOW).unwrap();
        assert!(!live.is_preview() && live.is_listed());
        assert!(publish(&mut live, NOW).is_err());
    }
}

//! Which of a channel's streams a publisher who comes takes.

use jiff::{SignedDuration, Timestamp};

use super::{Stream, StreamState};

/// So long before its time a planned stream may begin.
pub(super) const EARLY: SignedDuration = SignedDuration::from_hours(1);
/// So long after its time it is still awaited; then it did not take place.
pub(super) const LATE: SignedDuration = SignedDuration::from_hours(3);

/// The one that was started by hand, else the planned one whose time is nearest.
pub(super) fn choose(streams: Vec<Stream>, now: Timestamp) -> Option<Stream> {
    streams
        .into_iter()
        .filter_map(|stream| Some((distance(&stream, now)?, stream)))
        .min_by_key(|(distance, stream)| (*distance, stream.id))
        .map(|(_, stream)| stream)
}

/// How far off it is; none where it is not to be taken.
fn distance(stream: &Stream, now: Timestamp) -> Option<SignedDuration> {
    match (stream.state, &stream.schedule) {
        (StreamState::Preparing, _) => Some(SignedDuration::MIN),
        (StreamState::Scheduled, Some(plan)) => {
            let ahead = plan.at.duration_since(now);
            (-LATE..=EARLY).contains(&ahead).then(|| ahead.abs())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::Schedule;
    use super::*;
    use crate::channels::ChannelId;

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn planned(minutes: i64) -> Stream {
        Stream {
            state: StreamState::Scheduled,
            schedule: Some(Schedule {
                at: NOW + SignedDuration::from_mins(minutes),
                time_zone: "UTC".to_owned(),
            }),
            ..Stream::new(ChannelId(Uuid::nil()), NOW)
        }
    }

    #[test]
    fn the_nearest_of_those_within_the_window_is_taken() {
        let (late, soon) = (planned(-100), planned(30));
        let taken = choose(vec![planned(61), late.clone(), soon.clone()], NOW);
        assert_eq!(taken, Some(soon));
        assert_eq!(choose(vec![planned(61), late.clone()], NOW), Some(late));
        assert_eq!(choose(vec![planned(61), planned(-181)], NOW), None);
    }

    #[test]
    fn what_was_started_by_hand_comes_first_and_what_was_cancelled_never() {
        let by_hand = Stream::new(ChannelId(Uuid::nil()), NOW);
        let taken = choose(vec![planned(0), by_hand.clone()], NOW);
        assert_eq!(taken, Some(by_hand));
        let cancelled = Stream {
            state: StreamState::Cancelled,
            ..planned(0)
        };
        assert_eq!(choose(vec![cancelled], NOW), None);
    }
}

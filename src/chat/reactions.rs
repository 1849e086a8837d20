//! Reactions: counted over a quarter of a second, so that thousands cost each reader one small frame.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::hall::{Floor, Hall};
use super::ledger::{Entry, Reacted};
use super::message::Person;
use super::protocol::{Event, REACTIONS};
use super::refusal::Refusal;
use super::words::Word;

/// Reactions of one tick.
#[derive(Debug, Default)]
pub(super) struct Reactions {
    counts: BTreeMap<&'static str, u32>,
    /// Those at other servers.
    elsewhere: BTreeMap<&'static str, u32>,
    /// For the middle of the times that they are about.
    stream_times: i64,
    timed: i64,
    kept: BTreeMap<(Uuid, i64, &'static str), u32>,
    is_due: bool,
}

/// Reactions are counted over this time.
const TICK: Duration = Duration::from_millis(250);

impl Hall {
    /// Counts a reaction.
    ///
    /// # Errors
    /// When it does not count.
    pub(crate) fn react(
        self: &Arc<Self>,
        who: &Person,
        emoji: &str,
        seen_ms: Option<i64>,
    ) -> Result<(), Refusal> {
        let known = REACTIONS.into_iter().find(|known| *known == emoji);
        let Some(emoji) = known else {
            let words = format!("react with one of {}", REACTIONS.join(" "));
            return Err(Refusal::new("emoji_unknown", words));
        };
        let now = self.now();
        let mut floor = self.lock();
        floor.room.react(now, who)?;
        let time = floor.room.stream_time(now.at, seen_ms);
        let stream = floor.room.on_air.map(|on_air| on_air.id);
        floor.reactions.add(emoji, stream.zip(time));
        self.send_reactions_soon(&mut floor);
        Ok(())
    }

    /// So many reacted so at another server.
    pub(crate) fn react_elsewhere(
        self: &Arc<Self>,
        stream_time_ms: Option<i64>,
        counts: impl Iterator<Item = (&'static str, u32)>,
    ) {
        let mut floor = self.lock();
        for (emoji, count) in counts {
            let known = floor.reactions.elsewhere.entry(emoji).or_default();
            *known = known.saturating_add(count);
        }
        if let Some(time) = stream_time_ms {
            floor.reactions.stream_times = floor.reactions.stream_times.saturating_add(time);
            floor.reactions.timed += 1;
        }
        self.send_reactions_soon(&mut floor);
    }

    fn send_reactions_soon(self: &Arc<Self>, floor: &mut Floor) {
        if !std::mem::replace(&mut floor.reactions.is_due, true) {
            let hall = Arc::clone(self);
            tokio::spawn(async move {
                tokio::time::sleep(TICK).await;
                hall.send_reactions();
            });
        }
    }

    fn send_reactions(&self) {
        let mut floor = self.lock();
        let reactions = std::mem::take(&mut floor.reactions);
        let stream_time_ms = reactions.stream_times.checked_div(reactions.timed);
        if self.bus.is_shared() && !reactions.counts.is_empty() {
            let counts = reactions.counts.iter();
            let counts = counts.map(|(emoji, count)| ((*emoji).to_owned(), *count));
            self.tell(&Word::Reacted {
                stream_time_ms,
                counts: counts.collect(),
            });
        }
        let mut counts = reactions.counts;
        for (emoji, count) in reactions.elsewhere {
            let known = counts.entry(emoji).or_default();
            *known = known.saturating_add(count);
        }
        let event = Event::Reactions {
            stream_time_ms,
            counts: &counts,
        };
        let frame = event.encode();
        for (_, reader) in floor.people() {
            reader.outbox.push(frame.clone(), true);
        }
        drop(floor);
        let kept = reactions.kept.into_iter();
        let kept: Vec<Reacted> = kept
            .map(|((stream, stream_time_ms, emoji), amount)| Reacted {
                channel: self.channel,
                stream,
                stream_time_ms,
                emoji,
                amount,
            })
            .collect();
        if !kept.is_empty() {
            self.ledger.try_write(Entry::Reactions(kept));
        }
    }
}

impl Reactions {
    fn add(&mut self, emoji: &'static str, at: Option<(Uuid, i64)>) {
        *self.counts.entry(emoji).or_default() += 1;
        let Some((stream, time)) = at else {
            return;
        };
        self.stream_times += time;
        self.timed += 1;
        let second = time - time.rem_euclid(1_000);
        *self.kept.entry((stream, second, emoji)).or_default() += 1;
    }
}

//! Follows the streams: each that is on air is packaged, in a task of its own, and played to its end.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use sfu::{Sfu, StreamId};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::awaited::Awaited;
use super::packaging::Packaging;
use super::shelf::Outcome;
use super::{LINGER, LOOKED_AT_EVERY, OnAir, Playback};
use crate::channels::ChannelId;
use crate::clock::Clock;
use crate::streams::{LiveChannel, StreamEvent, Streams, spans};

/// Follows the streams until the token is cancelled; then waits until all that is packaged is on
/// disk. Every stream that ends is told of as [`StreamEvent::Packaged`], whether it was or not; but not
/// while the server stops.
pub(in super::super) async fn run(
    playback: Playback,
    streams: Streams,
    (mut events, resumed): (broadcast::Receiver<StreamEvent>, Vec<Arc<OnAir>>),
    stop: CancellationToken,
) {
    let packages = playback.can_package().await;
    if packages {
        playback.prepare_transcoding().await;
    }
    let mut begun = HashSet::new();
    let mut tasks = JoinSet::new();
    if let Some(sweeping) = playback.sweep(&stop) {
        tasks.spawn(sweeping);
    }
    for on_air in resumed {
        if packages {
            begun.insert(on_air.stream);
            let back = Awaited::new(&streams, &on_air);
            package(&playback, &streams, on_air, Some(back), &stop, &mut tasks);
        } else {
            playback.close(&on_air);
        }
    }
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Ok(StreamEvent::Started { channel, .. }) if packages => {
                    if let Some(live) = streams.live_on(channel).await {
                        begun.insert(live.stream);
                        start(&playback, &streams, (&live, None), &stop, &mut tasks);
                    }
                }
                Ok(StreamEvent::TakenOver { channel, media, fence, .. }) if packages => {
                    if let Some(live) = streams.live_on(channel).await {
                        begun.insert(live.stream);
                        let from = Some((media, fence));
                        start(&playback, &streams, (&live, from), &stop, &mut tasks);
                    }
                }
                Ok(StreamEvent::HandedOver { stream, channel, .. }) => {
                    match begun.remove(&stream) {
                        true => playback.hand_over(stream),
                        false => {
                            let _ = streams.events.send(not_packaged(stream, channel));
                        }
                    }
                }
                Ok(StreamEvent::Updated { about, .. }) => playback.set_lock(&about),
                Ok(StreamEvent::Ended { stream, channel, .. }) if !begun.remove(&stream) => {
                    let _ = streams.events.send(not_packaged(stream, channel));
                }
                Ok(_) => {}
                Err(RecvError::Lagged(_)) if packages => {
                    for live in streams.live().await.into_iter().filter(|live| live.is_here) {
                        begun.insert(live.stream);
                        start(&playback, &streams, (&live, None), &stop, &mut tasks);
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => break,
            },
            Some(ended) = tasks.join_next() => report_panic(ended),
            () = stop.cancelled() => break,
        }
    }
    while let Some(ended) = tasks.join_next().await {
        report_panic(ended);
    }
}

/// Of a stream that was not packaged here.
fn not_packaged(stream: StreamId, channel: ChannelId) -> StreamEvent {
    StreamEvent::Packaged {
        stream,
        channel,
        media: stream,
    }
}

fn start(
    playback: &Playback,
    streams: &Streams,
    (live, from): (&LiveChannel, Option<(StreamId, u64)>),
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let newest = playback.newest(&live.channel.handle);
    let is_it = |on_air: &OnAir| on_air.stream == live.stream && !on_air.handed_over.is_cancelled();
    if newest.is_some_and(|on_air| is_it(&on_air)) {
        return;
    }
    let on_air = playback.begin(live, from);
    package(playback, streams, on_air, None, stop, tasks);
}

/// Packages a stream, once its publisher is back if it is awaited, to its end.
fn package(
    playback: &Playback,
    streams: &Streams,
    on_air: Arc<OnAir>,
    awaited: Option<Awaited>,
    stop: &CancellationToken,
    tasks: &mut JoinSet<()>,
) {
    let packaging = Packaging::new(&playback.0);
    let folder = on_air.folder.clone();
    let is_recorded = on_air.origin.keeps();
    let (playback, events) = (playback.clone(), streams.events.clone());
    let (sfu, stop): (Sfu, _) = (streams.sfu.clone(), stop.clone());
    let span = spans::packaging(on_air.stream, &on_air.handle);
    let packaging = async move {
        let is_there = match awaited {
            Some(awaited) => {
                on_air.thumbnails.find().await;
                tokio::select! {
                    is_back = awaited.comes_back() => is_back,
                    () = on_air.handed_over.cancelled() => false,
                    () = stop.cancelled() => false,
                }
            }
            None => true,
        };
        let mut shelving = playback.shelve(&on_air, &stop);
        // In a task of its own: a panic there must not leave a recording open.
        let packaged = packaging.run(Arc::clone(&on_air), sfu, is_there);
        report_panic(tokio::spawn(packaged.in_current_span()).await);
        let is_leaving = on_air.origin.is_leaving();
        let is_elsewhere = on_air.is_elsewhere.load(Ordering::SeqCst);
        if is_leaving && !is_elsewhere {
            if let Some(shelving) = shelving {
                shelving.end(Outcome::GoesOn).await;
            }
            return;
        }
        let _ = events.send(StreamEvent::Packaged {
            stream: on_air.stream,
            channel: on_air.channel,
            media: on_air.media,
        });
        if is_elsewhere {
            on_air.past.begin();
            if let Some(shelving) = shelving.take() {
                tokio::select! {
                    () = shelving.end(Outcome::Elsewhere) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
        tokio::select! {
            () = linger(&playback.0.clock) => {}
            // It was over at this server alone, which saw no other.
            () = on_air.handed_over.cancelled(), if !is_elsewhere => {}
            () = stop.cancelled() => {}
        }
        playback.close(&on_air);
        if let Some(shelving) = shelving {
            let outcome = match on_air.is_elsewhere.load(Ordering::SeqCst) {
                true => Outcome::Elsewhere,
                false => Outcome::Over,
            };
            tokio::select! {
                () = shelving.end(outcome) => {}
                () = stop.cancelled() => {}
            }
        }
        if !is_recorded {
            forget(&folder).await;
        }
    };
    tasks.spawn(packaging.instrument(span));
}

/// Waits for as long as viewers may be behind.
async fn linger(clock: &Clock) {
    let over = clock.instant() + LINGER;
    while clock.instant() < over {
        sleep(LOOKED_AT_EVERY).await;
    }
}

async fn forget(folder: &Path) {
    match tokio::fs::remove_dir_all(folder).await {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            tracing::warn!(%error, "Media of an ended stream cannot be deleted: {error}");
        }
        _ => {}
    }
}

fn report_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "The packaging of a stream failed: {error}");
    }
}

//! What it takes to let an audience wait for a part and to wake it, by a counting allocator.
//!
//! A binary of its own with one test, because the allocator counts for the whole process.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod feed;

use std::alloc::System;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use feed::{Feed, config, video};
use hls::{Config, Origin, PlaylistRequest, ReadError, Rendered};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::task::unconstrained;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const AUDIENCE: usize = 2_000;

/// Allocations of what is done.
fn allocations(what: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    what();
    let change = region.change();
    change.allocations + change.reallocations
}

async fn wait(origin: &Origin, msn: u64, part: usize) -> Result<Rendered, ReadError> {
    let request = PlaylistRequest {
        msn: Some(msn),
        part: Some(part),
        skip: true,
        ..PlaylistRequest::default()
    };
    origin.playlist("v0", request).await
}

/// Polls all of an audience once.
fn poll_all<F: Future>(audience: &mut [Pin<Box<F>>], mut each: impl FnMut(Poll<F::Output>)) {
    let mut context = Context::from_waker(Waker::noop());
    for viewer in audience {
        each(viewer.as_mut().poll(&mut context));
    }
}

#[tokio::test]
async fn nothing_is_made_for_each_who_waits_and_one_playlist_for_all() {
    let config = Config {
        waiters: AUDIENCE,
        ..config()
    };
    let origin = Origin::new(config, "");
    let mut feed = Feed::new(&origin, "v0", video());
    feed.parts(8);
    let known = pin!(origin.playlist("v0", PlaylistRequest::default()));
    let text = known.await.unwrap().text();
    let text = std::str::from_utf8(&text).unwrap();
    let hint = text.rsplit("#EXT-X-PRELOAD-HINT:").next().unwrap();
    let name = hint.split("URI=\"").nth(1).unwrap().split(".m4s").next();
    let (msn, part) = name.unwrap().split_once('.').unwrap();
    let (msn, part) = (msn.parse().unwrap(), part.parse().unwrap());

    let mut audience: Vec<_> = (0..AUDIENCE)
        // One task polls them all, which is more than its share.
        .map(|_| Box::pin(unconstrained(wait(&origin, msn, part))))
        .collect();
    let waiting = allocations(|| {
        poll_all(&mut audience, |polled| assert!(polled.is_pending()));
    });
    assert_eq!(waiting, 0, "for those who wait");

    feed.part();
    let mut answers: Vec<Rendered> = Vec::with_capacity(AUDIENCE);
    let waking = allocations(|| {
        poll_all(&mut audience, |polled| match polled {
            Poll::Ready(answer) => answers.push(answer.unwrap()),
            Poll::Pending => panic!("the part is there"),
        });
    });
    // One rendering, its buffer and its tag.
    assert!(waking < 20, "{waking} for those who are woken");
    let first = answers[0].brotli();
    let all_share = |bytes: bytes::Bytes| bytes.as_ptr() == first.as_ptr();
    assert!(answers.iter().all(|answer| all_share(answer.brotli())));
}

//! [`Readers`]: about how many people watch a stream by HLS.
//!
//! There are no sessions to count. A low-latency player always waits for the next playlist but for
//! moments, so that those who wait at the same time are those who watch; any other player asks once
//! a segment. What a cache in front answers is not seen here.

use std::sync::atomic::{AtomicU32, Ordering};

/// Of one stream.
#[derive(Debug, Default)]
pub(super) struct Readers {
    waiting: AtomicU32,
    /// The most that waited since the last count.
    most: AtomicU32,
    /// Requests since the last count that did not wait.
    polls: AtomicU32,
}

/// One who waits; dropping it ends that.
#[derive(Debug)]
pub(super) struct Waiting<'a>(&'a Readers);

impl Readers {
    pub(super) fn wait(&self) -> Waiting<'_> {
        let now = self.waiting.fetch_add(1, Ordering::Relaxed) + 1;
        self.most.fetch_max(now, Ordering::Relaxed);
        Waiting(self)
    }

    pub(super) fn poll(&self) {
        self.polls.fetch_add(1, Ordering::Relaxed);
    }

    /// Those of the time since the last count, which should be about a segment ago.
    pub(super) fn count(&self) -> u32 {
        let waiting = self.waiting.load(Ordering::Relaxed);
        let most = self.most.swap(waiting, Ordering::Relaxed);
        most + self.polls.swap(0, Ordering::Relaxed)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_and_those_who_ask_are_counted() {
        let readers = Readers::default();
        let first = readers.wait();
        drop((readers.wait(), readers.wait()));
        readers.poll();
        assert_eq!(readers.count(), 4, "three at once, and one that asked");
        assert_eq!(readers.count(), 1);
        drop(first);
        assert_eq!(readers.count(), 1, "it waited since the last count");
        assert_eq!(readers.count(), 0);
    }
}

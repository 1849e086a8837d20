//! [`Waiting`]: pictures on their way to a rung's thread.
//!
//! When there is no room pictures are left out, but never one that is to be a key frame: renditions
//! must begin their segments together.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use crate::rung::Picture;

/// A bounded queue between two threads.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    pictures: VecDeque<Picture>,
    is_closed: bool,
}

/// Pictures that may wait.
const MOST: usize = 4;

impl Waiting {
    /// Adds a picture. Returns whether none had to be left out for it, itself included. Never waits.
    pub(crate) fn offer(&self, picture: Picture) -> bool {
        let mut queue = self.lock();
        let mut is_full = queue.pictures.len() >= MOST;
        let all = !is_full;
        if is_full && picture.is_key {
            let spare = queue.pictures.iter().rposition(|waits| !waits.is_key);
            is_full = spare.and_then(|at| queue.pictures.remove(at)).is_none();
        }
        if !is_full {
            queue.pictures.push_back(picture);
        }
        drop(queue);
        self.changed.notify_one();
        all
    }

    /// Waits for the next picture; none when it is closed and empty.
    pub(crate) fn next(&self) -> Option<Picture> {
        let is_idle = |queue: &mut Queue| queue.pictures.is_empty() && !queue.is_closed;
        let waited = self.changed.wait_while(self.lock(), is_idle);
        let mut queue = waited.unwrap_or_else(PoisonError::into_inner);
        queue.pictures.pop_front()
    }

    /// Nothing more comes.
    pub(crate) fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gstreamer as gst;

    use super::*;

    fn picture(number: u64, is_key: bool) -> Picture {
        Picture {
            caps: gst::Caps::new_empty(),
            buffer: gst::Buffer::new(),
            pts: Duration::from_millis(number),
            is_key,
        }
    }

    #[test]
    fn key_frames_are_never_left_out() {
        gst::init().unwrap();
        let waiting = Waiting::default();
        let all: Vec<_> = (0..7)
            .map(|number| waiting.offer(picture(number, number == 0 || number == 6)))
            .collect();
        assert_eq!(all, [true, true, true, true, false, false, false]);
        waiting.close();
        let next = || waiting.next().map(|picture| picture.pts.as_millis());
        let left: Vec<_> = std::iter::from_fn(next).collect();
        assert_eq!(left, [0, 1, 2, 6]);
    }
}

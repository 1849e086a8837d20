//! The way out: datagrams gathered into runs that one system call sends.
//!
//! Those that follow each other to one peer and are of one size (the last may be shorter) become one
//! run, which the kernel or the card splits (UDP GSO). A frame to one viewer is mostly one run.

use std::net::SocketAddr;
use std::time::Instant;

use str0m::Rtc;
use str0m::net::{Protocol, Transmit};

/// From where to where datagrams go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
}

impl Path {
    pub(crate) fn of(transmit: &Transmit) -> Self {
        Self {
            protocol: transmit.proto,
            source: transmit.source,
            destination: transmit.destination,
        }
    }
}

/// Datagrams on their way out, as runs.
#[derive(Debug, Default)]
pub(crate) struct TransmitQueue {
    bytes: Vec<u8>,
    /// Bytes in front that are sent.
    sent: usize,
    runs: Vec<Run>,
    /// Runs in front that are sent.
    done: usize,
    /// Datagrams that found no room.
    dropped: u64,
}

/// Datagrams of one size to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) path: Path,
    start: usize,
    end: usize,
    /// Bytes of each datagram but the last.
    pub(crate) segment: usize,
    is_closed: bool,
}

/// The kernel's bound on segments of one send (`UDP_MAX_SEGMENTS`), and on its bytes.
const MOST_SEGMENTS: usize = 64;
const MOST_RUN_BYTES: usize = 65_000;
/// What may wait to be sent, in bytes: a key frame of 128 KiB to 500 viewers.
pub(crate) const MOST_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Worth a call: as much as stays in the cache of a core.
const MUCH_RUNS: usize = 64;
const MUCH_BYTES: usize = 256 * 1024;
/// No datagram is longer.
const LARGEST: usize = 65_535;
/// Room that is kept for the next time.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

impl TransmitQueue {
    /// Takes one datagram. Returns false, and drops it, when too much waits already.
    pub(crate) fn push(&mut self, path: Path, contents: &[u8]) -> bool {
        let written = self.write(path, |out| {
            out.extend_from_slice(contents);
            true
        });
        written.is_some()
    }

    /// Lets `write` append one datagram to what waits. Returns its length; `None` when `write` gave up
    /// or too much waits already.
    pub(crate) fn write(
        &mut self,
        path: Path,
        write: impl FnOnce(&mut Vec<u8>) -> bool,
    ) -> Option<usize> {
        if self.bytes.len() - self.sent + LARGEST > MOST_QUEUED_BYTES {
            self.dropped += 1;
            return None;
        }
        let start = self.bytes.len();
        if !write(&mut self.bytes) {
            self.bytes.truncate(start);
            return None;
        }
        let end = self.bytes.len();
        let size = end - start;
        match self.runs.last_mut() {
            Some(run) if run.path == path && run.end == start && run.has_room_for(size) => {
                run.end = end;
                run.is_closed = size < run.segment;
            }
            _ => self.runs.push(Run {
                path,
                start,
                end,
                segment: size,
                is_closed: false,
            }),
        }
        Some(size)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting().is_empty()
    }

    fn waiting(&self) -> &[Run] {
        self.runs.get(self.done..).unwrap_or_default()
    }

    /// Whether enough waits to be worth a call.
    pub(crate) fn is_much(&self) -> bool {
        self.waiting().len() >= MUCH_RUNS || self.bytes.len() - self.sent >= MUCH_BYTES
    }

    /// The runs in order, with their bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Run, &[u8])> {
        self.waiting()
            .iter()
            .filter_map(|run| Some((run, self.bytes.get(run.start..run.end)?)))
    }

    /// Forgets the first `count` runs, which are sent.
    pub(crate) fn forget(&mut self, count: usize) {
        self.done = self.done.saturating_add(count);
        let Some(first) = self.runs.get(self.done) else {
            self.runs.clear();
            self.done = 0;
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            return;
        };
        self.sent = first.start;
        if self.sent > self.bytes.len() / 2 || self.done > self.runs.len() / 2 {
            self.close_gap();
        }
    }

    /// Forgets `datagrams` of the first run.
    pub(crate) fn forget_of_first(&mut self, datagrams: usize) {
        let Some(run) = self.runs.get_mut(self.done) else {
            return;
        };
        run.start = run.end.min(run.start + datagrams * run.segment);
        if run.start == run.end {
            self.forget(1);
        }
    }

    /// Moves what is unsent to the front. As much was sent as is moved, bytes or runs.
    fn close_gap(&mut self) {
        self.bytes.drain(..self.sent);
        self.runs.drain(..self.done);
        for run in &mut self.runs {
            run.start -= self.sent;
            run.end -= self.sent;
        }
        self.sent = 0;
        self.done = 0;
    }

    /// Datagrams that found no room since the last call.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

impl Run {
    fn len(&self) -> usize {
        self.end - self.start
    }

    fn has_room_for(&self, size: usize) -> bool {
        self.path.protocol == Protocol::Udp
            && !self.is_closed
            && size <= self.segment
            && self.len() + size <= MOST_RUN_BYTES
            && self.datagrams() < MOST_SEGMENTS
    }

    /// How many datagrams the run is.
    pub(crate) fn datagrams(&self) -> usize {
        self.len().div_ceil(self.segment.max(1))
    }
}

/// Takes all that str0m has to say. Returns when it wants to be woken. `may_leave` is asked about each
/// datagram.
pub(crate) fn drain_into(
    rtc: &mut Rtc,
    queue: &mut TransmitQueue,
    mut may_leave: impl FnMut(&Transmit) -> bool,
    mut on_event: impl FnMut(str0m::Event),
) -> Result<Instant, str0m::RtcError> {
    loop {
        match rtc.poll_output()? {
            str0m::Output::Transmit(transmit) => {
                if may_leave(&transmit) {
                    queue.push(Path::of(&transmit), &transmit.contents);
                }
            }
            str0m::Output::Event(event) => on_event(event),
            str0m::Output::Timeout(at) => return Ok(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(protocol: Protocol) -> Path {
        Path {
            protocol,
            source: SocketAddr::from(([127, 0, 0, 1], 1)),
            destination: SocketAddr::from(([127, 0, 0, 1], 2)),
        }
    }

    fn queue(sizes: &[usize]) -> TransmitQueue {
        let mut queue = TransmitQueue::default();
        for size in sizes {
            assert!(queue.push(path(Protocol::Udp), &vec![0; *size]));
        }
        queue
    }

    #[test]
    fn datagram_that_is_given_up_leaves_nothing_behind() {
        let mut queue = queue(&[100]);
        let given_up = queue.write(path(Protocol::Udp), |out| {
            out.extend_from_slice(&[1; 50]);
            false
        });
        assert_eq!(given_up, None);
        assert!(queue.push(path(Protocol::Udp), &[2; 100]));
        let runs: Vec<_> = queue
            .runs()
            .map(|(run, bytes)| (run.segment, bytes))
            .collect();
        let both = [[0; 100], [2; 100]].concat();
        assert_eq!(runs, [(100, both.as_slice())]);
    }

    #[test]
    fn equal_sizes_make_one_run_that_a_shorter_one_closes() {
        let queue = queue(&[1200, 1200, 1200, 700, 1200, 1300]);
        let runs: Vec<_> = queue
            .runs()
            .map(|(run, bytes)| (run.segment, run.datagrams(), bytes.len()))
            .collect();
        assert_eq!(runs, [(1200, 4, 4300), (1200, 1, 1200), (1300, 1, 1300)]);
    }

    #[test]
    fn run_keeps_the_kernels_bounds() {
        let queue = queue(&vec![1200; 200]);
        assert!(
            queue
                .runs()
                .all(|(run, bytes)| run.datagrams() <= 64 && bytes.len() <= 65_000)
        );
        assert_eq!(
            queue.runs().map(|(run, _)| run.datagrams()).sum::<usize>(),
            200
        );
    }

    #[test]
    fn what_is_sent_makes_room_though_the_queue_is_never_empty() {
        let mut queue = queue(&[]);
        for number in 0..4_000u32 {
            let mut datagram = vec![0; 60_000];
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            assert!(queue.push(path(Protocol::Tcp), &datagram));
            if number >= 100 {
                let (_, oldest) = queue.runs().next().expect("something waits");
                assert_eq!(oldest[..4], (number - 100).to_be_bytes());
                queue.forget(1);
            }
        }
        assert_eq!(queue.take_dropped(), 0);
        assert!(queue.bytes.len() < 3 * 100 * 60_000);
    }

    #[test]
    fn run_is_forgotten_in_parts() {
        let mut queue = queue(&[1_200, 1_200, 700, 1_300]);
        queue.forget_of_first(2);
        let left: Vec<_> = queue
            .runs()
            .map(|(run, bytes)| (run.datagrams(), bytes.len()))
            .collect();
        assert_eq!(left, [(1, 700), (1, 1_300)]);
        queue.forget_of_first(1);
        assert_eq!(queue.runs().count(), 1);
        queue.forget_of_first(5);
        assert!(queue.is_empty());
    }

    #[test]
    fn thousands_of_runs_are_forgotten_one_by_one_without_being_moved_each_time() {
        let mut queue = queue(&[]);
        for _ in 0..20_000 {
            assert!(queue.push(path(Protocol::Tcp), &[1; 100]));
        }
        let mut moved = 0;
        while !queue.is_empty() {
            let before = queue.runs.len();
            queue.forget(1);
            moved += if queue.runs.len() < before {
                queue.runs.len()
            } else {
                0
            };
        }
        assert!(moved <= 20_000, "{moved} runs moved");
    }

    #[test]
    fn queue_that_is_full_drops_what_comes() {
        let mut queue = queue(&[]);
        let datagram = vec![0; 60_000];
        let taken = (0..2_000)
            .take_while(|_| queue.push(path(Protocol::Udp), &datagram))
            .count();
        assert!(taken.abs_diff(MOST_QUEUED_BYTES / 60_000) <= 2, "{taken}");
        assert_eq!((queue.take_dropped(), queue.take_dropped()), (1, 0));
    }
}

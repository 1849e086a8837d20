//! The way out: datagrams gathered into runs that one system call sends.
//!
//! str0m gives one datagram at a time. Those that follow each other to one peer and are of one size
//! (the last may be shorter) become one run, which the kernel or the card splits (UDP GSO). A frame
//! to one viewer is mostly one run.
//!
//! [`Egress`] is the border behind which the sealing and sending of media can be replaced.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::Rtc;
use str0m::net::{Protocol, Transmit};
use str0m::rtp::{RtpWrite, Ssrc};

/// How media packets become datagrams to one viewer.
pub(crate) trait Egress {
    /// Takes one packet for the outgoing stream `ssrc`; it leaves at the next drain.
    fn forward(&mut self, rtc: &mut Rtc, ssrc: Ssrc, packet: RtpWrite);
}

/// Sealing by str0m, one packet after the other.
#[derive(Debug, Default)]
pub(crate) struct Str0mEgress;

impl Egress for Str0mEgress {
    fn forward(&mut self, rtc: &mut Rtc, ssrc: Ssrc, packet: RtpWrite) {
        if let Some(stream) = rtc.direct_api().stream_tx(&ssrc) {
            stream.write_rtp(packet);
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
    /// Datagrams that found no room.
    dropped: u64,
}

/// Datagrams of one size to one peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) protocol: Protocol,
    pub(crate) source: SocketAddr,
    pub(crate) destination: SocketAddr,
    start: usize,
    end: usize,
    /// Bytes of each datagram but the last.
    pub(crate) segment: usize,
    is_closed: bool,
}

/// The kernel's bound on segments of one send (`UDP_MAX_SEGMENTS`), and on its bytes.
const MOST_SEGMENTS: usize = 64;
const MOST_RUN_BYTES: usize = 65_000;
/// A time-out that is no further off than this means at once.
const IMMEDIATE: Duration = Duration::from_micros(2);
/// What may wait to be sent, in bytes: a key frame of 128 KiB to 500 viewers. All of it is queued
/// before the first of it is sent.
pub(crate) const MOST_QUEUED_BYTES: usize = 64 * 1024 * 1024;
/// Room that is kept for the next time.
const KEPT_BYTES: usize = 16 * 1024 * 1024;

impl TransmitQueue {
    /// Takes one datagram. Returns false, and drops it, when too much waits already.
    pub(crate) fn push(&mut self, transmit: &Transmit) -> bool {
        self.push_raw(
            transmit.proto,
            transmit.source,
            transmit.destination,
            &transmit.contents,
        )
    }

    fn push_raw(
        &mut self,
        protocol: Protocol,
        source: SocketAddr,
        destination: SocketAddr,
        contents: &[u8],
    ) -> bool {
        if self.bytes.len() - self.sent + contents.len() > MOST_QUEUED_BYTES {
            self.dropped += 1;
            return false;
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(contents);
        let end = self.bytes.len();
        let size = contents.len();
        if let Some(run) = self.runs.last_mut()
            && run.protocol == protocol
            && protocol == Protocol::Udp
            && run.destination == destination
            && run.source == source
            && !run.is_closed
            && size <= run.segment
            && run.len() + size <= MOST_RUN_BYTES
            && run.datagrams() < MOST_SEGMENTS
        {
            run.end = end;
            run.is_closed = size < run.segment;
            return true;
        }
        self.runs.push(Run {
            protocol,
            source,
            destination,
            start,
            end,
            segment: size,
            is_closed: false,
        });
        true
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// The runs in order, with their bytes.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (&Run, &[u8])> {
        self.runs
            .iter()
            .filter_map(|run| Some((run, self.bytes.get(run.start..run.end)?)))
    }

    /// Forgets the first `count` runs, which are sent.
    pub(crate) fn forget(&mut self, count: usize) {
        if count >= self.runs.len() {
            self.runs.clear();
            self.sent = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
            return;
        }
        self.runs.drain(..count);
        self.sent = self.runs.first().map_or(0, |run| run.start);
        if self.sent > self.bytes.len() / 2 {
            self.close_gap();
        }
    }

    /// Moves what is unsent to the front. Each byte is moved for at least one that was sent.
    fn close_gap(&mut self) {
        self.bytes.drain(..self.sent);
        for run in &mut self.runs {
            run.start -= self.sent;
            run.end -= self.sent;
        }
        self.sent = 0;
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

    /// How many datagrams the run is.
    pub(crate) fn datagrams(&self) -> usize {
        self.len().div_ceil(self.segment.max(1))
    }
}

/// Takes all that str0m has to say at `now`. Returns when it wants to be woken.
///
/// Where bandwidth is estimated str0m lets one packet go for each time-out and asks for the next a
/// microsecond later, also for streams that it does not pace. It gets those microseconds at once, so
/// that a frame leaves in one go.
pub(crate) fn drain_into(
    rtc: &mut Rtc,
    now: Instant,
    queue: &mut TransmitQueue,
    mut on_event: impl FnMut(str0m::Event),
) -> Result<Instant, str0m::RtcError> {
    let mut clock = now;
    let mut has_sent = false;
    loop {
        match rtc.poll_output()? {
            str0m::Output::Transmit(transmit) => {
                has_sent = true;
                queue.push(&transmit);
            }
            str0m::Output::Event(event) => on_event(event),
            str0m::Output::Timeout(at) if has_sent && at <= clock + IMMEDIATE => {
                has_sent = false;
                clock = clock.max(at);
                rtc.handle_input(str0m::Input::Timeout(clock))?;
            }
            str0m::Output::Timeout(at) => return Ok(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queue(sizes: &[usize]) -> TransmitQueue {
        let source = SocketAddr::from(([127, 0, 0, 1], 1));
        let destination = SocketAddr::from(([127, 0, 0, 1], 2));
        let mut queue = TransmitQueue::default();
        for size in sizes {
            assert!(queue.push_raw(Protocol::Udp, source, destination, &vec![0; *size]));
        }
        queue
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
        let source = SocketAddr::from(([127, 0, 0, 1], 1));
        for number in 0..4_000u32 {
            let mut datagram = vec![0; 60_000];
            datagram[..4].copy_from_slice(&number.to_be_bytes());
            assert!(queue.push_raw(Protocol::Tcp, source, source, &datagram));
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
    fn queue_that_is_full_drops_what_comes() {
        let mut queue = queue(&[]);
        let source = SocketAddr::from(([127, 0, 0, 1], 1));
        let datagram = vec![0; 60_000];
        let taken = (0..2_000)
            .take_while(|_| queue.push_raw(Protocol::Udp, source, source, &datagram))
            .count();
        assert_eq!(taken, MOST_QUEUED_BYTES / 60_000);
        assert_eq!((queue.take_dropped(), queue.take_dropped()), (1, 0));
    }
}

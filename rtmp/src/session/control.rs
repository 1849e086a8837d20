//! Acknowledgements (RTMP 1.0 §5.4.3) and pings (§7.1.7).

use crate::chunk::kind;

use super::answers::Output;

/// Counts what came, and tells the peer once a window.
pub(super) struct Acknowledgements {
    /// Bytes by now, as the message has them: they wrap.
    received: u32,
    since_last: u32,
    window: u32,
}

impl Default for Acknowledgements {
    fn default() -> Self {
        Self {
            received: 0,
            since_last: 0,
            window: FIRST_WINDOW,
        }
    }
}

impl Acknowledgements {
    /// `Window Acknowledgement Size` (§5.4.4). A window of nothing would have each byte answered.
    pub(super) fn set_window(&mut self, payload: &[u8]) {
        if let Some(window) = payload.first_chunk::<4>() {
            self.window = u32::from_be_bytes(*window).max(LEAST_WINDOW);
        }
    }

    pub(super) fn count(&mut self, bytes: usize, output: &mut Output) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.received = self.received.wrapping_add(bytes);
        self.since_last = self.since_last.saturating_add(bytes);
        if self.since_last >= self.window {
            self.since_last = 0;
            output.control(kind::ACKNOWLEDGEMENT, &self.received.to_be_bytes());
        }
    }
}

/// Answers a ping with what it holds; all else is of players.
pub(super) fn answer(payload: &[u8], output: &mut Output) {
    if let Some((event, rest)) = payload.split_first_chunk::<2>()
        && u16::from_be_bytes(*event) == PING_REQUEST
        && let Some(time) = rest.first_chunk::<4>()
    {
        let response = [&PING_RESPONSE.to_be_bytes()[..], time].concat();
        output.control(kind::USER_CONTROL, &response);
    }
}

const FIRST_WINDOW: u32 = 2_500_000;
const LEAST_WINDOW: u32 = 16 * 1024;
/// User control events.
const PING_REQUEST: u16 = 6;
const PING_RESPONSE: u16 = 7;

//! [`Rate`]: how much may pass; [`Sources`]: one for each network that asks. Pure.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A bucket of so many units that is filled again evenly, kept as the moment at which it is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rate {
    units_per_second: u64,
    /// What it takes to fill it.
    depth: Duration,
    full_at: Duration,
}

impl Rate {
    /// Full, of what comes in `depth`.
    pub(crate) fn new(units_per_second: u64, depth: Duration) -> Self {
        Self {
            units_per_second,
            depth,
            full_at: Duration::ZERO,
        }
    }

    /// Takes so many, or none if there are fewer.
    pub(crate) fn take(&mut self, units: usize, now: Duration) -> bool {
        let nanos = u64::try_from(units).unwrap_or(u64::MAX);
        let nanos = nanos.saturating_mul(1_000_000_000);
        let Some(nanos) = nanos.checked_div(self.units_per_second) else {
            return false;
        };
        let cost = Duration::from_nanos(nanos);
        let full_at = self.full_at.max(now).saturating_add(cost);
        let is_there = full_at.saturating_sub(now) <= self.depth;
        if is_there {
            self.full_at = full_at;
        }
        is_there
    }

    fn is_full(&self, now: Duration) -> bool {
        self.full_at <= now
    }
}

/// Answers by network. It holds so many networks; when they all have asked just now, others get none.
#[derive(Debug)]
pub(crate) struct Sources {
    answers_per_second: u32,
    rates: HashMap<IpAddr, Rate>,
    /// When those were last forgotten that have not asked for a while. All are then looked at, which
    /// must not happen for each datagram of a flood.
    swept_at: Duration,
}

/// Some 1.5 MB.
const MOST_SOURCES: usize = 16_384;
/// How long it takes until a network has all its answers again.
const FULL_AFTER: Duration = Duration::from_secs(1);

impl Sources {
    /// No second has more than so many for one network.
    pub(crate) fn new(answers_per_second: u32) -> Self {
        Self {
            answers_per_second,
            rates: HashMap::new(),
            swept_at: Duration::ZERO,
        }
    }

    /// Takes an answer for that address.
    pub(crate) fn take(&mut self, address: IpAddr, now: Duration) -> bool {
        let network = network(address, 24, 48);
        if self.rates.len() >= MOST_SOURCES && !self.rates.contains_key(&network) {
            if now.saturating_sub(self.swept_at) >= FULL_AFTER {
                self.swept_at = now;
                self.rates.retain(|_, rate| !rate.is_full(now));
            }
            if self.rates.len() >= MOST_SOURCES {
                return false;
            }
        }
        // What is saved and what comes anew within a second together.
        let rate = Rate::new(u64::from(self.answers_per_second.div_ceil(2)), FULL_AFTER);
        self.rates.entry(network).or_insert(rate).take(1, now)
    }
}

/// The network of an address: so many of its first bits.
pub(crate) fn network(address: IpAddr, ipv4_bits: u32, ipv6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(ipv4_bits));
            Ipv4Addr::from_bits(ip.to_bits() & mask.unwrap_or(0)).into()
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(ipv6_bits));
            Ipv6Addr::from_bits(ip.to_bits() & mask.unwrap_or(0)).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// How many of so many, one each millisecond, are there.
    fn taken(rate: &mut Rate, units: usize, tries: u32, start: Duration) -> u32 {
        let moments = (0..tries).map(|at| start + Duration::from_millis(at.into()));
        let taken = moments.filter(|now| rate.take(units, *now));
        u32::try_from(taken.count()).unwrap()
    }

    #[test]
    fn an_average_is_kept_and_a_burst_passes() {
        let mut rate = Rate::new(625_000, 2 * SECOND);
        // A burst of 1.25 MB, and no more.
        let burst = (0..2_000).filter(|_| rate.take(1_250, SECOND)).count();
        assert_eq!(burst, 1_000);
        // Behind it 500 packets a second.
        assert_eq!(taken(&mut rate, 1_250, 10_000, SECOND), 4_999);
        // Rest fills it.
        let burst = (0..2_000).filter(|_| rate.take(1_250, 60 * SECOND)).count();
        assert_eq!(burst, 1_000);
        assert!(!rate.take(usize::MAX, 600 * SECOND));
        assert!(!Rate::new(0, SECOND).take(1, SECOND));
    }

    #[test]
    fn no_second_has_more_than_a_hundred_answers_for_a_network() {
        let mut sources = Sources::new(100);
        let address = |last| IpAddr::from([192, 0, 2, last]);
        let mut answered = Vec::new();
        for at in 0..5_000_u32 {
            let now = Duration::from_millis(at.into());
            if sources.take(address(u8::try_from(at % 256).unwrap()), now) {
                answered.push(at);
            }
        }
        for start in 0..4_000 {
            let within = answered
                .iter()
                .filter(|at| (start..start + 1_000).contains(*at));
            assert!(within.count() <= 100);
        }
        assert!(answered.len() >= 250, "{} were answered", answered.len());
        assert!(sources.take(IpAddr::from([192, 0, 3, 1]), Duration::ZERO));
    }

    #[test]
    fn memory_is_bounded_and_comes_back() {
        let mut sources = Sources::new(100);
        let address = |number: usize| {
            let bits = u128::try_from(number).unwrap() << 80;
            IpAddr::from(Ipv6Addr::from_bits(bits))
        };
        let answered = |sources: &mut Sources, now| {
            let tries = (1..=2 * MOST_SOURCES).filter(|n| sources.take(address(*n), now));
            tries.count()
        };
        assert_eq!(answered(&mut sources, SECOND), MOST_SOURCES);
        assert_eq!(sources.rates.len(), MOST_SOURCES);
        assert_eq!(answered(&mut sources, 3 * SECOND), MOST_SOURCES);
        assert!(sources.take(address(3 * MOST_SOURCES), 9 * SECOND));
        assert_eq!(sources.rates.len(), 1);
    }

    #[test]
    fn networks_are_by_their_first_bits() {
        let of = |address: &str| network(address.parse().unwrap(), 24, 48).to_string();
        assert_eq!(of("192.0.2.77"), "192.0.2.0");
        assert_eq!(of("::ffff:192.0.2.77"), "192.0.2.0");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
        assert_eq!(
            network(IpAddr::from([1, 2, 3, 4]), 32, 64).to_string(),
            "1.2.3.4"
        );
    }
}

//! [`Places`]: how many connections there are, and how many more may come. Pure.
//!
//! Strangers and publishers whose key was accepted have pools of their own: however many strangers
//! come, a publisher who is on air stays, and however many publish from one address, others may.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

use crate::channels::ChannelId;

/// Who is here, by the id of what serves it; RTMP and RTMPS together.
#[derive(Debug)]
pub(super) struct Places<Id> {
    unverified: HashMap<Id, IpAddr>,
    publishing: HashMap<Id, ChannelId>,
}

/// Of what there is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub(super) enum Full {
    #[error("too many connections have not shown a stream key yet")]
    Unverified,
    #[error("too many connections of one address have not shown a stream key yet")]
    Address,
    #[error("the server has no room for another publisher by RTMP; try again later")]
    Publishing,
    #[error("too many connections publish with a key of this channel; close the others first")]
    Channel,
}

/// Connections without an accepted key at once, whoever has them, and of one address.
const MOST_UNVERIFIED: usize = 128;
const MOST_OF_ADDRESS: usize = 16;
/// Connections with one; the SFU has a bound of its own for the sessions that they become.
const MOST_PUBLISHING: usize = 1_024;
/// Connections in all.
pub(super) const MOST: usize = MOST_UNVERIFIED + MOST_PUBLISHING;
/// Of one channel: a publisher and those that mean to take over from it.
const MOST_OF_CHANNEL: usize = 8;

impl<Id: Eq + Hash> Places<Id> {
    pub(super) fn new() -> Self {
        Self {
            unverified: HashMap::new(),
            publishing: HashMap::new(),
        }
    }

    /// Whether one more of that address may come. This machine itself may have all places.
    pub(super) fn room_for(&self, address: IpAddr) -> Result<(), Full> {
        let place = sfu::neighbourhood(address);
        let of_address = self.unverified.values().filter(|known| **known == place);
        let is_own = address.to_canonical().is_loopback();
        if self.unverified.len() >= MOST_UNVERIFIED {
            Err(Full::Unverified)
        } else if !is_own && of_address.count() >= MOST_OF_ADDRESS {
            Err(Full::Address)
        } else {
            Ok(())
        }
    }

    /// Takes a place among those without a key.
    pub(super) fn take(&mut self, id: Id, address: IpAddr) {
        self.unverified.insert(id, sfu::neighbourhood(address));
    }

    /// The key of this one was accepted for a channel: its place is another's. It keeps it when there is
    /// no place among publishers, for as long as it takes to tell it.
    pub(super) fn publish(&mut self, id: Id, channel: ChannelId) -> Result<(), Full> {
        let others = self.publishing.iter().filter(|(other, _)| **other != id);
        let of_channel = others.clone().filter(|(_, theirs)| **theirs == channel);
        if others.count() >= MOST_PUBLISHING {
            return Err(Full::Publishing);
        }
        if of_channel.count() >= MOST_OF_CHANNEL {
            return Err(Full::Channel);
        }
        self.unverified.remove(&id);
        self.publishing.insert(id, channel);
        Ok(())
    }

    pub(super) fn leave(&mut self, id: &Id) {
        self.unverified.remove(id);
        self.publishing.remove(id);
    }

    /// How many are without a key, and with one.
    pub(super) fn numbers(&self) -> (usize, usize) {
        (self.unverified.len(), self.publishing.len())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn channel(number: usize) -> ChannelId {
        ChannelId(Uuid::from_u128(u128::try_from(number).unwrap()))
    }

    /// Lets so many in as come and find a place. Ids rise.
    fn come(places: &mut Places<usize>, address: &str, count: usize) -> usize {
        let address = address.parse().unwrap();
        let before = places.numbers().0;
        for _ in 0..count {
            if places.room_for(address).is_ok() {
                let id = places.unverified.keys().chain(places.publishing.keys());
                let id = id.max().map_or(0, |last| last + 1);
                places.take(id, address);
            }
        }
        places.numbers().0 - before
    }

    /// Has so many show their keys, each of a channel of its own.
    fn publish(places: &mut Places<usize>, ids: std::ops::Range<usize>) {
        for id in ids {
            assert_eq!(places.publish(id, channel(id)), Ok(()));
        }
    }

    #[test]
    fn one_address_has_sixteen_and_others_are_not_hurt() {
        let mut places = Places::new();
        assert_eq!(come(&mut places, "192.0.2.1", 40), 16);
        assert_eq!(come(&mut places, "192.0.2.2", 40), 16);
        // Who leaves makes room.
        places.leave(&3);
        assert_eq!(places.room_for("192.0.2.1".parse().unwrap()), Ok(()));
        let other = "192.0.2.2".parse().unwrap();
        assert_eq!(places.room_for(other), Err(Full::Address));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let mut places = Places::new();
        assert_eq!(come(&mut places, "2001:db8::1", 10), 10);
        assert_eq!(come(&mut places, "2001:db8::2", 10), 6);
        assert_eq!(come(&mut places, "2001:db8:0:1::2", 10), 10);
        // As IPv4 looks on a socket of both kinds.
        assert_eq!(come(&mut places, "::ffff:192.0.2.1", 40), 16);
        assert_eq!(come(&mut places, "192.0.2.1", 40), 0);
    }

    #[test]
    fn this_machine_may_have_all_places_and_no_more() {
        for address in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(come(&mut Places::new(), address, 300), 128);
        }
        let mut places = Places::new();
        for last in 1..=8 {
            assert_eq!(come(&mut places, &format!("192.0.2.{last}"), 40), 16);
        }
        for address in ["192.0.2.99", "127.0.0.1"] {
            let room = places.room_for(address.parse().unwrap());
            assert_eq!(room, Err(Full::Unverified));
        }
    }

    #[test]
    fn who_publishes_takes_no_place_of_who_comes() {
        let mut places = Places::new();
        for first in (0..80).step_by(16) {
            assert_eq!(come(&mut places, "192.0.2.1", 40), 16, "behind one NAT");
            publish(&mut places, first..first + 16);
        }
        assert_eq!(places.numbers(), (0, 80));
        for last in 2..=9 {
            assert_eq!(come(&mut places, &format!("192.0.2.{last}"), 40), 16);
        }
        assert_eq!(places.numbers(), (128, 80), "strangers everywhere");
        assert_eq!(places.publish(80, channel(80)), Ok(()));
        assert_eq!(places.numbers(), (127, 81));
        places.leave(&80);
        places.leave(&0);
        assert_eq!(places.numbers(), (127, 79));
    }

    #[test]
    fn publishers_are_bounded_in_all_and_on_a_channel() {
        let mut places = Places::new();
        let shared = channel(2_000);
        for id in 0..8 {
            places.take(id, IpAddr::from([127, 0, 0, 1]));
            assert_eq!(places.publish(id, shared), Ok(()));
        }
        places.take(8, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(places.publish(8, shared), Err(Full::Channel));
        assert_eq!(places.numbers(), (1, 8), "until it was told");
        assert_eq!(places.publish(8, channel(8)), Ok(()));
        publish(&mut places, 9..1_024);
        assert_eq!(places.publish(1_024, channel(1_024)), Err(Full::Publishing));
        // Another publication on the same connection, of the same channel or not.
        assert_eq!(places.publish(7, shared), Ok(()));
        assert_eq!(places.publish(7, channel(7)), Ok(()));
        assert_eq!(places.numbers(), (0, 1_024));
        places.leave(&7);
        assert_eq!(places.publish(1_024, shared), Ok(()));
    }
}

//! [`Places`]: how many connections there are, and how many more one address may have.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;

/// Who is here, by the id of what serves it; RTMP and RTMPS together.
#[derive(Debug)]
pub(super) struct Places<Id> {
    taken: HashMap<Id, IpAddr>,
}

/// Connections at once, whoever has them, and of one address.
const MOST: usize = 256;
const MOST_OF_ADDRESS: usize = 16;

impl<Id: Eq + Hash> Places<Id> {
    pub(super) fn new() -> Self {
        Self {
            taken: HashMap::new(),
        }
    }

    /// Whether one more of that address may come. This machine itself may have all places.
    pub(super) fn is_free_for(&self, address: IpAddr) -> bool {
        let place = sfu::neighbourhood(address);
        let most = match address.to_canonical().is_loopback() {
            true => MOST,
            false => MOST_OF_ADDRESS,
        };
        let of_address = self.taken.values().filter(|known| **known == place).count();
        self.taken.len() < MOST && of_address < most
    }

    pub(super) fn take(&mut self, id: Id, address: IpAddr) {
        self.taken.insert(id, sfu::neighbourhood(address));
    }

    pub(super) fn leave(&mut self, id: &Id) {
        self.taken.remove(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets so many in as come and find a place.
    fn come(places: &mut Places<usize>, address: &str, count: usize) -> usize {
        let address = address.parse().unwrap();
        let before = places.taken.len();
        for _ in 0..count {
            if places.is_free_for(address) {
                places.take(places.taken.len(), address);
            }
        }
        places.taken.len() - before
    }

    #[test]
    fn one_address_has_sixteen_and_others_are_not_hurt() {
        let mut places = Places::new();
        assert_eq!(come(&mut places, "192.0.2.1", 40), 16);
        assert_eq!(come(&mut places, "192.0.2.2", 40), 16);
        // Who leaves makes room.
        places.leave(&3);
        assert!(places.is_free_for("192.0.2.1".parse().unwrap()));
        assert!(!places.is_free_for("192.0.2.2".parse().unwrap()));
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
            assert_eq!(come(&mut Places::new(), address, 300), 256);
        }
        let mut places = Places::new();
        for last in 1..=16 {
            assert_eq!(come(&mut places, &format!("192.0.2.{last}"), 40), 16);
        }
        assert_eq!(come(&mut places, "192.0.2.99", 1), 0);
        assert_eq!(come(&mut places, "127.0.0.1", 1), 0);
    }
}

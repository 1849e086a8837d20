//! [`Ledger`]: who has how many allocations, and [`Doors`]: how many connections. Both give places that
//! are free again when they are dropped.
//!
//! Their locks are taken when something begins or ends, never for a datagram.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::config::Limits;
use crate::rate::network;
use crate::routes::Routes;

/// Allocations by user and address, and the users that were ended.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    count: usize,
    users: HashMap<Box<str>, Vec<Arc<Routes>>>,
    addresses: HashMap<IpAddr, usize>,
    /// Until when a user's credentials could hold, since 1970.
    ended: HashMap<Box<str>, Duration>,
}

/// An allocation's place. Its routes end with it.
#[derive(Debug)]
pub(crate) struct Place {
    ledger: Arc<Ledger>,
    routes: Arc<Routes>,
    user: Box<str>,
    address: IpAddr,
}

/// There is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Full;

/// Users that were ended are remembered until their credentials expire, but no more than so many.
const MOST_ENDED: usize = 65_536;

impl Ledger {
    /// A place for one more allocation of that user from that address.
    pub(crate) fn enter(
        self: &Arc<Self>,
        user: &str,
        address: IpAddr,
        routes: Arc<Routes>,
        limits: &Limits,
    ) -> Result<Place, Full> {
        let address = network(address, 32, 64);
        let mut pages = self.lock();
        let of_user = pages.users.get(user).map_or(0, Vec::len);
        let of_address = pages.addresses.get(&address).copied().unwrap_or(0);
        if pages.count >= limits.allocations
            || of_user >= limits.allocations_per_user
            || of_address >= limits.allocations_per_address
        {
            return Err(Full);
        }
        pages.count = pages.count.saturating_add(1);
        let of_user = pages.users.entry(user.into()).or_default();
        of_user.push(Arc::clone(&routes));
        pages
            .addresses
            .insert(address, of_address.saturating_add(1));
        drop(pages);
        Ok(Place {
            ledger: Arc::clone(self),
            routes,
            user: user.into(),
            address,
        })
    }

    /// Ends all that a user has, and lets it have nothing more until `until` (since 1970).
    pub(crate) fn end_user(&self, user: &str, until: Duration, unix_now: Duration) {
        let mut pages = self.lock();
        for routes in pages.users.get(user).into_iter().flatten() {
            routes.end();
        }
        if pages.ended.len() >= MOST_ENDED {
            pages.ended.retain(|_, until| *until > unix_now);
        }
        if pages.ended.len() < MOST_ENDED {
            pages.ended.insert(user.into(), until);
        }
    }

    pub(crate) fn has_ended(&self, user: &str, unix_now: Duration) -> bool {
        let pages = self.lock();
        pages.ended.get(user).is_some_and(|until| *until > unix_now)
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().count
    }

    fn leave(&self, place: &Place) {
        let mut pages = self.lock();
        pages.count = pages.count.saturating_sub(1);
        if let Some(of_user) = pages.users.get_mut(&place.user) {
            of_user.retain(|routes| !Arc::ptr_eq(routes, &place.routes));
            if of_user.is_empty() {
                pages.users.remove(&place.user);
            }
        }
        release(&mut pages.addresses, place.address);
    }

    fn lock(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.routes.end();
        self.ledger.leave(self);
    }
}

/// Connections, in all and by address.
#[derive(Debug)]
pub(crate) struct Doors {
    most: usize,
    most_of_address: usize,
    inside: Mutex<(usize, HashMap<IpAddr, usize>)>,
}

/// A connection's place.
#[derive(Debug)]
pub(crate) struct Inside {
    doors: Arc<Doors>,
    address: IpAddr,
}

impl Doors {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            most: limits.connections,
            most_of_address: limits.connections_per_address,
            inside: Mutex::default(),
        }
    }

    pub(crate) fn enter(self: &Arc<Self>, address: IpAddr) -> Result<Inside, Full> {
        let address = network(address, 32, 64);
        let mut inside = self.lock();
        let of_address = inside.1.get(&address).copied().unwrap_or(0);
        if inside.0 >= self.most || of_address >= self.most_of_address {
            return Err(Full);
        }
        inside.0 = inside.0.saturating_add(1);
        inside.1.insert(address, of_address.saturating_add(1));
        drop(inside);
        Ok(Inside {
            doors: Arc::clone(self),
            address,
        })
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().0
    }

    fn lock(&self) -> MutexGuard<'_, (usize, HashMap<IpAddr, usize>)> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut inside = self.doors.lock();
        inside.0 = inside.0.saturating_sub(1);
        release(&mut inside.1, self.address);
    }
}

fn release(addresses: &mut HashMap<IpAddr, usize>, address: IpAddr) {
    if let Some(count) = addresses.get_mut(&address) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            addresses.remove(&address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::peers::Peers;

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn routes() -> Arc<Routes> {
        Arc::new(Routes::new(Peers::new([])))
    }

    #[test]
    fn users_addresses_and_all_together_are_bounded_and_leave_no_trace() {
        let limits = Limits {
            allocations: 6,
            allocations_per_user: 2,
            allocations_per_address: 3,
            ..Limits::default()
        };
        let ledger = Arc::new(Ledger::default());
        let enter = |user: &str, last| ledger.enter(user, address(last), routes(), &limits);
        let mut places = vec![enter("a", 1).unwrap(), enter("a", 2).unwrap()];
        assert!(enter("a", 3).is_err(), "two a user");
        places.extend([enter("b", 1).unwrap(), enter("c", 1).unwrap()]);
        assert!(enter("d", 1).is_err(), "three an address");
        places.extend([enter("d", 4).unwrap(), enter("e", 5).unwrap()]);
        assert!(enter("f", 6).is_err(), "six in all");
        places.remove(0);
        places.push(enter("a", 1).unwrap());
        places.clear();
        let pages = ledger.lock();
        assert!(pages.count == 0 && pages.users.is_empty() && pages.addresses.is_empty());
    }

    #[test]
    fn an_ended_user_loses_all_and_gets_nothing_while_credentials_could_hold() {
        let ledger = Arc::new(Ledger::default());
        let (theirs, others) = (routes(), routes());
        let limits = Limits::default();
        let places = [("a", &theirs), ("b", &others)].map(|(user, routes)| {
            let routes = Arc::clone(routes);
            ledger.enter(user, address(1), routes, &limits).unwrap()
        });
        let seconds = Duration::from_secs;
        ledger.end_user("a", seconds(200), seconds(100));
        assert!(theirs.ended().is_cancelled() && !others.ended().is_cancelled());
        assert!(ledger.has_ended("a", seconds(199)) && !ledger.has_ended("a", seconds(200)));
        assert!(!ledger.has_ended("b", seconds(100)));
        drop(places);
        assert!(others.ended().is_cancelled(), "with its place");
    }

    #[test]
    fn connections_are_bounded_by_address_and_in_all() {
        let doors = Arc::new(Doors::new(&Limits {
            connections: 3,
            connections_per_address: 2,
            ..Limits::default()
        }));
        let first = doors.enter(address(1)).unwrap();
        let second = doors.enter(address(1)).unwrap();
        assert!(doors.enter(address(1)).is_err());
        let third = doors.enter(address(2)).unwrap();
        assert!(doors.enter(address(3)).is_err());
        drop((first, second));
        assert_eq!(doors.count(), 1);
        let again = doors.enter(address(1)).unwrap();
        drop((third, again));
        assert!(doors.count() == 0 && doors.lock().1.is_empty());
    }
}

//! How many may come: by address, in all, and who may when it is nearly full.
//!
//! Who is admitted is never worse off for those who are not: a viewer above a bound is told that the server is full,
//! and plays by HLS.

use std::net::IpAddr;
use std::time::Duration;

use sfu::{OfferError, Role};

use super::super::live::Live;
use super::super::{Refused, View, signalling};
use super::Lifecycle;
use crate::channels::ChannelId;

/// When somebody who found no place should ask again.
const LATER: Duration = Duration::from_secs(10);

impl Lifecycle {
    /// Refuses an address that leaves too many sessions unconnected, and everybody while draining.
    pub(super) fn check_room(&self, address: IpAddr) -> Result<(), Refused> {
        if self.draining.is_cancelled() {
            return Err(Refused::Draining);
        }
        let most = signalling::allowance(
            self.limits.half_open_per_address,
            self.limits.loopback_factor,
            address,
        );
        let address = sfu::neighbourhood(address);
        let half_open = self
            .sessions
            .values()
            .filter(|session| !session.connected && session.address == address)
            .take(usize::try_from(most).unwrap_or(usize::MAX))
            .count();
        if half_open < usize::try_from(most).unwrap_or(usize::MAX) {
            Ok(())
        } else {
            Err(Refused::HalfOpen)
        }
    }

    /// Whether one more may watch.
    pub(super) fn check_viewer(&self, view: &View) -> Result<(), Refused> {
        let address = sfu::neighbourhood(view.address);
        let of = |role| {
            self.sessions
                .values()
                .filter(move |session| session.facts.role == role)
        };
        let most = self.limits.viewers_for(view.has_priority);
        let at_once = of(Role::Viewer).count();
        let most_here = self.limits.viewers_per_address;
        let here = of(Role::Viewer)
            .filter(|session| session.address == address)
            .count();
        match at_once < most && (most_here == 0 || here < most_here) {
            true => Ok(()),
            false => Err(full()),
        }
    }

    /// Whether one more channel may go live. Who comes back to one that is, may.
    pub(super) fn check_publisher(&self, channel: ChannelId) -> Result<(), Refused> {
        let most = self.limits.publishers;
        let is_new = !self.live.get(channel).is_some_and(Live::is_here);
        let here = self.live.iter().filter(|live| live.is_here());
        match is_new && most != 0 && here.count() >= most {
            true => Err(full()),
            false => Ok(()),
        }
    }
}

fn full() -> Refused {
    Refused::Offer(OfferError::Busy { retry_after: LATER })
}

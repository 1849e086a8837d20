//! Requests and their answers: who asks (RFC 8489 §9.2.4), and what for (RFC 8656 §7, §8, §10, §12.2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use stun_types::attribute::ErrorCode;
use stun_types::message::IntegrityKey;

use super::{Allocation, Bind, House, Opened, Outcome, Relay};
use crate::credentials::{Claim, key};
use crate::message::{Answer, Stun, attribute, method};
use crate::routes::Routes;
use crate::time::Now;

/// A request, and who asks.
#[derive(Clone, Copy)]
struct Request<'r, 'b> {
    client: SocketAddr,
    stun: Stun<'b>,
    identity: &'r Identity<'b>,
    now: Now,
}

/// Who asks, proved.
struct Identity<'a> {
    username: &'a str,
    claim: Claim<'a>,
    key: IntegrityKey,
}

/// Why it is not known who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Denial {
    /// Not signed: how all begin.
    Unsigned,
    /// Signed, but not said by whom.
    Incomplete,
    /// The nonce is old, or another client's.
    Stale,
    /// Credentials that are not ours, expired, or of who was ended.
    Wrong,
}

/// What a request gets: an error's code, or an answer.
type Verdict<S> = Result<(Answer, Option<Opened<S>>), u16>;

/// Answers to strangers are no longer than so many times the question.
const MOST_GAIN: usize = 3;
/// IANA protocol number of UDP.
const UDP: u8 = 17;
/// RFC 8656 §18.5 has half of these, and the rest for another day; RFC 5766 §11 had all.
const CHANNELS: std::ops::Range<u16> = 0x4000..0x8000;

impl<B: Bind> Relay<B> {
    pub(super) fn ask<'b>(
        &mut self,
        client: SocketAddr,
        stun: Stun<'b>,
        now: Now,
    ) -> Outcome<'_, 'b, B::Socket> {
        match stun.method() {
            method::BINDING => {
                let may_answer = self.may_answer(client, now);
                answered(self.house.tell_address(client, stun, may_answer))
            }
            method::ALLOCATE
            | method::REFRESH
            | method::CREATE_PERMISSION
            | method::CHANNEL_BIND => match self.identify(client, stun, now) {
                Ok(identity) => self.decide(Request {
                    client,
                    stun,
                    identity: &identity,
                    now,
                }),
                Err(denial) => {
                    let may_answer = self.may_answer(client, now);
                    answered(self.house.deny(client, stun, denial, now, may_answer))
                }
            },
            // What we do not speak, RFC 6062 for one, is not answered (RFC 8489 §6.3).
            _ => Outcome::Nothing,
        }
    }

    /// Credentials that are past open nothing, but what they opened may go on: a call of two hours is one
    /// call. It ends with its user.
    fn identify<'b>(
        &mut self,
        client: SocketAddr,
        stun: Stun<'b>,
        now: Now,
    ) -> Result<Identity<'b>, Denial> {
        let identity = self.house.identify(client, stun, now)?;
        if !identity.claim.time_left(now.unix).is_zero() {
            return Ok(identity);
        }
        match self.live(client, now) {
            Some(known) if *known.username == *identity.username => Ok(identity),
            _ => Err(Denial::Wrong),
        }
    }

    fn decide<'b>(&mut self, request: Request<'_, 'b>) -> Outcome<'_, 'b, B::Socket> {
        let Request { stun, identity, .. } = request;
        let unknown = stun.unknown();
        if !unknown.is_empty() {
            let answer = unknown_attributes(stun, &unknown);
            return Outcome::Answer(answer.finish(Some(&identity.key)));
        }
        let verdict = match stun.method() {
            method::ALLOCATE => self.allocate(request),
            method::REFRESH => self.refresh(request),
            method::CREATE_PERMISSION => self.permit(request),
            _ => self.bind_channel(request),
        };
        let (answer, opened) = verdict.unwrap_or_else(|code| {
            self.house.count_refusal(code);
            (Answer::error(stun, code), None)
        });
        let answer = answer.finish(Some(&identity.key));
        match opened {
            Some(opened) => Outcome::Opened { answer, opened },
            None => Outcome::Answer(answer),
        }
    }

    /// RFC 8656 §7.2.
    fn allocate(&mut self, request: Request<'_, '_>) -> Verdict<B::Socket> {
        let Request {
            client,
            stun,
            identity,
            now,
        } = request;
        if let Some(known) = self.live(client, now) {
            let is_repeated =
                known.transaction == stun.transaction() && *known.username == *identity.username;
            let answer = || known.answer(client, stun, now);
            return if is_repeated {
                Ok((answer(), None))
            } else {
                Err(ErrorCode::ALLOCATION_MISMATCH)
            };
        }
        match stun.get(attribute::REQUESTED_TRANSPORT) {
            Some([UDP, _, _, _]) => {}
            Some([_, _, _, _]) => return Err(ErrorCode::UNSUPPORTED_TRANSPORT_PROTOCOL),
            _ => return Err(ErrorCode::BAD_REQUEST),
        }
        lifetime(stun)?;
        let wants_ipv4 = family(stun)?.unwrap_or(true);
        let wants_even = even_port(stun)?;
        let relays = &self.house.config.relays;
        let relay = relays.iter().find(|r| r.bind.is_ipv4() == wants_ipv4);
        let relay = *relay.ok_or(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED)?;
        let routes = Arc::new(Routes::new(self.house.config.peers.clone()));
        let place = self.house.ledger.enter(
            identity.claim.id,
            client.ip(),
            Arc::clone(&routes),
            &self.house.config.limits,
        );
        let place = place.map_err(|_| ErrorCode::ALLOCATION_QUOTA_REACHED)?;
        let bound = self.bind.bind(relay.bind, wants_even);
        let (socket, port) = bound.map_err(|_| ErrorCode::INSUFFICIENT_CAPACITY)?;
        routes.live_for(self.house.config.limits.lifetime, now);
        let allocation = Allocation {
            _place: place,
            routes: Arc::clone(&routes),
            socket: socket.clone(),
            relayed: SocketAddr::new(relay.announced, port),
            username: identity.username.into(),
            transaction: stun.transaction(),
            to_peers: self.house.rate(),
        };
        self.house.counters.allocations_made.count();
        let answer = allocation.answer(client, stun, now);
        self.allocations.insert(client, allocation);
        Ok((answer, Some(Opened { socket, routes })))
    }

    /// RFC 8656 §8.2.
    fn refresh(&mut self, request: Request<'_, '_>) -> Verdict<B::Socket> {
        let Request {
            client, stun, now, ..
        } = request;
        let granted = self.house.config.limits.lifetime;
        let allocation = self.of(request)?;
        if family(stun)?.is_some_and(|ipv4| ipv4 != allocation.relayed.is_ipv4()) {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        let granted = match lifetime(stun)? {
            Some(0) => {
                self.allocations.remove(&client);
                Duration::ZERO
            }
            _ => {
                allocation.routes.live_for(granted, now);
                allocation.routes.time_left(now)
            }
        };
        Ok((Answer::success(stun).with_lifetime(granted), None))
    }

    /// RFC 8656 §10.2. An address that is not ours changes nothing about the allocation: browsers ask
    /// for each candidate that they hear of.
    fn permit(&mut self, request: Request<'_, '_>) -> Verdict<B::Socket> {
        let Request { stun, now, .. } = request;
        let allocation = self.of(request)?;
        let peers = stun.addresses(attribute::XOR_PEER_ADDRESS);
        let peers: Option<Vec<_>> = peers.collect();
        let peers = peers.filter(|peers| !peers.is_empty());
        let peers = peers.ok_or(ErrorCode::BAD_REQUEST)?;
        let ours = &self.house.config.peers;
        if !peers.iter().all(|peer| ours.has_ip(peer.ip())) {
            return Err(ErrorCode::FORBIDDEN);
        }
        let is_ipv4 = allocation.relayed.is_ipv4();
        if peers.iter().any(|peer| peer.is_ipv4() != is_ipv4) {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        for peer in peers {
            allocation.routes.permit(peer.ip(), now);
        }
        Ok((Answer::success(stun), None))
    }

    /// RFC 8656 §12.2.
    fn bind_channel(&mut self, request: Request<'_, '_>) -> Verdict<B::Socket> {
        let Request { stun, now, .. } = request;
        let allocation = self.of(request)?;
        let number = match stun.get(attribute::CHANNEL_NUMBER) {
            Some([high, low, _, _]) => u16::from_be_bytes([*high, *low]),
            _ => return Err(ErrorCode::BAD_REQUEST),
        };
        let peer = stun.addresses(attribute::XOR_PEER_ADDRESS).next();
        let peer = peer.flatten().ok_or(ErrorCode::BAD_REQUEST)?;
        if !CHANNELS.contains(&number) {
            return Err(ErrorCode::BAD_REQUEST);
        }
        let position = self.house.config.peers.position(peer);
        let position = position.ok_or(ErrorCode::FORBIDDEN)?;
        if peer.is_ipv4() != allocation.relayed.is_ipv4() {
            return Err(ErrorCode::PEER_ADDRESS_FAMILY_MISMATCH);
        }
        let bound = allocation.routes.bind(number, position, now);
        bound.map_err(|_| ErrorCode::BAD_REQUEST)?;
        Ok((Answer::success(stun), None))
    }

    /// The client's allocation, forgotten if it has ended.
    fn live(&mut self, client: SocketAddr, now: Now) -> Option<&Allocation<B::Socket>> {
        let is_live = self.allocations.get(&client)?.is_live(now);
        if !is_live {
            self.allocations.remove(&client);
        }
        self.allocations.get(&client)
    }

    /// The client's allocation, if it is of who asks.
    fn of(&self, request: Request<'_, '_>) -> Result<&Allocation<B::Socket>, u16> {
        let allocation = self.allocations.get(&request.client);
        let allocation = allocation.filter(|allocation| allocation.is_live(request.now));
        let allocation = allocation.ok_or(ErrorCode::ALLOCATION_MISMATCH)?;
        if *allocation.username == *request.identity.username {
            Ok(allocation)
        } else {
            Err(ErrorCode::WRONG_CREDENTIALS)
        }
    }
}

impl<S> Allocation<S> {
    fn answer(&self, client: SocketAddr, stun: Stun<'_>, now: Now) -> Answer {
        Answer::success(stun)
            .with_address(attribute::XOR_RELAYED_ADDRESS, self.relayed)
            .with_lifetime(self.routes.time_left(now))
            .with_address(attribute::XOR_MAPPED_ADDRESS, client)
    }
}

impl House {
    fn identify<'a>(
        &self,
        client: SocketAddr,
        stun: Stun<'a>,
        now: Now,
    ) -> Result<Identity<'a>, Denial> {
        stun.get(attribute::MESSAGE_INTEGRITY)
            .ok_or(Denial::Unsigned)?;
        let text = |kind| stun.text(kind).ok_or(Denial::Incomplete);
        let username = text(attribute::USERNAME)?;
        let (realm, nonce) = (text(attribute::REALM)?, text(attribute::NONCE)?);
        if !self.nonces.is_good(nonce, client, now.at) {
            return Err(Denial::Stale);
        }
        let claim = Claim::read(username).ok_or(Denial::Wrong)?;
        let key = key(&self.config.secret, username, &self.config.realm);
        let is_proved = realm == self.config.realm && stun.is_signed_with(&key);
        let is_welcome =
            || !self.ledger.has_ended(claim.id, now.unix) && self.config.is_alive.ask(claim.id);
        if !(is_proved && is_welcome()) {
            return Err(Denial::Wrong);
        }
        Ok(Identity {
            username,
            claim,
            key,
        })
    }

    fn deny(
        &self,
        client: SocketAddr,
        stun: Stun<'_>,
        denial: Denial,
        now: Now,
        may_answer: bool,
    ) -> Option<Vec<u8>> {
        let code = match denial {
            Denial::Unsigned | Denial::Wrong => ErrorCode::UNAUTHORIZED,
            Denial::Incomplete => ErrorCode::BAD_REQUEST,
            Denial::Stale => ErrorCode::STALE_NONCE,
        };
        if denial == Denial::Wrong {
            self.counters.refused_credentials.count();
        }
        self.answer_stranger(stun, may_answer, |words| {
            let words = words.then(|| ErrorCode::default_reason_for_code(code));
            let answer = Answer::wordy_error(stun, code, words.unwrap_or_default());
            if denial == Denial::Incomplete {
                return answer;
            }
            let nonce = self.nonces.issue(client, now.at);
            answer
                .with(attribute::REALM, self.config.realm.as_bytes())
                .with(attribute::NONCE, nonce.as_bytes())
        })
    }

    /// A Binding request (RFC 8489 §12).
    fn tell_address(
        &self,
        client: SocketAddr,
        stun: Stun<'_>,
        may_answer: bool,
    ) -> Option<Vec<u8>> {
        let unknown = stun.unknown();
        self.answer_stranger(stun, may_answer, |_| {
            if unknown.is_empty() {
                Answer::success(stun).with_address(attribute::XOR_MAPPED_ADDRESS, client)
            } else {
                unknown_attributes(stun, &unknown)
            }
        })
    }

    /// Under the bounds for strangers: with words, without, or not at all.
    fn answer_stranger(
        &self,
        stun: Stun<'_>,
        may_answer: bool,
        answer: impl Fn(bool) -> Answer,
    ) -> Option<Vec<u8>> {
        let most = stun.len().saturating_mul(MOST_GAIN);
        let fits = |words| Some(answer(words).finish(None)).filter(|bytes| bytes.len() <= most);
        let bytes = may_answer.then(|| fits(true).or_else(|| fits(false)));
        let bytes = bytes.flatten();
        if bytes.is_none() {
            self.counters.refused_rate.count();
        }
        bytes
    }

    fn count_refusal(&self, code: u16) {
        match code {
            ErrorCode::FORBIDDEN => self.counters.refused_peers.count(),
            ErrorCode::WRONG_CREDENTIALS => self.counters.refused_credentials.count(),
            ErrorCode::ALLOCATION_QUOTA_REACHED | ErrorCode::INSUFFICIENT_CAPACITY => {
                self.counters.refused_quota.count();
            }
            _ => {}
        }
    }
}

impl Answer {
    fn with_lifetime(self, lifetime: Duration) -> Self {
        let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(u32::MAX);
        self.with(attribute::LIFETIME, &seconds.to_be_bytes())
    }
}

/// Seconds that are asked for. Whatever it is but zero, more than we grant is not to be had, and less
/// would be no use (RFC 8656 §7.2).
fn lifetime(stun: Stun<'_>) -> Result<Option<u32>, u16> {
    match stun.get(attribute::LIFETIME) {
        None => Ok(None),
        Some([a, b, c, d]) => Ok(Some(u32::from_be_bytes([*a, *b, *c, *d]))),
        Some(_) => Err(ErrorCode::BAD_REQUEST),
    }
}

/// Whether IPv4 is asked for, or IPv6 (RFC 8656 §18.7).
fn family(stun: Stun<'_>) -> Result<Option<bool>, u16> {
    match stun.get(attribute::REQUESTED_ADDRESS_FAMILY) {
        None => Ok(None),
        Some([1, _, _, _]) => Ok(Some(true)),
        Some([2, _, _, _]) => Ok(Some(false)),
        Some([_, _, _, _]) => Err(ErrorCode::ADDRESS_FAMILY_NOT_SUPPORTED),
        Some(_) => Err(ErrorCode::BAD_REQUEST),
    }
}

/// Whether an even port is asked for. The next one is not reserved with it (RFC 8656 §18.6).
fn even_port(stun: Stun<'_>) -> Result<bool, u16> {
    match stun.get(attribute::EVEN_PORT) {
        None => Ok(false),
        Some([0..0x80]) => Ok(true),
        Some([_]) => Err(ErrorCode::INSUFFICIENT_CAPACITY),
        Some(_) => Err(ErrorCode::BAD_REQUEST),
    }
}

fn unknown_attributes(stun: Stun<'_>, unknown: &[u16]) -> Answer {
    let kinds: Vec<u8> = unknown.iter().flat_map(|kind| kind.to_be_bytes()).collect();
    Answer::error(stun, ErrorCode::UNKNOWN_ATTRIBUTE).with(attribute::UNKNOWN_ATTRIBUTES, &kinds)
}

fn answered<'r, 'b, S>(answer: Option<Vec<u8>>) -> Outcome<'r, 'b, S> {
    answer.map_or(Outcome::Nothing, Outcome::Answer)
}

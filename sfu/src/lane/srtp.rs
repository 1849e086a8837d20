//! SRTP and SRTCP (RFC 3711, RFC 7714): keys of a session, sealing in place, opening of reports.
//!
//! Every sealed packet takes a number from the [`Claims`] of its SSRC first. A number is given once:
//! under one key a nonce must not come twice, or what was sealed with it is open (RFC 7714 §10.1).

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{self, EncryptingKey, EncryptionContext, UnboundCipherKey};
use aws_lc_rs::hmac;
use aws_lc_rs::iv::FixedLength;
use str0m::crypto::dtls::SrtpProfile;

use super::keys::Keys;

/// Bytes of the header of a report that stay readable (RFC 3711 §3.4).
const RTCP_HEADER: usize = 8;
const RTCP_INDEX: usize = 4;
const IS_ENCRYPTED: u32 = 1 << 31;
const GCM_SALT: usize = 12;
const GCM_TAG: usize = 16;
const CM_SALT: usize = 14;
const CM_TAG: usize = 10;
const CM_MAC_KEY: usize = 20;

/// Labels of derived keys (RFC 3711 §4.3.1, §4.3.2).
#[derive(Debug, Clone, Copy)]
struct Labels {
    key: u8,
    mac: u8,
    salt: u8,
}

const RTP: Labels = Labels {
    key: 0,
    mac: 1,
    salt: 2,
};
const RTCP: Labels = Labels {
    key: 3,
    mac: 4,
    salt: 5,
};

/// Our keys and the peer's.
#[derive(Debug)]
pub(super) struct Ciphers {
    rtp: Cipher,
    rtcp: Cipher,
    /// Of the newest report that was sealed.
    rtcp_index: u32,
    peer: Cipher,
    peer_reports: Vec<(u32, Claims)>,
}

/// The numbers of one SSRC that were given or seen, with a window behind the newest.
#[derive(Debug, Clone)]
pub(super) struct Claims {
    newest: Option<u64>,
    window: [u64; WINDOW_WORDS],
}

const WINDOW_WORDS: usize = 16;
const WINDOW: u64 = 64 * WINDOW_WORDS as u64;
/// Senders of reports that are known of one peer; it has two or three.
const MOST_SENDERS: usize = 16;

enum Cipher {
    Gcm {
        key: LessSafeKey,
        salt: [u8; GCM_SALT],
    },
    Cm(Box<Counter>),
}

/// Counter mode with a code of its own for what it seals.
struct Counter {
    key: EncryptingKey,
    salt: [u8; CM_SALT],
    mac: hmac::Key,
}

impl Claims {
    pub(super) const fn new() -> Self {
        Self {
            newest: None,
            window: [0; WINDOW_WORDS],
        }
    }

    /// Takes a number. Returns whether it was free; one far behind the newest never is.
    #[must_use]
    pub(super) fn claim(&mut self, number: u64) -> bool {
        let Some(newest) = self.newest else {
            self.newest = Some(number);
            return self.mark(number);
        };
        if number > newest {
            let passed = (number - newest).min(WINDOW);
            for gone in number - passed + 1..=number {
                self.clear(gone);
            }
            self.newest = Some(number);
        } else if newest - number >= WINDOW {
            return false;
        }
        self.mark(number)
    }

    fn mark(&mut self, number: u64) -> bool {
        let (word, bit) = place(number);
        let Some(word) = self.window.get_mut(word) else {
            return false;
        };
        let was_free = *word & bit == 0;
        *word |= bit;
        was_free
    }

    fn clear(&mut self, number: u64) {
        let (word, bit) = place(number);
        if let Some(word) = self.window.get_mut(word) {
            *word &= !bit;
        }
    }
}

fn place(number: u64) -> (usize, u64) {
    let at = number % WINDOW;
    (usize::try_from(at / 64).unwrap_or(0), 1 << (at % 64))
}

impl Ciphers {
    /// `None` for a profile or for material that no handshake comes to.
    pub(super) fn new(keys: &Keys) -> Option<Self> {
        let (key, salt) = match keys.profile {
            SrtpProfile::AES128_CM_SHA1_80 => (16, CM_SALT),
            SrtpProfile::AEAD_AES_128_GCM => (16, GCM_SALT),
            SrtpProfile::AEAD_AES_256_GCM => (32, GCM_SALT),
            _ => return None,
        };
        let (client, server) = keys.material.split_at_checked(2 * key)?.0.split_at(key);
        let salts = keys.material.get(2 * key..2 * (key + salt))?;
        let (client_salt, server_salt) = salts.split_at(salt);
        let (ours, theirs) = if keys.is_client {
            ((client, client_salt), (server, server_salt))
        } else {
            ((server, server_salt), (client, client_salt))
        };
        let cipher = |(key, salt), labels| Cipher::derive(keys.profile, key, salt, labels);
        Some(Self {
            rtp: cipher(ours, RTP)?,
            rtcp: cipher(ours, RTCP)?,
            rtcp_index: 0,
            peer: cipher(theirs, RTCP)?,
            peer_reports: Vec::new(),
        })
    }

    /// Seals the packet that begins at `start` and ends the buffer, whose header is `header` bytes
    /// long. `index` is the extended sequence number. Returns false when it is not free, or cannot be.
    #[must_use]
    pub(super) fn seal_rtp(
        &self,
        claims: &mut Claims,
        ssrc: u32,
        index: u64,
        buffer: &mut Vec<u8>,
        (start, header): (usize, usize),
    ) -> bool {
        claims.claim(index)
            && self
                .rtp
                .seal_rtp(ssrc, index, buffer, start, header)
                .is_some()
    }

    /// Seals the compound report that begins at `start` and ends the buffer (RFC 3711 §3.4).
    #[must_use]
    pub(super) fn seal_rtcp(&mut self, buffer: &mut Vec<u8>, start: usize) -> bool {
        if self.rtcp_index + 1 >= IS_ENCRYPTED {
            return false;
        }
        self.rtcp_index += 1;
        self.rtcp
            .seal_rtcp(self.rtcp_index, buffer, start)
            .is_some()
    }

    /// Opens a compound report of the peer into `opened`. Returns false for what is not the peer's,
    /// and for what came before.
    #[must_use]
    pub(super) fn open_rtcp(&mut self, sealed: &[u8], opened: &mut Vec<u8>) -> bool {
        opened.clear();
        let Some((ssrc, index)) = self.peer.open_rtcp(sealed, opened) else {
            return false;
        };
        let known = self
            .peer_reports
            .iter_mut()
            .find(|(known, _)| *known == ssrc);
        if let Some((_, claims)) = known {
            return claims.claim(u64::from(index));
        }
        if self.peer_reports.len() >= MOST_SENDERS {
            self.peer_reports.remove(0);
        }
        let mut claims = Claims::new();
        let is_new = claims.claim(u64::from(index));
        self.peer_reports.push((ssrc, claims));
        is_new
    }
}

impl Cipher {
    fn derive(profile: SrtpProfile, key: &[u8], salt: &[u8], labels: Labels) -> Option<Self> {
        let derive = |label: u8, out: &mut [u8]| derive(key, salt, label, out);
        match profile {
            SrtpProfile::AES128_CM_SHA1_80 => {
                let (mut session, mut salt) = ([0; 16], [0; CM_SALT]);
                let mut mac = [0; CM_MAC_KEY];
                derive(labels.key, &mut session)?;
                derive(labels.salt, &mut salt)?;
                derive(labels.mac, &mut mac)?;
                let key = UnboundCipherKey::new(&cipher::AES_128, &session).ok()?;
                Some(Self::Cm(Box::new(Counter {
                    key: EncryptingKey::ctr(key).ok()?,
                    salt,
                    mac: hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &mac),
                })))
            }
            _ => {
                let mut session = vec![0; key.len()];
                let mut salt = [0; GCM_SALT];
                derive(labels.key, &mut session)?;
                derive(labels.salt, &mut salt)?;
                let algorithm = match key.len() {
                    32 => &aead::AES_256_GCM,
                    _ => &aead::AES_128_GCM,
                };
                let key = UnboundKey::new(algorithm, &session).ok()?;
                Some(Self::Gcm {
                    key: LessSafeKey::new(key),
                    salt,
                })
            }
        }
    }

    fn seal_rtp(
        &self,
        ssrc: u32,
        index: u64,
        buffer: &mut Vec<u8>,
        start: usize,
        header: usize,
    ) -> Option<()> {
        let packet = buffer.get_mut(start..)?;
        match self {
            Self::Gcm { key, salt } => {
                let (header, body) = packet.split_at_mut_checked(header)?;
                let nonce = Nonce::assume_unique_for_key(gcm_nonce(salt, ssrc, index));
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(&*header), body)
                    .ok()?;
                buffer.extend_from_slice(tag.as_ref());
            }
            Self::Cm(counter) => {
                counter.apply(ssrc, index, packet.get_mut(header..)?)?;
                let mut signing = hmac::Context::with_key(&counter.mac);
                signing.update(packet);
                signing.update(&rollovers(index).to_be_bytes());
                buffer.extend_from_slice(signing.sign().as_ref().get(..CM_TAG)?);
            }
        }
        Some(())
    }

    fn seal_rtcp(&self, index: u32, buffer: &mut Vec<u8>, start: usize) -> Option<()> {
        let packet = buffer.get_mut(start..)?;
        let (header, body) = packet.split_at_mut_checked(RTCP_HEADER)?;
        let ssrc = ssrc_of(header)?;
        let trailer = (IS_ENCRYPTED | index).to_be_bytes();
        match self {
            Self::Gcm { key, salt } => {
                let aad = report_aad(header, trailer)?;
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let nonce = Nonce::assume_unique_for_key(nonce);
                let tag = key
                    .seal_in_place_separate_tag(nonce, Aad::from(aad), body)
                    .ok()?;
                buffer.extend_from_slice(tag.as_ref());
                buffer.extend_from_slice(&trailer);
            }
            Self::Cm(counter) => {
                counter.apply(ssrc, u64::from(index), body)?;
                buffer.extend_from_slice(&trailer);
                let tag = hmac::sign(&counter.mac, buffer.get(start..)?);
                buffer.extend_from_slice(tag.as_ref().get(..CM_TAG)?);
            }
        }
        Some(())
    }

    /// Opens a report. Returns its sender and its index.
    fn open_rtcp(&self, sealed: &[u8], opened: &mut Vec<u8>) -> Option<(u32, u32)> {
        let header = sealed.get(..RTCP_HEADER)?;
        let ssrc = ssrc_of(header)?;
        match self {
            Self::Gcm { key, salt } => {
                let (rest, trailer) = split_end(sealed, RTCP_INDEX)?;
                let (trailer, index) = index_of(trailer)?;
                let (packet, tag) = split_end(rest, GCM_TAG)?;
                let body = packet.get(RTCP_HEADER..)?;
                let aad = report_aad(header, trailer)?;
                let nonce = gcm_nonce(salt, ssrc, u64::from(index));
                let nonce = Nonce::assume_unique_for_key(nonce);
                opened.extend_from_slice(packet);
                let out = opened.get_mut(RTCP_HEADER..)?;
                key.open_separate_gather(nonce, Aad::from(aad), body, tag, out)
                    .ok()?;
                Some((ssrc, index))
            }
            Self::Cm(counter) => {
                let (signed, tag) = split_end(sealed, CM_TAG)?;
                let right = hmac::sign(&counter.mac, signed);
                let right = right.as_ref().get(..CM_TAG)?;
                aws_lc_rs::constant_time::verify_slices_are_equal(right, tag).ok()?;
                let (packet, trailer) = split_end(signed, RTCP_INDEX)?;
                let (_, index) = index_of(trailer)?;
                opened.extend_from_slice(packet);
                let body = opened.get_mut(RTCP_HEADER..)?;
                counter.apply(ssrc, u64::from(index), body)?;
                Some((ssrc, index))
            }
        }
    }
}

impl Counter {
    /// Seals what is open, and opens what is sealed.
    fn apply(&self, ssrc: u32, index: u64, body: &mut [u8]) -> Option<()> {
        let iv = cm_iv(&self.salt, ssrc, index);
        let iv = EncryptionContext::Iv128(FixedLength::from(iv));
        self.key.less_safe_encrypt(body, iv).ok().map(|_| ())
    }
}

/// Without the keys.
impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Gcm { .. } => "Gcm",
            Self::Cm(_) => "Cm",
        })
    }
}

/// RFC 3711 §4.3.3; a salt of 96 bits is padded at its end (RFC 7714 §11).
fn derive(key: &[u8], salt: &[u8], label: u8, out: &mut [u8]) -> Option<()> {
    let mut iv = [0; 16];
    iv.get_mut(..salt.len())?.copy_from_slice(salt);
    *iv.get_mut(7)? ^= label;
    let algorithm = match key.len() {
        32 => &cipher::AES_256,
        _ => &cipher::AES_128,
    };
    let key = EncryptingKey::ctr(UnboundCipherKey::new(algorithm, key).ok()?).ok()?;
    out.fill(0);
    let iv = EncryptionContext::Iv128(FixedLength::from(iv));
    key.less_safe_encrypt(out, iv).ok()?;
    Some(())
}

/// RFC 7714 §8.1, §9.1: the index of a report is as long as rollovers and number together.
fn gcm_nonce(salt: &[u8; GCM_SALT], ssrc: u32, index: u64) -> [u8; 12] {
    let value = (u128::from(ssrc) << 48) | u128::from(index & 0xffff_ffff_ffff);
    let [_, _, _, _, value @ ..] = value.to_be_bytes();
    let mut nonce = *salt;
    for (byte, value) in nonce.iter_mut().zip(value) {
        *byte ^= value;
    }
    nonce
}

/// RFC 3711 §4.1.1.
fn cm_iv(salt: &[u8; CM_SALT], ssrc: u32, index: u64) -> [u8; 16] {
    let value = (u128::from(ssrc) << 64) | (u128::from(index & 0xffff_ffff_ffff) << 16);
    let mut iv = value.to_be_bytes();
    for (byte, salt) in iv.iter_mut().zip(salt) {
        *byte ^= salt;
    }
    iv
}

/// How often the sequence number went round.
fn rollovers(index: u64) -> u32 {
    u32::try_from((index >> 16) & 0xffff_ffff).unwrap_or(0)
}

fn ssrc_of(header: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(header.get(4..8)?.try_into().ok()?))
}

fn report_aad(header: &[u8], trailer: [u8; RTCP_INDEX]) -> Option<[u8; 12]> {
    let mut aad = [0; RTCP_HEADER + RTCP_INDEX];
    let (start, end) = aad.split_at_mut(RTCP_HEADER);
    start.copy_from_slice(header.get(..RTCP_HEADER)?);
    end.copy_from_slice(&trailer);
    Some(aad)
}

/// The trailer of a report and the index in it; `None` when it is not encrypted.
fn index_of(trailer: &[u8]) -> Option<([u8; RTCP_INDEX], u32)> {
    let trailer: [u8; RTCP_INDEX] = trailer.try_into().ok()?;
    let word = u32::from_be_bytes(trailer);
    (word & IS_ENCRYPTED != 0).then_some((trailer, word & !IS_ENCRYPTED))
}

fn split_end(bytes: &[u8], length: usize) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(bytes.len().checked_sub(length)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROFILES: [(SrtpProfile, usize); 3] = [
        (SrtpProfile::AES128_CM_SHA1_80, 2 * (16 + CM_SALT)),
        (SrtpProfile::AEAD_AES_128_GCM, 2 * (16 + GCM_SALT)),
        (SrtpProfile::AEAD_AES_256_GCM, 2 * (32 + GCM_SALT)),
    ];

    /// Both ends of a session.
    fn ends(profile: SrtpProfile, length: usize) -> [Ciphers; 2] {
        let material: Vec<u8> = (0..=u8::MAX).cycle().take(length).collect();
        [true, false].map(|is_client| {
            let material = material.clone();
            Ciphers::new(&Keys {
                profile,
                material,
                is_client,
            })
            .expect("keys")
        })
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
        (0..text.len()).step_by(2).map(digits).collect()
    }

    /// RFC 3711 appendix B.3.
    #[test]
    fn keys_are_derived_as_in_the_standard() {
        let key = hex("e1f97a0d3e018be0d64fa32c06de4139");
        let salt = hex("0ec675ad498afeebb6960b3aabe6");
        for (label, right) in [
            (RTP.key, "c61e7a93744f39ee10734afe3ff7a087"),
            (RTP.salt, "30cbbc08863d8c85d49db34a9ae1"),
            (RTP.mac, "cebe321f6ff7716b6fd4ab49af256a156d38baa4"),
        ] {
            let mut derived = vec![0; right.len() / 2];
            derive(&key, &salt, label, &mut derived).expect("a key");
            assert_eq!(derived, hex(right));
        }
    }

    /// RFC 7714 §16.1.1: AES-128-GCM with its key, salt and packet.
    #[test]
    fn packet_is_sealed_as_in_the_standard() {
        let salt = hex("517569642070726f2071756f");
        let key = UnboundKey::new(&aead::AES_128_GCM, &hex("000102030405060708090a0b0c0d0e0f"));
        let cipher = Cipher::Gcm {
            key: LessSafeKey::new(key.expect("a key")),
            salt: salt.try_into().expect("twelve bytes"),
        };
        let mut packet = hex("8040f17b8041f8d35501a0b2");
        packet.extend_from_slice(b"Gallia est omnis divisa in partes tres");
        cipher
            .seal_rtp(0x5501_a0b2, 0xf17b, &mut packet, 0, 12)
            .expect("sealed");
        let right = "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f\
                     47a51c7d19b36de3adf8833899d7f27beb16a9152cf765ee4390cce";
        assert_eq!(packet, hex(&right.replace([' ', '\n'], "")));
    }

    /// The packet and the report of libsrtp's own check of this profile, whose master key and salt are those of
    /// RFC 3711 appendix B.3.
    #[test]
    fn counter_mode_is_what_another_implementation_makes_of_it() {
        let key = hex("e1f97a0d3e018be0d64fa32c06de4139");
        let salt = hex("0ec675ad498afeebb6960b3aabe6");
        let profile = SrtpProfile::AES128_CM_SHA1_80;
        let cipher = |labels| Cipher::derive(profile, &key, &salt, labels).expect("keys");
        let body = [0xab; 16];
        let mut packet = hex("800f1234decafbadcafebabe");
        packet.extend_from_slice(&body);
        cipher(RTP)
            .seal_rtp(0xcafe_babe, 0x1234, &mut packet, 0, 12)
            .expect("sealed");
        let right = "800f1234decafbadcafebabe4e55dc4ce79978d88ca4d215949d2402b78d6acc99ea179b8dbb";
        assert_eq!(packet, hex(right));
        let mut report = hex("81c8000bcafebabe");
        report.extend_from_slice(&body);
        let open = report.clone();
        cipher(RTCP).seal_rtcp(1, &mut report, 0).expect("sealed");
        let right = "81c8000bcafebabe7128035be487b9bdbef89041f977a5a880000001993e08cd54d6c1230798";
        assert_eq!(report, hex(right));
        let mut opened = Vec::new();
        assert_eq!(
            cipher(RTCP).open_rtcp(&report, &mut opened),
            Some((0xcafe_babe, 1))
        );
        assert_eq!(opened, open);
    }

    #[test]
    fn reports_are_opened_by_the_other_end_alone_and_once() {
        for (profile, length) in PROFILES {
            let [mut client, mut server] = ends(profile, length);
            let report = [0x80, 201, 0, 1, 1, 2, 3, 4, 0x80, 203, 0, 1, 1, 2, 3, 4];
            let mut sealed = vec![9; 3];
            sealed.extend_from_slice(&report);
            assert!(server.seal_rtcp(&mut sealed, 3));
            let sealed = &sealed[3..];
            assert_ne!(sealed[8..16], report[8..]);
            let mut opened = Vec::new();
            assert!(!server.open_rtcp(sealed, &mut opened), "its own");
            assert!(client.open_rtcp(sealed, &mut opened));
            assert_eq!(opened, report);
            assert!(!client.open_rtcp(sealed, &mut opened), "again");
            for at in 0..sealed.len() {
                let mut forged = sealed.to_vec();
                forged[at] ^= 1;
                assert!(!client.open_rtcp(&forged, &mut opened), "{at}");
            }
        }
    }

    #[test]
    fn number_is_sealed_once() {
        for (profile, length) in PROFILES {
            let [_, server] = ends(profile, length);
            let mut claims = Claims::new();
            let mut seal = |index| {
                let mut packet = vec![0; 40];
                let is_sealed = server.seal_rtp(&mut claims, 7, index, &mut packet, (0, 12));
                is_sealed.then_some(packet)
            };
            let first = seal(65_535).expect("it is free");
            let second = seal(65_536).expect("it is free");
            assert_ne!(first[12..40], second[12..40], "{profile:?}");
            assert_eq!(seal(65_535), None);
            assert!(seal(65_536 + WINDOW).is_some());
            assert_eq!(seal(65_536), None, "too far behind to tell");
        }
    }

    proptest! {
        /// Whatever order numbers come in, none is given twice.
        #[test]
        fn no_number_is_given_twice(numbers in proptest::collection::vec(0u64..4_000, 1..400)) {
            let mut claims = Claims::new();
            let mut given = std::collections::HashSet::new();
            for number in numbers {
                if claims.claim(number) {
                    prop_assert!(given.insert(number));
                }
            }
        }

        /// Those that are not far behind are given.
        #[test]
        fn new_numbers_are_free(steps in proptest::collection::vec(1u64..300, 1..200)) {
            let mut claims = Claims::new();
            let mut number = 0;
            for step in steps {
                number += step + 2;
                prop_assert!(claims.claim(number));
                prop_assert!(claims.claim(number - 1));
            }
        }

        #[test]
        fn nothing_that_comes_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            for (profile, length) in PROFILES {
                let [mut client, _] = ends(profile, length);
                let mut opened = Vec::new();
                prop_assert!(!client.open_rtcp(&bytes, &mut opened));
            }
        }
    }
}

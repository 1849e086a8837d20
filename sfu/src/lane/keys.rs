//! The SRTP keys of a session, copied out of its DTLS handshake (RFC 5764 §4.2).
//!
//! str0m does not hand them out, but takes its DTLS from a provider. Ours is the usual one, which in
//! addition leaves the keys in the [`KeySlot`] of the session that it was made for.

use std::cell::RefCell;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use str0m::config::{CryptoProvider, DtlsCert, DtlsVersion};
use str0m::crypto::CryptoError;
use str0m::crypto::dtls::{
    DtlsImplError, DtlsInstance, DtlsOutput, DtlsProvider, ProtocolVersion, SrtpProfile,
};
use str0m::{Rtc, RtcConfig};

/// What a handshake came to.
pub(super) struct Keys {
    pub(super) profile: SrtpProfile,
    /// Client's key, server's key, client's salt, server's salt.
    pub(super) material: Vec<u8>,
    /// Whether we are the client.
    pub(super) is_client: bool,
}

/// Where the keys of one session lie once its handshake is done.
#[derive(Clone, Default)]
pub(crate) struct KeySlot(Arc<OnceLock<Keys>>);

impl KeySlot {
    pub(super) fn get(&self) -> Option<&Keys> {
        self.0.get()
    }
}

/// Without the keys.
impl fmt::Debug for KeySlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_filled = self.0.get().is_some();
        f.debug_struct("KeySlot")
            .field("is_filled", &is_filled)
            .finish()
    }
}

thread_local! {
    /// The slot of the session that is being built.
    static BUILDING: RefCell<Option<KeySlot>> = const { RefCell::new(None) };
}

/// Builds a session whose keys come into the slot.
pub(crate) fn build(config: RtcConfig, now: Instant) -> (Rtc, KeySlot) {
    let slot = KeySlot::default();
    let provider = CryptoProvider {
        dtls_provider: &Observed,
        ..str0m::crypto::from_feature_flags()
    };
    BUILDING.set(Some(slot.clone()));
    let rtc = config.set_crypto_provider(Arc::new(provider)).build(now);
    BUILDING.set(None);
    (rtc, slot)
}

/// The usual provider, observed.
#[derive(Debug)]
struct Observed;

impl DtlsProvider for Observed {
    fn generate_certificate(&self) -> Option<DtlsCert> {
        usual().generate_certificate()
    }

    fn new_dtls(
        &self,
        cert: &DtlsCert,
        now: Instant,
        version: DtlsVersion,
        mtu: Option<usize>,
    ) -> Result<Box<dyn DtlsInstance>, CryptoError> {
        let slot = BUILDING.with_borrow(Clone::clone).unwrap_or_default();
        let inner = usual().new_dtls(cert, now, version, mtu)?;
        Ok(Box::new(ObservedDtls { inner, slot }))
    }
}

fn usual() -> &'static dyn DtlsProvider {
    str0m::crypto::from_feature_flags().dtls_provider
}

#[derive(Debug)]
struct ObservedDtls {
    inner: Box<dyn DtlsInstance>,
    slot: KeySlot,
}

impl DtlsInstance for ObservedDtls {
    fn set_active(&mut self, active: bool) {
        self.inner.set_active(active);
    }

    fn handle_packet(&mut self, packet: &[u8]) -> Result<(), DtlsImplError> {
        self.inner.handle_packet(packet)
    }

    fn poll_output<'a>(&mut self, buffer: &'a mut [u8]) -> DtlsOutput<'a> {
        let is_client = self.inner.is_active();
        let output = self.inner.poll_output(buffer);
        if let DtlsOutput::KeyingMaterial(material, profile) = &output {
            self.slot.0.get_or_init(|| Keys {
                profile: *profile,
                material: material.as_ref().to_vec(),
                is_client,
            });
        }
        output
    }

    fn handle_timeout(&mut self, now: Instant) -> Result<(), DtlsImplError> {
        self.inner.handle_timeout(now)
    }

    fn send_application_data(&mut self, data: &[u8]) -> Result<usize, DtlsImplError> {
        self.inner.send_application_data(data)
    }

    fn is_active(&self) -> bool {
        self.inner.is_active()
    }

    fn protocol_version(&self) -> Option<ProtocolVersion> {
        self.inner.protocol_version()
    }

    fn is_closing(&self) -> bool {
        self.inner.is_closing()
    }

    fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    fn close(&mut self) -> Result<(), DtlsImplError> {
        self.inner.close()
    }
}

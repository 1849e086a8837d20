//! What no SFU can go below while it makes a call for each packet: sealing 1200 bytes with
//! AES-128-GCM into a buffer of one's own, and one `send_to` over loopback.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use aws_lc_rs::aead::{AES_128_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use nix::time::{ClockId, clock_gettime};

/// Tells the program to empty a socket.
pub(crate) const AS_DRAIN: &str = "as-drain";

/// Thread CPU time for each packet, the median of some trials.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bare {
    /// Sealing alone.
    pub(crate) seal: Duration,
    /// With sending to a socket that nobody empties: the kernel drops what it has no room for.
    pub(crate) full: Duration,
    /// With sending to a socket that a second process empties: its delivery is paid here, too.
    pub(crate) emptied: Duration,
}

/// RTP header with extensions, which is authenticated, and what is sealed (RFC 7714 §9.2).
const HEADER: usize = 20;
const PACKET: usize = 1_200;
const TAG: usize = 16;
const TRIALS: usize = 7;
const PACKETS: u32 = 50_000;

/// Measures all three.
pub(crate) fn measure() -> anyhow::Result<Bare> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let full = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    let full_address = full.local_addr()?;
    let drain = Drain::start()?;
    let mut sealer = Sealer::new()?;
    let send_to = |address: SocketAddr| {
        let socket = &socket;
        move |packet: &[u8]| {
            // What the kernel drops is paid for all the same.
            let _ = socket.send_to(packet, address);
        }
    };
    Ok(Bare {
        seal: sealer.median(|packet| {
            std::hint::black_box(packet);
        })?,
        full: sealer.median(send_to(full_address))?,
        emptied: sealer.median(send_to(drain.address))?,
    })
}

struct Sealer {
    key: LessSafeKey,
    payload: Vec<u8>,
    packet: Vec<u8>,
    sent: u64,
}

impl Sealer {
    fn new() -> anyhow::Result<Self> {
        let key = UnboundKey::new(&AES_128_GCM, &[7; 16]).map_err(|_| anyhow!("no such key"))?;
        Ok(Self {
            key: LessSafeKey::new(key),
            payload: vec![0x5a; PACKET],
            packet: vec![0; PACKET + TAG],
            sent: 0,
        })
    }

    fn median(&mut self, mut send: impl FnMut(&[u8])) -> anyhow::Result<Duration> {
        let mut trials = Vec::with_capacity(TRIALS);
        for _ in 0..TRIALS {
            let before = thread_cpu()?;
            for _ in 0..PACKETS {
                self.seal()?;
                send(&self.packet);
            }
            trials.push((thread_cpu()? - before) / PACKETS);
        }
        trials.sort_unstable();
        trials.get(TRIALS / 2).copied().context("a median")
    }

    fn seal(&mut self) -> anyhow::Result<()> {
        self.sent += 1;
        let mut nonce = [0; NONCE_LEN];
        nonce
            .iter_mut()
            .rev()
            .zip(self.sent.to_le_bytes())
            .for_each(|(to, from)| *to = from);
        let (plain, tag) = self.packet.split_at_mut(PACKET);
        plain.copy_from_slice(&self.payload);
        let (header, body) = plain.split_at_mut(HEADER);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let sealed = self
            .key
            .seal_in_place_separate_tag(nonce, Aad::from(header), body);
        let sealed = sealed.map_err(|_| anyhow!("sealing failed"))?;
        tag.copy_from_slice(sealed.as_ref());
        Ok(())
    }
}

fn thread_cpu() -> anyhow::Result<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

/// A second process that empties a socket until it is dropped.
struct Drain {
    process: Child,
    address: SocketAddr,
}

impl Drain {
    fn start() -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .arg(AS_DRAIN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the process that receives")?;
        let mut line = String::new();
        let out = process.stdout.take().context("a pipe")?;
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().context("its address")?;
        Ok(Self { process, address })
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        // It ends with its standard input at the latest.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The second process: receives until its standard input ends.
pub(crate) fn drain() -> anyhow::Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    println!("{}", socket.local_addr()?);
    std::thread::spawn(move || {
        let mut buffer = [0; 2_048];
        while socket.recv(&mut buffer).is_ok() {}
    });
    std::io::stdin().read_to_end(&mut Vec::new())?;
    Ok(())
}

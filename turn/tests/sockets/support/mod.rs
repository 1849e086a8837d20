//! A server on loopback, an SFU that says all again, and clients over each transport.

pub mod messages;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::{Buf, BytesMut};
use messages::*;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use turn::{Acceptors, Config, Credentials, Peers, Secret, Server, Sockets, Stats};

pub const REALM_NAME: &str = "tallylight";
pub const SECRET: &str = "a secret of tests";
/// Where the SFU is, for clients: nowhere, were it not translated.
pub const SFU: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(203, 0, 113, 5)), 8_189);
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct World {
    pub server: Arc<Server>,
    pub udp: SocketAddr,
    pub tcp: SocketAddr,
    pub tls: SocketAddr,
    pub connector: TlsConnector,
    pub acceptor: TlsAcceptor,
    /// Where the SFU really is.
    pub local: SocketAddr,
    _sfu: Task,
}

/// Ends when it is dropped.
pub struct Task(pub JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A client's end.
pub enum Wire {
    Udp(UdpSocket),
    Stream(Box<dyn Stream>, BytesMut),
}

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Udp,
    Tcp,
    Tls,
}

pub const TRANSPORTS: [Transport; 3] = [Transport::Udp, Transport::Tcp, Transport::Tls];

/// Waits for what must come.
pub async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes too long")
}

/// Any port of loopback.
pub fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn certificate() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let server = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], PrivateKeyDer::from(key))
        .unwrap();
    let client = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (
        TlsAcceptor::from(Arc::new(server)),
        TlsConnector::from(Arc::new(client)),
    )
}

impl World {
    pub async fn new() -> Self {
        Self::with(|_, _| {}).await
    }

    pub async fn with(change: impl FnOnce(&mut Config, SocketAddr)) -> Self {
        let sfu = UdpSocket::bind(any_port()).await.unwrap();
        let local = sfu.local_addr().unwrap();
        let echo = async move {
            let mut buffer = vec![0; 65_535];
            while let Ok((length, from)) = sfu.recv_from(&mut buffer).await {
                let _ = sfu.send_to(&buffer[..length], from).await;
            }
        };
        let peers = Peers::new([(SFU, local)]);
        let relay = any_port().ip().into();
        let mut config = Config::new(REALM_NAME, Secret::new(SECRET), peers, vec![relay]);
        // All tests are of one network.
        config.limits.unauthenticated_replies = 100_000;
        change(&mut config, local);
        let (acceptor, connector) = certificate();
        let udp = UdpSocket::bind(any_port()).await.unwrap();
        let tcp = TcpListener::bind(any_port()).await.unwrap();
        let tls = TcpListener::bind(any_port()).await.unwrap();
        let addresses = (udp.local_addr(), tcp.local_addr(), tls.local_addr());
        let sockets = Sockets {
            udp: vec![udp],
            tcp: vec![tcp],
            tls: vec![(tls, Acceptors::from(acceptor.clone()))],
        };
        Self {
            server: Arc::new(Server::start(config, sockets).unwrap()),
            udp: addresses.0.unwrap(),
            tcp: addresses.1.unwrap(),
            tls: addresses.2.unwrap(),
            connector,
            acceptor,
            local,
            _sfu: Task(tokio::spawn(echo)),
        }
    }

    pub async fn connect(&self, transport: Transport) -> Wire {
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(any_port()).await.unwrap();
                socket.connect(self.udp).await.unwrap();
                Wire::Udp(socket)
            }
            Transport::Tcp => Wire::stream(dial(self.tcp).await),
            Transport::Tls => self.secure(dial(self.tls).await).await,
        }
    }

    pub async fn secure<S: Stream + 'static>(&self, stream: S) -> Wire {
        let name = ServerName::try_from("localhost").unwrap();
        Wire::stream(self.connector.connect(name, stream).await.unwrap())
    }

    /// A client with credentials and a nonce.
    pub async fn client(&self, transport: Transport, id: &str) -> Client {
        let mut wire = self.connect(transport).await;
        let signer = sign_in(&mut wire, id).await;
        Client { wire, signer }
    }

    /// A client with an allocation.
    pub async fn allocated(&self, transport: Transport, id: &str) -> Client {
        let mut client = self.client(transport, id).await;
        let reply = client.ask(allocate()).await;
        assert!(reply.is_success(), "{:?}", reply.code());
        client
    }

    /// Waits until the server's numbers are so.
    pub async fn until(&self, what: &str, is_so: impl Fn(&Stats) -> bool) {
        let waiting = async {
            while !is_so(&self.server.stats()) {
                tokio::task::yield_now().await;
            }
        };
        let so = timeout(PATIENCE, waiting).await;
        assert!(so.is_ok(), "never {what}: {:?}", self.server.stats());
    }
}

async fn dial(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

pub fn credentials(id: &str) -> Credentials {
    #[expect(
        clippy::disallowed_methods,
        reason = "the server has a real clock here"
    )]
    let now = SystemTime::now();
    let unix = now.duration_since(SystemTime::UNIX_EPOCH).unwrap();
    Credentials::issue(&Secret::new(SECRET), id, unix, Duration::from_secs(600)).unwrap()
}

pub async fn sign_in(wire: &mut Wire, id: &str) -> Signer {
    wire.send(&allocate().finish()).await;
    let refusal = Reply(wire.receive().await);
    assert_eq!(refusal.code(), Some(401));
    let Credentials { username, password } = credentials(id);
    Signer::new(
        &username,
        &password,
        &refusal.text(REALM),
        &refusal.text(NONCE),
    )
}

impl Wire {
    pub fn stream(stream: impl Stream + 'static) -> Self {
        Self::Stream(Box::new(stream), BytesMut::new())
    }

    /// Padded where it must be.
    pub async fn send(&mut self, message: &[u8]) {
        match self {
            Self::Udp(socket) => {
                socket.send(message).await.unwrap();
            }
            Self::Stream(stream, _) => {
                let mut message = message.to_vec();
                message.resize(message.len().next_multiple_of(4), 0);
                stream.write_all(&message).await.unwrap();
                stream.flush().await.unwrap();
            }
        }
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let Self::Stream(stream, _) = self else {
            panic!("only a stream is raw");
        };
        stream.write_all(bytes).await.unwrap();
        stream.flush().await.unwrap();
    }

    pub async fn receive(&mut self) -> Vec<u8> {
        soon(self.next()).await.expect("the connection is closed")
    }

    /// Waits until the server closes it.
    pub async fn is_closed(&mut self) {
        while soon(self.next()).await.is_some() {}
    }

    /// `None`: closed.
    async fn next(&mut self) -> Option<Vec<u8>> {
        match self {
            Self::Udp(socket) => {
                let mut buffer = vec![0; 65_535];
                let length = socket.recv(&mut buffer).await.unwrap();
                buffer.truncate(length);
                Some(buffer)
            }
            Self::Stream(stream, buffer) => loop {
                if buffer.len() >= 4 {
                    let length = usize::from(u16::from_be_bytes([buffer[2], buffer[3]]));
                    let head = if buffer[0] < 0x40 { 20 } else { 4 };
                    let padded = (head + length).next_multiple_of(4);
                    if buffer.len() >= padded {
                        let message = buffer[..head + length].to_vec();
                        buffer.advance(padded);
                        return Some(message);
                    }
                }
                if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
                    return None;
                }
            },
        }
    }
}

/// A client that knows its credentials.
pub struct Client {
    pub wire: Wire,
    pub signer: Signer,
}

impl Client {
    pub async fn ask(&mut self, draft: Draft) -> Reply {
        self.wire.send(&draft.signed(&self.signer)).await;
        let reply = Reply(self.wire.receive().await);
        assert!(reply.code() == Some(401) || reply.is_signed_by(&self.signer));
        reply
    }

    pub async fn permit(&mut self, peer: SocketAddr) -> Option<u16> {
        let draft = Draft::request(CREATE_PERMISSION).with_peer(peer);
        self.ask(draft).await.code()
    }

    pub async fn bind(&mut self, number: u16, peer: SocketAddr) -> Option<u16> {
        let draft = Draft::request(CHANNEL_BIND).with_channel(number);
        self.ask(draft.with_peer(peer)).await.code()
    }

    /// Sends by indication and gets it back in one.
    pub async fn echo_by_indication(&mut self, payload: &[u8]) {
        let draft = Draft::indication(SEND).with_peer(SFU);
        self.wire.send(&draft.with(DATA, payload).finish()).await;
        let reply = Reply(self.wire.receive().await);
        assert_eq!(reply.message().method().value(), DATA_INDICATION);
        assert_eq!(
            reply.address(XOR_PEER_ADDRESS),
            Some(SFU),
            "not where it is"
        );
        assert_eq!(reply.get(DATA).unwrap(), payload);
    }

    /// Sends on a channel and gets it back on it.
    pub async fn echo_by_channel(&mut self, number: u16, payload: &[u8]) {
        let data = channel_data(number, payload);
        self.wire.send(&data).await;
        let mut received = self.wire.receive().await;
        received.truncate(data.len());
        assert_eq!(received, data);
    }
}

/// Named, because a whole workspace may have two.
fn provider() -> Arc<tokio_rustls::rustls::crypto::CryptoProvider> {
    Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider())
}

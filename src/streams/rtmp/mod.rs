//! Publishing by RTMP: `rtmp://HOST/live` with the stream key.
//!
//! Pictures go to the SFU as they come, sound as Opus that a media-worker makes of it. From there on a
//! stream by RTMP is a stream like any other.

mod adts;
mod pace;
mod publishing;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use rtmp::{Connection, ConnectionError, Event, PublishRequest, Refusal};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{self, JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Refused, Streams};
use crate::channels::{Channel, StreamKeyId};
use crate::secret::Secret;

use publishing::Publishing;

/// What connections need.
#[derive(Debug, Clone)]
pub(super) struct Tools {
    pub(super) streams: Streams,
    /// The program that is a media-worker.
    pub(super) program: PathBuf,
}

/// Connections at once, whoever has them, and of one address.
const MOST_CONNECTIONS: usize = 256;
const MOST_OF_ADDRESS: usize = 16;
/// When no socket can be had, as when files run out.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes publishers until the token is cancelled.
pub(super) async fn run(tools: Tools, listener: TcpListener, stop: CancellationToken) {
    let mut connections = JoinSet::new();
    let mut addresses: HashMap<task::Id, IpAddr> = HashMap::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((socket, address)) => {
                    let place = sfu::neighbourhood(address.ip());
                    let of_address = addresses.values().filter(|known| **known == place).count();
                    // Without room it is closed at once. This machine itself may have all.
                    let most = match address.ip().is_loopback() {
                        true => MOST_CONNECTIONS,
                        false => MOST_OF_ADDRESS,
                    };
                    if addresses.len() < MOST_CONNECTIONS && of_address < most {
                        let tools = tools.clone();
                        let serving = async move { serve(&tools, socket, address).await };
                        addresses.insert(connections.spawn(serving).id(), place);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "A publisher by RTMP could not be let in: {error}");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(ended) = connections.join_next_with_id() => {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                addresses.remove(&id);
            }
            () = stop.cancelled() => break,
        }
    }
    // Encoders see their connections close, and come back.
    connections.shutdown().await;
}

async fn serve(tools: &Tools, socket: TcpStream, address: SocketAddr) {
    // Words that are waited for are short.
    let _ = socket.set_nodelay(true);
    let connection = Connection::new(socket, rtmp::Config::default());
    match receive(tools, connection, address).await {
        Ok(()) => {}
        Err(error) => tracing::info!(%error, "A connection by RTMP ended: {error}"),
    }
}

async fn receive(
    tools: &Tools,
    mut connection: Connection<TcpStream>,
    address: SocketAddr,
) -> Result<(), ConnectionError> {
    while let Some(event) = connection.next().await? {
        let Event::PublishRequested(request) = event else {
            continue;
        };
        let (key, channel) = match admit(tools, &request, address).await {
            Ok(admitted) => admitted,
            Err(refusal) => return turn_away(connection, &refusal).await,
        };
        connection.accept();
        let publishing = Publishing::new(tools, channel, key, request.key, address.ip());
        if let Some(refusal) = publishing.run(&mut connection).await? {
            return turn_away(connection, &refusal).await;
        }
    }
    connection.close().await;
    Ok(())
}

async fn turn_away(
    connection: Connection<TcpStream>,
    refusal: &Refusal,
) -> Result<(), ConnectionError> {
    let (Refusal::BadName(words) | Refusal::Unauthorized(words)) = refusal;
    tracing::info!(words, "A publisher by RTMP was turned away: {words}");
    connection.refuse(refusal).await;
    Ok(())
}

/// The channel that the key lets publish on.
async fn admit(
    tools: &Tools,
    request: &PublishRequest,
    address: SocketAddr,
) -> Result<(StreamKeyId, Channel), Refusal> {
    let streams = &tools.streams;
    if let Err(wait) = streams.limits.publish(address.ip(), &streams.clock) {
        let words = format!(
            "too many attempts; try again in {} s",
            wait.as_secs().max(1)
        );
        return Err(Refusal::Unauthorized(words));
    }
    let key = Secret::new(request.key.reveal());
    let verified = streams.channels.verify_stream_key(&key).await;
    let verified = verified.map_err(|error| {
        crate::error::log_store_error(&error);
        Refusal::BadName("the server's database does not answer; try again".to_owned())
    })?;
    verified.ok_or_else(|| {
        Refusal::Unauthorized(
            "this stream key is wrong or was revoked; copy it again from the dashboard".to_owned(),
        )
    })
}

/// Why the SFU has no place for it, in words.
fn refusal(refused: &Refused) -> Refusal {
    Refusal::BadName(match refused {
        Refused::AlreadyLive => "this channel is live from another place; stop that one first, or \
             try again when it has been silent for 2 seconds"
            .to_owned(),
        Refused::HalfOpen => "too many connections from your address; try again shortly".to_owned(),
        Refused::Offer(error) => error.to_string(),
        Refused::NotLive | Refused::Draining => "the server shuts down; try again".to_owned(),
    })
}

//! Joining: offer, answer, connection, in one call each for publishing and watching.

use str0m::net::Protocol;
use tokio::task::spawn_blocking;

use crate::counts::{Milestones, ViewerReport};
use crate::driver::{Driver, DriverError, PeerId};
use crate::peer::{Peer, Prepared};
use crate::publisher::{PublishReport, PublisherSpec};
use crate::sent::Sent;
use crate::signalling::{Endpoint, HttpError, Session};
use crate::viewer::ViewerSpec;

/// Why a client did not join. The text is one line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The request failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The answer or the socket.
    #[error("cannot connect: {0}")]
    Connect(#[from] std::io::Error),
    /// The thread of clients.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// str0m made no offer.
    #[error("no offer could be made")]
    NoOffer,
    /// The answer says nothing of TURN.
    #[error("the server names no TURN server that is reached by {0}")]
    NoTurn(Protocol),
}

/// How a viewer reaches the server's media.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// Over UDP or ICE-TCP.
    Straight(Protocol),
    /// Through the TURN server that the answer names, which is reached by UDP or TCP.
    Relayed(Protocol),
}

impl From<Protocol> for Route {
    fn from(protocol: Protocol) -> Self {
        Self::Straight(protocol)
    }
}

/// A publisher in a session.
#[derive(Debug, Clone)]
pub struct Publishing {
    /// The thread it runs on.
    pub driver: Driver,
    /// Which client it is there.
    pub id: PeerId,
    /// Its session.
    pub session: Session,
    /// The server's answer.
    pub answer: String,
}

/// A viewer in a session.
#[derive(Debug, Clone)]
pub struct Watching {
    /// The thread it runs on.
    pub driver: Driver,
    /// Which client it is there.
    pub id: PeerId,
    /// Its session.
    pub session: Session,
    /// The server's answer.
    pub answer: String,
}

/// How a viewer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// By DELETE, as a player that is stopped.
    Delete,
    /// By the end of DTLS, as a tab that is closed.
    Close,
    /// Without a word, as one that lost its network.
    Vanish,
}

/// Publishes; frames are noted in `sent`. Media begins when DTLS is up.
///
/// # Errors
/// When the server refuses or cannot be reached.
pub async fn publish(
    driver: &Driver,
    endpoint: &Endpoint,
    spec: &PublisherSpec,
    sent: &Sent,
) -> Result<Publishing, JoinError> {
    let prepared = spec.prepare(sent).ok_or(JoinError::NoOffer)?;
    let (id, session, answer) = join(driver, endpoint, prepared, Protocol::Udp.into()).await?;
    Ok(Publishing {
        driver: driver.clone(),
        id,
        session,
        answer,
    })
}

/// Watches, over UDP or ICE-TCP, or through TURN.
///
/// # Errors
/// When the server refuses or cannot be reached.
pub async fn watch(
    driver: &Driver,
    endpoint: &Endpoint,
    spec: &ViewerSpec,
    route: impl Into<Route>,
    sent: &Sent,
) -> Result<Watching, JoinError> {
    let prepared = spec.prepare(sent).ok_or(JoinError::NoOffer)?;
    let (id, session, answer) = join(driver, endpoint, prepared, route.into()).await?;
    Ok(Watching {
        driver: driver.clone(),
        id,
        session,
        answer,
    })
}

async fn join(
    driver: &Driver,
    endpoint: &Endpoint,
    prepared: Prepared,
    route: Route,
) -> Result<(PeerId, Session, String), JoinError> {
    let (answer, session) = endpoint.offer(&prepared.sdp).await?;
    let added = match connect(prepared, &answer, &session, route).await {
        Ok(peer) => driver.add(peer).await.map_err(JoinError::from),
        Err(error) => Err(error),
    };
    match added {
        Ok(id) => Ok((id, session, answer)),
        Err(error) => {
            // Nobody else knows of it any more.
            let _ = session.delete().await;
            Err(error)
        }
    }
}

async fn connect(
    prepared: Prepared,
    answer: &str,
    session: &Session,
    route: Route,
) -> Result<Peer, JoinError> {
    let protocol = match route {
        Route::Straight(protocol) => return Ok(prepared.connect(answer, protocol)?),
        Route::Relayed(protocol) => protocol,
    };
    let servers = session.turn_servers.iter();
    let server = { servers }
        .find(|server| server.protocol == protocol)
        .cloned();
    let server = server.ok_or(JoinError::NoTurn(protocol))?;
    let answer = answer.to_owned();
    // It waits for the TURN server.
    let connecting = spawn_blocking(move || prepared.connect_through(&server, &answer));
    Ok(connecting.await.map_err(std::io::Error::other)??)
}

async fn restart(driver: &Driver, id: PeerId, session: &mut Session) -> Result<(), JoinError> {
    let fragment = driver.with(id, Peer::begin_restart).await??;
    let answered = session.restart_ice(fragment).await?;
    driver
        .with(id, move |peer| peer.finish_restart(&answered))
        .await??;
    Ok(())
}

impl Publishing {
    /// What it did so far.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn report(&self) -> Result<PublishReport, DriverError> {
        self.driver.publish_report(self.id).await
    }

    /// Sends nothing, or goes on.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn pause(&self, is_paused: bool) -> Result<(), DriverError> {
        let paused = self.driver.with(self.id, move |peer| {
            if let Some(publisher) = peer.publisher() {
                publisher.pause(is_paused);
            }
        });
        paused.await
    }

    /// Moves to another socket and restarts ICE.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn restart_ice(&mut self) -> Result<(), JoinError> {
        restart(&self.driver, self.id, &mut self.session).await
    }
}

impl Watching {
    /// What it saw so far.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn report(&self) -> Result<ViewerReport, DriverError> {
        self.driver.view_report(self.id).await
    }

    /// Moves to another socket and restarts ICE.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn restart_ice(&mut self) -> Result<(), JoinError> {
        restart(&self.driver, self.id, &mut self.session).await
    }

    /// How far it has come, and whether its session is over. Costs less than a report.
    ///
    /// # Errors
    /// When the thread is gone.
    pub async fn progress(&self) -> Result<(Milestones, bool), DriverError> {
        let progress = self.driver.with(self.id, |peer| {
            let is_closed = peer.progress().is_closed;
            let milestones = peer.viewer().map(|viewer| viewer.milestones());
            (milestones.unwrap_or_default(), is_closed)
        });
        progress.await
    }

    /// Goes; the client is no more afterwards, whatever the server says to it.
    ///
    /// # Errors
    /// When the server refuses or cannot be reached.
    pub async fn leave(self, how: Leave) -> Result<(), JoinError> {
        let told = match how {
            Leave::Delete => self.session.delete().await.map_err(JoinError::from),
            Leave::Close => {
                let closed = self.driver.with(self.id, Peer::close).await;
                closed.map_err(JoinError::from)
            }
            Leave::Vanish => Ok(()),
        };
        self.driver.remove(self.id).await?;
        told
    }
}

//! One publisher and its viewers, on either stack, behind one face.

use std::time::Duration;

use str0m::net::Protocol;
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::stop::Stop;
use crate::signalling::{Endpoint, Session};
use crate::source::{Source, VideoCodec};
use crate::{
    Driver, PublishReport, PublisherSpec, Publishing, Route, Sent, Tally, ViewerReport, ViewerSpec,
    foreign,
};

/// One publisher and its viewers.
pub(super) struct Crowd {
    stack: Stack,
    sent: Sent,
    spec: ViewerSpec,
    route: Route,
    publisher: Session,
    viewers: Vec<Session>,
}

enum Stack {
    Str0m {
        publishing: Box<Publishing>,
        publishers: Driver,
        /// Viewers are dealt out to these threads in turn.
        drivers: Vec<Driver>,
    },
    WebrtcRs {
        publishing: Box<foreign::Publishing>,
        watching: Vec<foreign::Watching>,
        codec: VideoCodec,
    },
}

/// A viewer whose offer was answered.
enum Joined {
    Str0m(Session),
    WebrtcRs(Box<foreign::Watching>),
}

/// Offers that wait for their answer at once.
const MOST_OFFERS: usize = 64;
/// Sessions that are ended at once.
const MOST_ENDS: usize = 32;
/// Leaving a server that does not answer takes no longer.
const LEAVE_WITHIN: Duration = Duration::from_secs(10);

impl Crowd {
    /// Publishes with light clients: a thread for the publisher and so many for all viewers.
    pub(super) async fn of_str0m(
        whip: &Endpoint,
        source: Source,
        spec: ViewerSpec,
        threads: usize,
    ) -> anyhow::Result<Self> {
        let publishers = Driver::start("publisher")?;
        let drivers = (0..threads.max(1)).map(|_| Driver::start("viewers"));
        let drivers = drivers.collect::<Result<_, _>>()?;
        let sent = Sent::default();
        let publisher = PublisherSpec::browser(source);
        let publishing = crate::publish(&publishers, whip, &publisher, &sent).await?;
        Ok(Self {
            publisher: publishing.session.clone(),
            viewers: Vec::new(),
            stack: Stack::Str0m {
                publishing: Box::new(publishing),
                publishers,
                drivers,
            },
            sent,
            spec,
            route: Protocol::Udp.into(),
        })
    }

    /// Publishes with webrtc-rs.
    pub(super) async fn of_webrtc_rs(whip: &Endpoint, source: &Source) -> anyhow::Result<Self> {
        let sent = Sent::default();
        let publishing = foreign::publish(whip, source, &sent).await?;
        Ok(Self {
            publisher: publishing.session.clone(),
            viewers: Vec::new(),
            stack: Stack::WebrtcRs {
                publishing: Box::new(publishing),
                watching: Vec::new(),
                codec: source.codec,
            },
            sent,
            spec: ViewerSpec::default(),
            route: Protocol::Udp.into(),
        })
    }

    /// Light viewers come by that route from now on, instead of straight over UDP.
    pub(super) fn come_by(&mut self, route: Route) {
        self.route = route;
    }

    pub(super) fn name(&self) -> &'static str {
        match self.stack {
            Stack::Str0m { .. } => "str0m",
            Stack::WebrtcRs { .. } => "webrtc-rs",
        }
    }

    /// Viewers whose offers were answered.
    pub(super) fn viewers(&self) -> usize {
        self.viewers.len()
    }

    /// Lets so many more watch, `ramp` of them a second, until one is refused. Offers that are on
    /// their way by then, or when we are asked to stop, are waited for: the server makes sessions of
    /// them, which are to be ended.
    pub(super) async fn grow(
        &mut self,
        whep: &Endpoint,
        by: usize,
        ramp: u16,
        stop: &Stop,
    ) -> anyhow::Result<()> {
        let mut pause = interval(Duration::from_secs(1) / u32::from(ramp.max(1)));
        let mut offers = JoinSet::new();
        let mut result = Ok(());
        for number in 0..by {
            if let Err(stopped) = stop.or(pause.tick()).await {
                result = Err(stopped.into());
                break;
            }
            let index = self.viewers.len() + offers.len();
            self.spawn_offer(&mut offers, whep, index);
            let wait_for_one = offers.len() >= MOST_OFFERS;
            result = self.take_answers(&mut offers, wait_for_one).await;
            if result.is_err() {
                break;
            }
            if (number + 1).is_multiple_of(usize::from(ramp)) && number + 1 < by {
                super::progress(&format!("{} viewers joined", self.viewers.len()));
            }
        }
        while !offers.is_empty() {
            result = result.and(self.take_answers(&mut offers, true).await);
        }
        result
    }

    fn spawn_offer(
        &self,
        offers: &mut JoinSet<anyhow::Result<Joined>>,
        whep: &Endpoint,
        index: usize,
    ) {
        let (whep, sent) = (whep.clone(), self.sent.clone());
        match &self.stack {
            Stack::Str0m { drivers, .. } => {
                let Some(driver) = drivers.get(index % drivers.len().max(1)).cloned() else {
                    return;
                };
                let (spec, route) = (self.spec.clone(), self.route);
                offers.spawn(async move {
                    let watched = crate::watch(&driver, &whep, &spec, route, &sent);
                    Ok(Joined::Str0m(watched.await?.session))
                });
            }
            Stack::WebrtcRs { codec, .. } => {
                let codec = *codec;
                offers.spawn(async move {
                    let watched = foreign::watch(&whep, codec, false, &sent).await?;
                    Ok(Joined::WebrtcRs(Box::new(watched)))
                });
            }
        }
    }

    /// Takes the answers that are there, and waits for one if told to. The first error is returned.
    async fn take_answers(
        &mut self,
        offers: &mut JoinSet<anyhow::Result<Joined>>,
        wait_for_one: bool,
    ) -> anyhow::Result<()> {
        let mut result = Ok(());
        let mut next = match wait_for_one {
            true => offers.join_next().await,
            false => offers.try_join_next(),
        };
        while let Some(answered) = next {
            match answered? {
                Ok(joined) => self.note(joined),
                Err(error) => result = result.and(Err(error)),
            }
            next = offers.try_join_next();
        }
        result
    }

    fn note(&mut self, joined: Joined) {
        match (joined, &mut self.stack) {
            (Joined::Str0m(session), _) => self.viewers.push(session),
            (Joined::WebrtcRs(watched), Stack::WebrtcRs { watching, .. }) => {
                self.viewers.push(watched.session.clone());
                watching.push(*watched);
            }
            (Joined::WebrtcRs(watched), Stack::Str0m { .. }) => {
                self.viewers.push(watched.session.clone());
            }
        }
    }

    pub(super) async fn published(&self) -> anyhow::Result<PublishReport> {
        match &self.stack {
            Stack::Str0m { publishing, .. } => Ok(publishing.report().await?),
            Stack::WebrtcRs { publishing, .. } => Ok(publishing.report()),
        }
    }

    /// How far all viewers have come.
    pub(super) async fn tally(&self) -> anyhow::Result<Tally> {
        let mut all = Tally::default();
        match &self.stack {
            Stack::Str0m { drivers, .. } => {
                for driver in drivers {
                    all += driver.tally().await?;
                }
            }
            Stack::WebrtcRs { watching, .. } => {
                for viewer in watching {
                    let (milestones, is_closed) = viewer.progress();
                    all.add(&milestones, is_closed);
                }
            }
        }
        Ok(all)
    }

    pub(super) async fn viewed(&self) -> anyhow::Result<Vec<ViewerReport>> {
        match &self.stack {
            Stack::Str0m { drivers, .. } => {
                let mut all = Vec::new();
                for driver in drivers {
                    all.extend(driver.view_reports().await?);
                }
                Ok(all)
            }
            Stack::WebrtcRs { watching, .. } => {
                Ok(watching.iter().map(foreign::Watching::report).collect())
            }
        }
    }

    /// Lets every viewer count from now on.
    pub(super) async fn start_window(&self) -> anyhow::Result<()> {
        match &self.stack {
            Stack::Str0m { drivers, .. } => {
                for driver in drivers {
                    driver.start_window().await?;
                }
            }
            Stack::WebrtcRs { watching, .. } => {
                watching.iter().for_each(foreign::Watching::start_window);
            }
        }
        Ok(())
    }

    /// Ends all sessions, the publisher's last. The server would notice by itself, but might refuse
    /// the next run until then.
    pub(super) async fn leave(self) {
        let ends = async {
            end_all(self.viewers).await;
            let _ = self.publisher.delete().await;
        };
        if timeout(LEAVE_WITHIN, ends).await.is_err() {
            super::progress("the server does not answer to the end of all sessions");
        }
        match self.stack {
            Stack::Str0m {
                publishers,
                drivers,
                ..
            } => {
                for driver in drivers.iter().chain([&publishers]) {
                    let _ = driver.close_all().await;
                }
            }
            Stack::WebrtcRs {
                publishing,
                watching,
                ..
            } => {
                for viewer in &watching {
                    let _ = viewer.close().await;
                }
                let _ = publishing.close().await;
            }
        }
    }
}

/// Ends them, some at once.
pub(super) async fn end_all(sessions: Vec<Session>) {
    let mut ends = JoinSet::new();
    for session in sessions {
        if ends.len() >= MOST_ENDS {
            ends.join_next().await;
        }
        ends.spawn(async move {
            // One that is over already is no matter.
            let _ = session.delete().await;
        });
    }
    while ends.join_next().await.is_some() {}
}

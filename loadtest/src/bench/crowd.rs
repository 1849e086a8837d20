//! One publisher and its viewers, on either stack, behind one face.

use crate::signalling::{Endpoint, Session};
use crate::source::Source;
use crate::{
    Driver, PublishReport, PublisherSpec, Publishing, Sent, ViewerReport, ViewerSpec, foreign,
};
use str0m::net::Protocol;

/// One publisher and its viewers.
pub(crate) struct Crowd {
    stack: Stack,
    sent: Sent,
    spec: ViewerSpec,
    sessions: Vec<Session>,
}

enum Stack {
    Str0m {
        publishing: Publishing,
        viewers: Driver,
    },
    WebrtcRs {
        publishing: Box<foreign::Publishing>,
        watching: Vec<foreign::Watching>,
    },
}

impl Crowd {
    /// Publishes with light clients, which have a thread for the publisher and one for all viewers.
    pub(crate) async fn of_str0m(
        whip: &Endpoint,
        source: Source,
        spec: ViewerSpec,
    ) -> anyhow::Result<Self> {
        let (publishers, viewers) = (Driver::start("publisher")?, Driver::start("viewers")?);
        let sent = Sent::default();
        let publisher = PublisherSpec::browser(source);
        let publishing = crate::publish(&publishers, whip, &publisher, &sent).await?;
        Ok(Self {
            sessions: vec![publishing.session.clone()],
            stack: Stack::Str0m {
                publishing,
                viewers,
            },
            sent,
            spec,
        })
    }

    /// Publishes with webrtc-rs.
    pub(crate) async fn of_webrtc_rs(whip: &Endpoint, source: &Source) -> anyhow::Result<Self> {
        let sent = Sent::default();
        let publishing = foreign::publish(whip, source, &sent).await?;
        Ok(Self {
            sessions: vec![publishing.session.clone()],
            stack: Stack::WebrtcRs {
                publishing: Box::new(publishing),
                watching: Vec::new(),
            },
            sent,
            spec: ViewerSpec::default(),
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self.stack {
            Stack::Str0m { .. } => "str0m",
            Stack::WebrtcRs { .. } => "webrtc-rs",
        }
    }

    /// Lets one more watch.
    pub(crate) async fn add_viewer(
        &mut self,
        whep: &Endpoint,
        source: &Source,
    ) -> anyhow::Result<()> {
        let session = match &mut self.stack {
            Stack::Str0m { viewers, .. } => {
                let watched = crate::watch(viewers, whep, &self.spec, Protocol::Udp, &self.sent);
                watched.await?.session
            }
            Stack::WebrtcRs { watching, .. } => {
                let watched = foreign::watch(whep, source.codec, false, &self.sent).await?;
                let session = watched.session.clone();
                watching.push(watched);
                session
            }
        };
        self.sessions.push(session);
        Ok(())
    }

    pub(crate) async fn published(&self) -> anyhow::Result<PublishReport> {
        match &self.stack {
            Stack::Str0m { publishing, .. } => Ok(publishing.report().await?),
            Stack::WebrtcRs { publishing, .. } => Ok(publishing.report()),
        }
    }

    pub(crate) async fn viewed(&self) -> anyhow::Result<Vec<ViewerReport>> {
        match &self.stack {
            Stack::Str0m { viewers, .. } => Ok(viewers.view_reports().await?),
            Stack::WebrtcRs { watching, .. } => {
                Ok(watching.iter().map(foreign::Watching::report).collect())
            }
        }
    }

    /// Lets every viewer count from now on.
    pub(crate) async fn start_window(&self) -> anyhow::Result<()> {
        match &self.stack {
            Stack::Str0m { viewers, .. } => viewers.start_window().await?,
            Stack::WebrtcRs { watching, .. } => {
                watching.iter().for_each(foreign::Watching::start_window);
            }
        }
        Ok(())
    }

    /// Ends all sessions, the publisher's last.
    pub(crate) async fn leave(self) {
        for session in self.sessions.iter().rev() {
            // Politeness: the server would notice by itself, but refuse the next run until then.
            let _ = session.delete().await;
        }
    }
}

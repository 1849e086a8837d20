//! What the lane takes from str0m, and what it lets str0m say.

use str0m::Rtc;
use str0m::media::Mid;

/// SSRC of what str0m is asked to say so that it tells its way: of no track. What is sealed with it
/// does not leave.
const NOBODY: u32 = 1;

/// Takes from str0m what it made for an ICE restart, too.
pub(crate) fn silence(rtc: &mut Rtc, answer: &str) {
    for mid in mids_in(answer) {
        let mut direct = rtc.direct_api();
        let ssrc = direct
            .stream_tx_by_mid(mid, None)
            .map(|stream| stream.ssrc());
        if let Some(ssrc) = ssrc {
            direct.remove_stream_tx(ssrc);
        }
    }
}

/// Lets str0m say something that does not leave ([`Lane::let_through`]), and so tell its way.
pub(crate) fn ask_way(rtc: &mut Rtc) {
    let mut direct = rtc.direct_api();
    direct.send_pli_feedback(NOBODY.into(), NOBODY.into());
}

/// The names of the media sections of an SDP.
pub(super) fn mids_in(sdp: &str) -> impl Iterator<Item = Mid> {
    let mids = sdp.lines().filter_map(|line| line.strip_prefix("a=mid:"));
    mids.map(|mid| Mid::from(mid.trim()))
}

/// The canonical name in an SDP (RFC 5576 §6.1).
pub(super) fn name_in(sdp: &str) -> Option<&str> {
    let line = sdp
        .lines()
        .find(|line| line.starts_with("a=ssrc:") && line.contains(" cname:"))?;
    line.split_once(" cname:").map(|(_, name)| name.trim())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use str0m::media::MediaKind;
    use str0m::net::Transmit;

    use super::super::{Lane, TrackName};
    use crate::config::Config;
    use crate::ids::StreamId;
    use crate::registry::StreamShared;
    use crate::sdp::Offer;
    use crate::session::{Kind, Session};
    use crate::settings::Settings;

    const VIEW: &str = include_str!("../../fuzz/corpus/session/chromium-view-data");

    fn session() -> Session {
        let settings = Settings::new(Config::default(), 8_189);
        #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
        let now = Instant::now();
        let shared = Arc::<StreamShared>::default();
        let offer = VIEW.split('\0').next().expect("an offer");
        let offer = Offer::parse(offer, 65_536).expect("it can be read");
        let session = Session::view(&settings, now, StreamId::from(1), shared, &offer);
        session.expect("it is taken").0
    }

    /// Nobody but the lane can seal on its SSRCs: str0m has no stream that it could seal on.
    #[test]
    fn str0m_has_no_outgoing_stream_of_a_viewer() {
        let mut session = session();
        let restart = "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 X 0\r\n\
                       a=mid:0\r\n";
        for _ in 0..2 {
            let Kind::Viewer(viewer) = &session.kind else {
                panic!("a viewer");
            };
            let tracks =
                [MediaKind::Audio, MediaKind::Video].map(|kind| viewer.lane.tracks(kind).next());
            for TrackName { mid, ssrc, .. } in tracks.into_iter().flatten() {
                let mut direct = session.link.rtc.direct_api();
                assert!(direct.stream_tx(&ssrc.into()).is_none());
                assert!(direct.stream_tx_by_mid(mid, None).is_none());
            }
            assert!(tracks.iter().all(Option::is_some));
            session.link.patch(restart).expect("it restarts");
        }
    }

    #[test]
    fn rtcp_of_str0m_does_not_leave_and_tells_the_way() {
        let mut session = session();
        let Kind::Viewer(viewer) = &mut session.kind else {
            panic!("a viewer");
        };
        let transmit = |first: u8, port: u16| Transmit {
            proto: str0m::net::Protocol::Udp,
            source: ([192, 0, 2, 1], 8_189).into(),
            destination: ([198, 51, 100, 1], port).into(),
            contents: vec![first, 200, 0, 0].into(),
        };
        let lane = &mut viewer.lane;
        assert!(lane.let_through(&transmit(0, 1)), "STUN");
        assert_eq!(lane.path(), None);
        assert!(lane.let_through(&transmit(22, 2)), "DTLS");
        let port = |lane: &Lane| lane.path().map(|path| path.destination.port());
        assert_eq!(port(lane), Some(2));
        assert!(!lane.let_through(&transmit(0x81, 3)), "RTCP");
        assert_eq!(port(lane), Some(3));
    }
}

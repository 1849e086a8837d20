//! Formats of publishers that are no peers: what they would have agreed on with a browser. Viewers are
//! matched by codec and profile; all else the bit stream tells.

use str0m::format::{Codec, CodecSpec, FormatParams};
use str0m::media::Frequency;

use crate::video::VideoCodec;

/// The profile of each codec that every browser which has the codec decodes: constrained baseline of
/// H264, and the main or first one of the others (RFC 7798 §7.1, RFC 9628 §6, AOM RTP §7.2).
pub(super) fn video(codec: VideoCodec) -> CodecSpec {
    let format = match codec {
        VideoCodec::H264 => {
            "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
        }
        VideoCodec::H265 => "profile-id=1;tier-flag=0;level-id=93",
        VideoCodec::Vp8 => "",
        VideoCodec::Vp9 => "profile-id=0",
        VideoCodec::Av1 => "profile=0;level-idx=5;tier=0",
    };
    CodecSpec {
        codec: codec.for_str0m(),
        clock_rate: Frequency::NINETY_KHZ,
        channels: None,
        format: FormatParams::parse_line(format),
    }
}

/// RFC 7587 §7.
pub(super) fn opus() -> CodecSpec {
    CodecSpec {
        codec: Codec::Opus,
        clock_rate: Frequency::FORTY_EIGHT_KHZ,
        channels: Some(2),
        format: FormatParams::default(),
    }
}

/// What a decoder is chosen by. Where it is not said it is the first profile, but for H264, whose first
/// is none that anybody sends.
pub(super) fn profile(spec: &CodecSpec) -> Option<u32> {
    let format = &spec.format;
    match spec.codec {
        Codec::H264 => format.profile_level_id.map(|id| id >> 8),
        Codec::H265 => {
            let whole = format.h265_profile_tier_level;
            let id = whole.map(|whole| whole.profile_id().into());
            Some(id.or(format.profile_id).unwrap_or(1))
        }
        Codec::Vp9 => Some(format.profile_id.unwrap_or(0)),
        Codec::Av1 => Some(format.profile.unwrap_or(0).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use str0m::media::{Mid, Pt};

    use super::super::outgoing::Outgoing;
    use super::*;
    use crate::calls::OfferError;
    use crate::config::Config;
    use crate::event::Role;
    use crate::ids::StreamId;
    use crate::lane::TrackName;
    use crate::packet::VIDEO_CLOCK;
    use crate::registry::StreamShared;
    use crate::sdp::Offer;
    use crate::session::Session;
    use crate::settings::Settings;

    const CHROMIUM: &str = include_str!("../../fuzz/corpus/session/chromium-view-data");
    /// What Chromium adds where the machine decodes H265.
    const H265: &str = "a=rtpmap:50 H265/90000\r\n\
        a=fmtp:50 level-id=180;profile-id=2;tier-flag=0;tx-mode=SRST\r\n\
        a=rtpmap:51 H265/90000\r\n\
        a=fmtp:51 level-id=180;profile-id=1;tier-flag=0;tx-mode=SRST\r\n\
        a=rtpmap:52 H265/90000\r\n\
        a=fmtp:52 level-id=180;profile-id=4;tier-flag=0;tx-mode=SRST\r\n";

    fn chromium() -> String {
        let offer = CHROMIUM.split('\0').next().expect("an offer");
        offer.to_owned()
    }

    fn chromium_with_h265() -> String {
        let offer = chromium().replace(" 120 49\r\n", " 120 49 50 51 52\r\n");
        offer.replace("a=rtpmap:118 red", &format!("{H265}a=rtpmap:118 red"))
    }

    /// The answer to a viewer of a stream of this codec, and what the pictures go on as.
    fn answered(offer: &str, codec: VideoCodec) -> Result<(String, Option<Pt>), OfferError> {
        let shared = Arc::<StreamShared>::default();
        shared.begin_epoch(Some(codec), 1);
        let settings = Settings::new(Config::default(), 8_189);
        #[expect(clippy::disallowed_methods, reason = "a base for virtual time")]
        let now = Instant::now();
        let offer = Offer::parse(offer, 65_536)?;
        let (session, answer) = Session::view(&settings, now, StreamId::from(1), shared, &offer)?;
        let name = TrackName {
            number: 1,
            mid: Mid::from("1"),
            ssrc: 1,
        };
        let track = Outgoing::new(name, VIDEO_CLOCK);
        let found = track.find_payload_types(&session.link, video(codec));
        Ok((answer.sdp, found.map(|types| types.media)))
    }

    #[test]
    fn browser_is_answered_with_the_codec_and_gets_the_profile() {
        for (codec, pt) in [
            (VideoCodec::H264, 108),
            (VideoCodec::Vp8, 96),
            (VideoCodec::Vp9, 98),
            (VideoCodec::Av1, 45),
            (VideoCodec::H265, 51),
        ] {
            let (answer, found) = answered(&chromium_with_h265(), codec).expect("it is taken");
            let name = codec.name();
            let line = format!("a=rtpmap:{pt} {name}/90000\r\n");
            assert!(answer.contains(&line), "{name}: {answer}");
            assert_eq!(found, Some(Pt::from(pt)), "{name}");
        }
    }

    #[test]
    fn browser_without_the_codec_is_told() {
        let refused = answered(&chromium(), VideoCodec::H265).map(|_| ());
        assert!(matches!(
            refused,
            Err(OfferError::CodecMismatch { published, .. }) if published == "H265"
        ));
    }

    #[test]
    fn sound_is_what_every_browser_offers() {
        let found = Offer::parse(&chromium(), 65_536).expect("it can be read");
        let accepted = found
            .accept_viewer(Role::Viewer, None)
            .expect("it is taken");
        let mut offered = accepted.codecs.params().iter().map(|p| p.spec());
        let is_ours = |spec: CodecSpec| {
            let ours = opus();
            spec.codec == ours.codec
                && spec.clock_rate == ours.clock_rate
                && spec.channels == ours.channels
        };
        assert!(offered.any(is_ours));
    }
}

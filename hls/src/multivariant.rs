//! The multivariant playlist (§4.4.6): which renditions there are.

use std::fmt::Write as _;

use crate::chunk::Media;
use crate::playlist::Rendered;
use crate::view::{Bandwidth, View};

/// A rendition that has something to play.
#[derive(Debug, Clone)]
struct Rendition {
    /// Of its media playlist, relative to this one.
    uri: String,
    media: Media,
    bandwidth: Bandwidth,
}

/// Lists the renditions that have something to play, if there are any. `prefix` is put before their
/// URIs.
pub(crate) fn list<'a>(
    views: impl Iterator<Item = (&'a str, &'a View)>,
    prefix: &str,
) -> Option<Rendered> {
    let listed = views.filter_map(|(name, view)| {
        Some(Rendition {
            uri: format!("{prefix}{name}/index.m3u8"),
            media: view.media.clone()?,
            bandwidth: view.bandwidth()?,
        })
    });
    let listed: Vec<_> = listed.collect();
    (!listed.is_empty()).then(|| Rendered::tagged(render(&listed)))
}

/// Writes the multivariant playlist: video from the best on, each with the sound beside it, and the
/// sound alone for who cannot or will not see.
fn render(renditions: &[Rendition]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    let (mut video, audio): (Vec<_>, Vec<_>) = renditions.iter().partition(|r| r.media.is_video());
    video.sort_by_key(|rendition| std::cmp::Reverse(size(rendition)));
    let sound = audio.first();
    if let (Some(sound), false) = (sound, video.is_empty()) {
        let channels = match sound.media {
            Media::Audio { channels, .. } => channels,
            Media::Video { .. } => 2,
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,\
             AUTOSELECT=YES,CHANNELS=\"{channels}\",URI=\"{}\"",
            sound.uri
        );
    }
    for rendition in &video {
        variant(&mut text, rendition, sound.copied());
    }
    if let Some(sound) = sound {
        let with = (!video.is_empty()).then_some(*sound);
        variant(&mut text, sound, with);
    }
    text
}

fn variant(text: &mut String, rendition: &Rendition, sound: Option<&Rendition>) {
    let own = rendition.bandwidth;
    let beside = sound.filter(|_| rendition.media.is_video());
    let peak = own.peak + beside.map_or(0, |sound| sound.bandwidth.peak);
    let average = own.average + beside.map_or(0, |sound| sound.bandwidth.average);
    let mut codecs = rendition.media.codec().to_owned();
    if let Some(sound) = beside {
        codecs = format!("{codecs},{}", sound.media.codec());
    }
    let mut attributes =
        format!("BANDWIDTH={peak},AVERAGE-BANDWIDTH={average},CODECS=\"{codecs}\"");
    if let Media::Video {
        width,
        height,
        frame_rate,
        ..
    } = rendition.media
    {
        let _ = write!(
            attributes,
            ",RESOLUTION={width}x{height},FRAME-RATE={frame_rate:.3}"
        );
    }
    if sound.is_some() {
        attributes.push_str(",AUDIO=\"sound\"");
    }
    let _ = writeln!(text, "#EXT-X-STREAM-INF:{attributes}\n{}", rendition.uri);
}

fn size(rendition: &Rendition) -> (u32, u64) {
    match rendition.media {
        Media::Video { height, .. } => (height, rendition.bandwidth.peak),
        Media::Audio { .. } => (0, 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(name: &str, height: u32, peak: u64) -> Rendition {
        Rendition {
            uri: format!("t/{name}/index.m3u8"),
            media: Media::Video {
                codec: "avc1.42e01f".to_owned(),
                width: height * 16 / 9,
                height,
                frame_rate: 30.0,
            },
            bandwidth: Bandwidth {
                peak,
                average: peak / 2,
            },
        }
    }

    fn audio() -> Rendition {
        Rendition {
            uri: "t/audio/index.m3u8".to_owned(),
            media: Media::Audio {
                codec: "mp4a.40.2".to_owned(),
                channels: 2,
            },
            bandwidth: Bandwidth {
                peak: 140_000,
                average: 130_000,
            },
        }
    }

    #[test]
    fn every_layer_is_listed_from_the_best_on_and_the_sound_alone_last() {
        let text = render(&[
            video("1", 360, 600_000),
            audio(),
            video("0", 720, 2_500_000),
        ]);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:9\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"Sound\",DEFAULT=YES,\
             AUTOSELECT=YES,CHANNELS=\"2\",URI=\"t/audio/index.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2640000,AVERAGE-BANDWIDTH=1380000,\
             CODECS=\"avc1.42e01f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,\
             AUDIO=\"sound\"\nt/0/index.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=740000,AVERAGE-BANDWIDTH=430000,\
             CODECS=\"avc1.42e01f,mp4a.40.2\",RESOLUTION=640x360,FRAME-RATE=30.000,\
             AUDIO=\"sound\"\nt/1/index.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=130000,\
             CODECS=\"mp4a.40.2\",AUDIO=\"sound\"\nt/audio/index.m3u8\n"
        );
    }

    #[test]
    fn sound_alone_needs_no_group() {
        let text = render(&[audio()]);
        assert!(!text.contains("EXT-X-MEDIA"), "{text}");
        assert!(!text.contains("AUDIO="), "{text}");
    }
}

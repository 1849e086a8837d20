//! The multivariant playlist (§4.4.6): which renditions there are.

use std::fmt::Write as _;

use crate::chunk::Media;
use crate::pathway::{Pathway, playlist_name};
use crate::playlist::Rendered;
use crate::view::{Bandwidth, View};

/// A rendition that has something to play.
#[derive(Debug, Clone)]
struct Rendition {
    name: String,
    /// Of its folder, relative to this playlist.
    folder: String,
    media: Media,
    bandwidth: Bandwidth,
}

/// Lists the renditions that have something to play, if there are any, once for each pathway, where there
/// are several. `prefix` is put before their URIs.
pub(crate) fn list<'a>(
    views: impl Iterator<Item = (&'a str, &'a View)>,
    prefix: &str,
    pathways: &[Pathway],
) -> Option<Rendered> {
    let listed = views.filter_map(|(name, view)| {
        Some(Rendition {
            name: name.to_owned(),
            folder: format!("{prefix}{name}/"),
            media: view.media.clone()?,
            bandwidth: view.bandwidth()?,
        })
    });
    let listed: Vec<_> = listed.collect();
    (!listed.is_empty()).then(|| Rendered::tagged(render(&listed, pathways)))
}

/// One way to all renditions, as this playlist lists it.
#[derive(Debug, Clone, Copy)]
struct Way<'a>(Option<&'a Pathway>);

impl Way<'_> {
    fn uri(self, rendition: &Rendition) -> String {
        let playlist = playlist_name(self.0.map(|pathway| pathway.number));
        format!("{}{playlist}", rendition.folder)
    }

    /// `GROUP-ID` of the sound: a pathway has groups of its own.
    fn sound(self) -> String {
        self.0
            .map_or_else(|| "sound".to_owned(), |one| format!("sound-{}", one.id()))
    }
}

/// Writes the multivariant playlist: video from the best on, each with the sound beside it, and the
/// sound alone for who cannot or will not see. Who knows of no pathways takes the first.
fn render(renditions: &[Rendition], pathways: &[Pathway]) -> String {
    let mut text = String::from("#EXTM3U\n#EXT-X-VERSION:9\n");
    // Writing to a String cannot fail.
    if let Some(first) = pathways.first() {
        let _ = writeln!(
            text,
            "#EXT-X-CONTENT-STEERING:SERVER-URI=\"{STEERING}\",PATHWAY-ID=\"{}\"",
            first.id()
        );
    }
    let ways: Vec<_> = match pathways {
        [] => vec![Way(None)],
        several => several.iter().map(|one| Way(Some(one))).collect(),
    };
    let (mut video, audio): (Vec<_>, Vec<_>) = renditions.iter().partition(|r| r.media.is_video());
    video.sort_by_key(|rendition| std::cmp::Reverse(size(rendition)));
    let sound = audio.first().copied();
    if let (Some(sound), false) = (sound, video.is_empty()) {
        for way in &ways {
            beside(&mut text, *way, sound);
        }
    }
    for way in ways {
        for rendition in &video {
            variant(&mut text, way, rendition, sound);
        }
        if let Some(sound) = sound {
            let with = (!video.is_empty()).then_some(sound);
            variant(&mut text, way, sound, with);
        }
    }
    text
}

/// The steering manifest, beside this playlist.
const STEERING: &str = "steering.json";

/// The sound that is played beside a picture.
fn beside(text: &mut String, way: Way<'_>, sound: &Rendition) {
    let channels = match sound.media {
        Media::Audio { channels, .. } => channels,
        Media::Video { .. } => 2,
    };
    let (group, uri) = (way.sound(), way.uri(sound));
    let _ = write!(
        text,
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"{group}\",NAME=\"Sound\",DEFAULT=YES,\
         AUTOSELECT=YES,CHANNELS=\"{channels}\""
    );
    if way.0.is_some() {
        let _ = write!(text, ",STABLE-RENDITION-ID=\"{}\"", sound.name);
    }
    let _ = writeln!(text, ",URI=\"{uri}\"");
}

fn variant(text: &mut String, way: Way<'_>, rendition: &Rendition, sound: Option<&Rendition>) {
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
        let _ = write!(attributes, ",AUDIO=\"{}\"", way.sound());
    }
    // §4.4.6.2: by its stable name a player finds on another pathway what it played on this one.
    if let Some(pathway) = way.0 {
        let (name, id) = (&rendition.name, pathway.id());
        let _ = write!(
            attributes,
            ",STABLE-VARIANT-ID=\"{name}\",PATHWAY-ID=\"{id}\""
        );
    }
    let uri = way.uri(rendition);
    let _ = writeln!(text, "#EXT-X-STREAM-INF:{attributes}\n{uri}");
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
            name: name.to_owned(),
            folder: format!("t/{name}/"),
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
            name: "audio".to_owned(),
            folder: "t/audio/".to_owned(),
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
        let text = render(
            &[
                video("1", 360, 600_000),
                audio(),
                video("0", 720, 2_500_000),
            ],
            &[],
        );
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
    fn each_pathway_has_all_of_it_and_the_first_is_begun_with() {
        let pathways = [2, 1].map(|number| Pathway {
            number,
            base: format!("https://cdn-{number}.example/"),
        });
        let text = render(&[video("0", 720, 2_500_000), audio()], &pathways);
        assert_eq!(
            text,
            "#EXTM3U\n#EXT-X-VERSION:9\n\
             #EXT-X-CONTENT-STEERING:SERVER-URI=\"steering.json\",PATHWAY-ID=\"cdn2\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound-cdn2\",NAME=\"Sound\",DEFAULT=YES,\
             AUTOSELECT=YES,CHANNELS=\"2\",STABLE-RENDITION-ID=\"audio\",\
             URI=\"t/audio/index.cdn2.m3u8\"\n\
             #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound-cdn1\",NAME=\"Sound\",DEFAULT=YES,\
             AUTOSELECT=YES,CHANNELS=\"2\",STABLE-RENDITION-ID=\"audio\",\
             URI=\"t/audio/index.cdn1.m3u8\"\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2640000,AVERAGE-BANDWIDTH=1380000,\
             CODECS=\"avc1.42e01f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,\
             AUDIO=\"sound-cdn2\",STABLE-VARIANT-ID=\"0\",PATHWAY-ID=\"cdn2\"\n\
             t/0/index.cdn2.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=130000,\
             CODECS=\"mp4a.40.2\",AUDIO=\"sound-cdn2\",STABLE-VARIANT-ID=\"audio\",\
             PATHWAY-ID=\"cdn2\"\nt/audio/index.cdn2.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=2640000,AVERAGE-BANDWIDTH=1380000,\
             CODECS=\"avc1.42e01f,mp4a.40.2\",RESOLUTION=1280x720,FRAME-RATE=30.000,\
             AUDIO=\"sound-cdn1\",STABLE-VARIANT-ID=\"0\",PATHWAY-ID=\"cdn1\"\n\
             t/0/index.cdn1.m3u8\n\
             #EXT-X-STREAM-INF:BANDWIDTH=140000,AVERAGE-BANDWIDTH=130000,\
             CODECS=\"mp4a.40.2\",AUDIO=\"sound-cdn1\",STABLE-VARIANT-ID=\"audio\",\
             PATHWAY-ID=\"cdn1\"\nt/audio/index.cdn1.m3u8\n"
        );
    }

    #[test]
    fn sound_alone_needs_no_group() {
        let text = render(&[audio()], &[]);
        assert!(!text.contains("EXT-X-MEDIA"), "{text}");
        assert!(!text.contains("AUDIO="), "{text}");
    }
}

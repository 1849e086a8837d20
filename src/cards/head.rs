//! What a card is in the head of its page: Open Graph, Twitter's few words beside it, where to ask how
//! to embed it, and what search engines are to know.

use super::Card;

/// The head of one page.
#[derive(Debug)]
pub struct Head<'a> {
    card: &'a Card,
    /// By which the page is known everywhere.
    origin: &'a str,
}

impl Card {
    /// For a page of ours at this origin.
    #[must_use]
    pub fn head<'a>(&'a self, origin: &'a str) -> Head<'a> {
        Head { card: self, origin }
    }
}

impl Head<'_> {
    /// Puts it into the head of a page as it was built, in place of the words that all pages have.
    /// A page for frames is listed nowhere: what it shows has a page of its own.
    #[must_use]
    pub fn within(&self, page: &str, in_frame: bool) -> String {
        let page = without(page, "<meta name=\"description\"", ">");
        let page = without(&page, "<title>", "</title>");
        let mut lines = self.lines();
        if in_frame || !self.card.is_listed {
            lines += &meta("name", "robots", "noindex");
        }
        page.replacen("</head>", &(lines + "</head>"), 1)
    }

    fn lines(&self) -> String {
        let card = self.card;
        let title = escaped(&card.title);
        let suffix = match card.path.as_str() {
            "/" => String::new(),
            _ => format!(" · {}", escaped(&card.site)),
        };
        let mut lines = format!("<title>{title}{suffix}</title>");
        lines += &meta("name", "description", &card.description);
        let page = self.absolute(&card.path);
        lines += &format!("<link rel=\"canonical\" href=\"{}\" />", escaped(&page));
        if card.video.is_some() {
            lines += &self.discovery();
        }
        lines += &self.feed();
        for (name, value) in self.open_graph() {
            lines += &meta("property", name, &value);
        }
        for (name, value) in self.twitter() {
            lines += &meta("name", name, &value);
        }
        lines
    }

    /// Where readers find the feed of a channel's page.
    fn feed(&self) -> String {
        let Some(handle) = self.card.path.strip_prefix("/@") else {
            return String::new();
        };
        let href = self.absolute(&format!("/api/channels/{handle}/feed.rss"));
        format!(
            "<link rel=\"alternate\" type=\"application/rss+xml\" href=\"{}\" title=\"{}\" />",
            escaped(&href),
            escaped(&self.card.title)
        )
    }

    /// oEmbed §4.
    fn discovery(&self) -> String {
        let url: String = form_encoded(&self.absolute(&self.card.path));
        let link = |kind: &str, format: &str| {
            let href = self.absolute(&format!("/api/oembed?url={url}&format={format}"));
            format!(
                "<link rel=\"alternate\" type=\"{kind}+oembed\" href=\"{}\" title=\"{}\" />",
                escaped(&href),
                escaped(&self.card.title)
            )
        };
        link("application/json", "json") + &link("text/xml", "xml")
    }

    fn open_graph(&self) -> Vec<(&'static str, String)> {
        let card = self.card;
        let (width, height) = card.image.size;
        let kind = if card.video.is_some() {
            "video.other"
        } else {
            "website"
        };
        let mut lines = vec![
            ("og:site_name", card.site.clone()),
            ("og:type", kind.to_owned()),
            ("og:title", card.title.clone()),
            ("og:description", card.description.clone()),
            ("og:url", self.absolute(&card.path)),
            ("og:image", self.absolute(&card.image.path)),
            ("og:image:width", width.to_string()),
            ("og:image:height", height.to_string()),
            ("og:image:alt", card.image.alt.clone()),
        ];
        let video = card.video.as_ref();
        if let Some(frame) = video.and_then(|video| video.embed.as_deref()) {
            let frame = self.absolute(frame);
            lines.push(("og:video", frame.clone()));
            if frame.starts_with("https:") {
                lines.push(("og:video:secure_url", frame));
            }
            lines.push(("og:video:type", "text/html".to_owned()));
            lines.push(("og:video:width", "1280".to_owned()));
            lines.push(("og:video:height", "720".to_owned()));
        }
        if let Some(seconds) = video.and_then(|video| video.seconds) {
            lines.push(("video:duration", seconds.to_string()));
        }
        lines
    }

    fn twitter(&self) -> [(&'static str, String); 3] {
        [
            ("twitter:card", "summary_large_image".to_owned()),
            ("twitter:title", self.card.title.clone()),
            ("twitter:image:alt", self.card.image.alt.clone()),
        ]
    }

    fn absolute(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }
}

fn meta(by: &str, name: &str, value: &str) -> String {
    format!("<meta {by}=\"{name}\" content=\"{}\" />", escaped(value))
}

/// The text without the first stretch between these two, and themselves.
fn without(text: &str, from: &str, to: &str) -> String {
    let stretch = text.find(from).and_then(|start| {
        let end = text.get(start..)?.find(to)? + start + to.len();
        Some(text.get(..start)?.to_owned() + text.get(end..)?)
    });
    stretch.unwrap_or_else(|| text.to_owned())
}

/// Text within a quoted attribute or an element, of HTML as of XML.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A value in a query.
fn form_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::super::{Image, Video};
    use super::*;

    fn card(title: &str) -> Card {
        Card {
            site: "Radio Ada".to_owned(),
            title: title.to_owned(),
            description: "About it.".to_owned(),
            path: "/@ada".to_owned(),
            image: Image {
                path: "/hls/ada/thumbnail.jpg?at=1".to_owned(),
                size: (320, 180),
                alt: "What Ada shows".to_owned(),
            },
            video: Some(Video {
                embed: Some("/embed/ada".to_owned()),
                author: "Ada".to_owned(),
                author_path: "/@ada".to_owned(),
                seconds: None,
                fresh_seconds: 60,
            }),
            is_listed: true,
        }
    }

    const BUILT: &str = "<html><head><meta name=\"description\" content=\"x\" /><title>Tallylight</title></head><body>";

    #[test]
    fn names_cannot_leave_their_attribute() {
        let card = card("\"><script>alert(1)</script></title> & co");
        let page = card.head("https://live.example").within(BUILT, false);
        assert!(!page.contains("<script"), "{page}");
        assert!(page.contains("&quot;&gt;&lt;script"), "{page}");
        assert_eq!(page.matches("</title>").count(), 1, "{page}");
    }

    #[test]
    fn a_page_tells_its_own_words_in_place_of_the_common_ones() {
        let page = card("Ada is live")
            .head("https://live.example")
            .within(BUILT, false);
        for line in [
            "<title>Ada is live · Radio Ada</title>",
            "<meta name=\"description\" content=\"About it.\" />",
            "<link rel=\"canonical\" href=\"https://live.example/@ada\" />",
            "href=\"https://live.example/api/oembed?url=https%3A%2F%2Flive.example%2F%40ada&amp;format=json\"",
            "<meta property=\"og:image\" content=\"https://live.example/hls/ada/thumbnail.jpg?at=1\" />",
            "<meta property=\"og:video:secure_url\" content=\"https://live.example/embed/ada\" />",
            "<meta name=\"twitter:card\" content=\"summary_large_image\" />",
        ] {
            assert!(page.contains(line), "{line} is not in {page}");
        }
        assert_eq!(page.matches("name=\"description\"").count(), 1);
        assert_eq!(page.matches("<title>").count(), 1);
        assert!(!page.contains("noindex"));
    }

    #[test]
    fn what_is_not_listed_says_so() {
        let unlisted = Card {
            is_listed: false,
            ..card("Ada")
        };
        let noindex = "<meta name=\"robots\" content=\"noindex\" />";
        assert!(unlisted.head("").within(BUILT, false).contains(noindex));
        assert!(card("Ada").head("").within(BUILT, true).contains(noindex));
    }
}

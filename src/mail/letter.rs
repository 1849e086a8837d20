//! [`Letter`]: what a mail says, and how it looks as text and as simple HTML. Pure.

use serde::{Deserialize, Serialize};

/// What a mail says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letter {
    /// Whom it goes to.
    pub to: String,
    /// Its subject.
    pub subject: String,
    /// What it says, a paragraph each.
    pub paragraphs: Vec<String>,
    /// What there is to do: words for the button, and the link.
    pub act: Option<(String, String)>,
    /// Small print, such as why it came.
    pub foot: String,
    /// Where it can be called off without signing in.
    pub unsubscribe: Option<String>,
}

impl Letter {
    /// As plain text.
    #[must_use]
    pub fn text(&self) -> String {
        let mut blocks = self.paragraphs.clone();
        blocks.extend(
            self.act
                .iter()
                .map(|(words, link)| format!("{words}:\n{link}")),
        );
        let mut foot = vec![self.foot.clone()];
        foot.extend(
            self.unsubscribe
                .iter()
                .map(|link| format!("Call these mails off:\n{link}")),
        );
        foot.retain(|line| !line.is_empty());
        if !foot.is_empty() {
            blocks.push(format!("-- \n{}", foot.join("\n")));
        }
        blocks.join("\n\n") + "\n"
    }

    /// As HTML: no pictures, no scripts, nothing fetched from anywhere.
    #[must_use]
    pub fn html(&self) -> String {
        let mut body = String::new();
        for paragraph in &self.paragraphs {
            body += &format!("<p>{}</p>\n", escaped(paragraph));
        }
        if let Some((words, link)) = &self.act {
            let (words, link) = (escaped(words), escaped(link));
            body += &format!("<p><a href=\"{link}\" style=\"{BUTTON}\">{words}</a></p>\n");
            body += &format!("<p style=\"{SMALL}\">Or open this link: {link}</p>\n");
        }
        if !self.foot.is_empty() {
            body += &format!("<p style=\"{SMALL}\">{}</p>\n", escaped(&self.foot));
        }
        if let Some(link) = &self.unsubscribe {
            let link = escaped(link);
            body +=
                &format!("<p style=\"{SMALL}\"><a href=\"{link}\">Call these mails off</a></p>\n");
        }
        let title = escaped(&self.subject);
        format!(
            "<!doctype html>\n<html><head><meta charset=\"utf-8\"><title>{title}</title></head>\n\
             <body style=\"{BODY}\">\n{body}</body></html>\n"
        )
    }
}

const BODY: &str = "font: 16px/1.5 system-ui, sans-serif; color: #16181d; max-width: 34em; \
                    margin: 2em auto; padding: 0 1em";
const BUTTON: &str = "display: inline-block; padding: .6em 1.2em; border-radius: .5em; \
                      background: #1f4fd8; color: #ffffff; text-decoration: none";
const SMALL: &str = "font-size: 13px; color: #5a6070; overflow-wrap: anywhere";

/// Text that means nothing to HTML.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut html, c| {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            _ => html.push(c),
        }
        html
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> Letter {
        Letter {
            to: "ada@example.org".to_owned(),
            subject: "Bread & <butter>".to_owned(),
            paragraphs: vec![
                "Hello <script>Ada</script>,".to_owned(),
                "how are you?".to_owned(),
            ],
            act: Some((
                "Answer".to_owned(),
                "https://live.example/a?b=1&c=2".to_owned(),
            )),
            foot: "You asked for it.".to_owned(),
            unsubscribe: None,
        }
    }

    #[test]
    fn the_text_has_paragraphs_link_and_small_print() {
        let text = "Hello <script>Ada</script>,\n\nhow are you?\n\nAnswer:\n\
                    https://live.example/a?b=1&c=2\n\n-- \nYou asked for it.\n";
        assert_eq!(letter().text(), text);
    }

    #[test]
    fn nothing_in_a_letter_becomes_markup() {
        let html = letter().html();
        assert!(
            html.contains("<p>Hello &lt;script&gt;Ada&lt;/script&gt;,</p>"),
            "{html}"
        );
        assert!(
            html.contains("href=\"https://live.example/a?b=1&amp;c=2\""),
            "{html}"
        );
        assert!(
            html.contains("<title>Bread &amp; &lt;butter&gt;</title>"),
            "{html}"
        );
    }

    #[test]
    fn what_can_be_called_off_says_so() {
        let letter = Letter {
            unsubscribe: Some("https://live.example/off#x".to_owned()),
            ..Letter::default()
        };
        assert!(letter.text().contains("https://live.example/off#x"));
        assert!(letter.html().contains("Call these mails off"));
    }
}

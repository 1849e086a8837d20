//! Markdown as a small tree of blocks, which pages draw piece by piece: no text of anybody's becomes
//! HTML. What has no place in the tree, such as HTML or pictures, is shown as the text that it is.

#![allow(
    clippy::use_self,
    reason = "the API's description is made of the types' names"
)]

use std::iter::Peekable;

use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag};
use serde::Serialize;
use utoipa::ToSchema;

/// A piece of a text, one below the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Block {
    /// A paragraph.
    Paragraph { content: Vec<Inline> },
    /// A heading within the panel, 1 to 3.
    Heading { level: u8, content: Vec<Inline> },
    /// A list; `start` is the first number of a numbered one.
    List {
        start: Option<u64>,
        #[schema(no_recursion)]
        items: Vec<Vec<Block>>,
    },
    /// What somebody else said.
    Quote {
        #[schema(no_recursion)]
        blocks: Vec<Block>,
    },
    /// Text as it is, with its line breaks.
    Code { text: String },
    /// A line across.
    Rule,
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[schema(no_recursion)]
pub(super) enum Inline {
    /// Plain text.
    Text { text: String },
    /// A name, a command, as it is typed.
    Code { text: String },
    /// Said with stress.
    Emphasis { content: Vec<Inline> },
    /// Said with more stress.
    Strong { content: Vec<Inline> },
    /// Struck out.
    Struck { content: Vec<Inline> },
    /// A way to somewhere else, by https, http or mailto.
    Link { url: String, content: Vec<Inline> },
    /// The end of a line.
    Break,
}

/// Deeper than this, only the text remains.
const DEEPEST: usize = 12;

/// The tree of a text.
pub(super) fn read(markdown: &str) -> Vec<Block> {
    let mut events = Parser::new_ext(markdown, Options::ENABLE_STRIKETHROUGH).peekable();
    let mut read = Vec::new();
    while events.peek().is_some() {
        blocks(&mut events, 0, &mut read);
        // An end without a beginning, which the parser does not give.
        events.next();
    }
    read
}

type Events<'a> = Peekable<Parser<'a>>;

/// Reads blocks up to an end, which is left.
fn blocks(events: &mut Events<'_>, depth: usize, read: &mut Vec<Block>) {
    while let Some(event) = events.peek() {
        match event {
            Event::End(_) => return,
            Event::Rule => {
                events.next();
                read.push(Block::Rule);
            }
            event if is_inline(event) => {
                let mut content = Vec::new();
                inlines(events, depth, &mut content);
                push_paragraph(content, read);
            }
            _ => block(events, depth, read),
        }
    }
}

/// Reads one block from its start to its end.
fn block(events: &mut Events<'_>, depth: usize, read: &mut Vec<Block>) {
    let Some(Event::Start(tag)) = events.next() else {
        return;
    };
    if depth >= DEEPEST {
        let text = text_to_end(events);
        return push_paragraph(vec![Inline::Text { text }], read);
    }
    match tag {
        Tag::Heading { level, .. } => {
            let content = inlines_to_end(events, depth);
            read.push(Block::Heading {
                level: level_of(level),
                content,
            });
        }
        Tag::CodeBlock(_) => read.push(Block::Code {
            text: text_to_end(events),
        }),
        Tag::HtmlBlock => {
            let text = text_to_end(events);
            push_paragraph(vec![Inline::Text { text }], read);
        }
        Tag::BlockQuote(_) => {
            let mut inner = Vec::new();
            blocks(events, depth + 1, &mut inner);
            events.next();
            read.push(Block::Quote { blocks: inner });
        }
        Tag::List(start) => read.push(Block::List {
            start,
            items: items(events, depth + 1),
        }),
        _ => {
            let content = inlines_to_end(events, depth);
            push_paragraph(content, read);
        }
    }
}

/// The items of a list, whose end is taken.
fn items(events: &mut Events<'_>, depth: usize) -> Vec<Vec<Block>> {
    let mut items = Vec::new();
    while let Some(Event::Start(Tag::Item)) = events.peek() {
        events.next();
        let mut item = Vec::new();
        blocks(events, depth, &mut item);
        events.next();
        items.push(item);
    }
    events.next();
    items
}

fn inlines_to_end(events: &mut Events<'_>, depth: usize) -> Vec<Inline> {
    let mut content = Vec::new();
    inlines(events, depth, &mut content);
    events.next();
    content
}

/// Reads what stands in a line, up to something else, which is left.
fn inlines(events: &mut Events<'_>, depth: usize, read: &mut Vec<Inline>) {
    while let Some(event) = events.next_if(is_inline) {
        match event {
            Event::Text(text) | Event::InlineHtml(text) | Event::Html(text) => {
                push_text(&text, read)
            }
            Event::Code(text) => read.push(Inline::Code {
                text: text.into_string(),
            }),
            Event::SoftBreak => push_text(" ", read),
            Event::HardBreak => read.push(Inline::Break),
            Event::Start(tag) if depth < DEEPEST => read.extend(styled(tag, events, depth + 1)),
            Event::Start(_) => push_text(&text_to_end(events), read),
            _ => {}
        }
    }
}

fn styled(tag: Tag<'_>, events: &mut Events<'_>, depth: usize) -> Vec<Inline> {
    let content = inlines_to_end(events, depth);
    vec![match tag {
        Tag::Emphasis => Inline::Emphasis { content },
        Tag::Strong => Inline::Strong { content },
        Tag::Strikethrough => Inline::Struck { content },
        Tag::Link { dest_url, .. } if is_safe(&dest_url) => Inline::Link {
            url: dest_url.into_string(),
            content,
        },
        // A picture's words, or those of a link that leads nowhere good.
        _ => return content,
    }]
}

/// The text up to the end of what was begun, which is taken. However deep that is, this is not.
fn text_to_end(events: &mut Events<'_>) -> String {
    let (mut depth, mut text) = (0_usize, String::new());
    for event in events.by_ref() {
        match event {
            Event::Start(_) => depth += 1,
            Event::End(_) if depth == 0 => break,
            Event::End(_) => depth -= 1,
            Event::Text(piece)
            | Event::Code(piece)
            | Event::Html(piece)
            | Event::InlineHtml(piece) => {
                text.push_str(&piece);
            }
            Event::SoftBreak | Event::HardBreak => text.push('\n'),
            _ => {}
        }
    }
    text
}

fn is_inline(event: &Event<'_>) -> bool {
    match event {
        Event::Text(_)
        | Event::Code(_)
        | Event::InlineHtml(_)
        | Event::Html(_)
        | Event::SoftBreak
        | Event::HardBreak => true,
        Event::Start(tag) => matches!(
            tag,
            Tag::Emphasis | Tag::Strong | Tag::Strikethrough | Tag::Link { .. } | Tag::Image { .. }
        ),
        _ => false,
    }
}

/// Whether an address leads to where a browser runs nothing of ours.
fn is_safe(url: &str) -> bool {
    let scheme = url
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    let is_known =
        scheme.is_some_and(|scheme| ["https", "http", "mailto"].contains(&scheme.as_str()));
    is_known && !url.chars().any(char::is_control)
}

fn push_text(text: &str, read: &mut Vec<Inline>) {
    match read.last_mut() {
        Some(Inline::Text { text: before }) => before.push_str(text),
        _ => read.push(Inline::Text {
            text: text.to_owned(),
        }),
    }
}

fn push_paragraph(content: Vec<Inline>, read: &mut Vec<Block>) {
    if !content.is_empty() {
        read.push(Block::Paragraph { content });
    }
}

fn level_of(level: HeadingLevel) -> u8 {
    match level {
        HeadingLevel::H1 => 1,
        HeadingLevel::H2 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn json(markdown: &str) -> serde_json::Value {
        serde_json::to_value(read(markdown)).unwrap()
    }

    #[test]
    fn a_text_becomes_blocks() {
        let tree = json(
            "# Hello\n\nI *stream* on **Fridays**, see [my site](https://example.com).\n\n- one\n- two\n  1. a",
        );
        assert_eq!(tree[0]["kind"], "heading");
        assert_eq!(tree[1]["content"][1]["kind"], "emphasis");
        assert_eq!(tree[1]["content"][5]["url"], "https://example.com");
        assert_eq!(tree[2]["items"][0][0]["content"][0]["text"], "one");
        assert_eq!(tree[2]["items"][1][1]["start"], 1);
        assert_eq!(
            json("> said\n\n---\n\n    code\n")[0]["blocks"][0]["kind"],
            "paragraph"
        );
        assert_eq!(json("```\na\nb\n```")[0]["text"], "a\nb\n");
    }

    #[test]
    fn scripts_are_text_and_links_that_run_them_lead_nowhere() {
        let tree = json("<script>alert(1)</script>");
        assert_eq!(tree[0]["kind"], "paragraph");
        assert_eq!(tree[0]["content"][0]["text"], "<script>alert(1)</script>");
        let inline = json("a <img src=x onerror=alert(1)> b");
        assert_eq!(
            inline[0]["content"][0]["text"],
            "a <img src=x onerror=alert(1)> b"
        );
        for link in [
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](data:text/html,x)",
            "[x](vbscript:x)",
            "[x](/relative)",
            "[x](&#106;avascript:alert(1))",
            "[x](<java\tscript:alert(1)>)",
            "![x](https://example.com/pixel.gif)",
        ] {
            let text = json(link).to_string();
            assert!(!text.contains("\"link\""), "{link}: {text}");
            assert!(!text.contains("pixel"), "{link}: {text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        for hostile in [
            ">".repeat(5000),
            "- ".repeat(2500),
            "*_".repeat(2500),
            "[".repeat(5000),
        ] {
            let text = json(&hostile).to_string();
            let deepest = text.chars().fold((0_i32, 0_i32), |(now, most), c| match c {
                '[' | '{' => (now + 1, most.max(now + 1)),
                ']' | '}' => (now - 1, most),
                _ => (now, most),
            });
            assert!(deepest.1 < 100 || hostile.starts_with('['), "{}", deepest.1);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[ -~\n>*_`#\\[\\]()<-]{0,300}") {
            read(&text);
        }
    }
}

//! What a handle may be: plain letters only, so that none looks like another, and no word that the
//! server's own addresses need.

use crate::error::ApiError;

/// Words of our addresses, and such as people would take for the server itself.
const RESERVED: [&str; 58] = [
    "about",
    "account",
    "accounts",
    "admin",
    "administrator",
    "api",
    "assets",
    "auth",
    "categories",
    "category",
    "channels",
    "dashboard",
    "docs",
    "embed",
    "events",
    "favicon",
    "feed",
    "feeds",
    "followers",
    "following",
    "healthz",
    "help",
    "hls",
    "home",
    "images",
    "invite",
    "invites",
    "live",
    "login",
    "logout",
    "me",
    "metrics",
    "moderator",
    "new",
    "notifications",
    "oauth",
    "oembed",
    "player",
    "privacy",
    "readyz",
    "register",
    "search",
    "security",
    "sessions",
    "settings",
    "setup",
    "signup",
    "static",
    "studio",
    "support",
    "system",
    "tags",
    "tallylight",
    "unsubscribe",
    "videos",
    "vod",
    "whep",
    "whip",
];

/// The handle that a wish means.
///
/// # Errors
/// With what would be right.
pub(super) fn checked(wish: &str) -> Result<String, ApiError> {
    let invalid = |code, detail: String| Err(ApiError::Invalid { code, detail });
    let trimmed = wish.trim();
    let handle = trimmed
        .strip_prefix('@')
        .unwrap_or(trimmed)
        .to_ascii_lowercase();
    if let Some(odd) = handle.chars().find(|c| !is_plain(*c)) {
        return invalid("handle_invalid", words_for(odd));
    }
    if !is_shaped(&handle) {
        return invalid(
            "handle_invalid",
            "a handle has 2 to 30 letters a to z, digits, hyphens or underscores, and starts with a \
             letter or digit"
                .to_owned(),
        );
    }
    if RESERVED.contains(&handle.as_str()) {
        return invalid(
            "handle_invalid",
            format!("@{handle} is a word that this server needs itself; choose another"),
        );
    }
    Ok(handle)
}

/// Whether a channel could have this handle. Only then may the database be asked: PostgreSQL cannot
/// take every text.
pub(super) fn is_shaped(handle: &str) -> bool {
    (2..=30).contains(&handle.len())
        && handle.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && handle.chars().all(is_plain)
}

fn is_plain(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
}

/// Of a character that a handle cannot have. An unseen one is told by its number.
fn words_for(odd: char) -> String {
    let rest = "a handle has letters a to z, digits, hyphens and underscores only";
    if odd.is_whitespace() {
        return format!("no spaces: {rest}");
    }
    if odd.is_ascii_graphic() {
        return format!("no {odd}: {rest}");
    }
    if odd.is_alphanumeric() {
        return format!("{odd} could be taken for another letter: {rest}");
    }
    let number = u32::from(odd);
    format!("there is a character that is not seen or not a letter (U+{number:04X}): {rest}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handles_are_lower_case_and_plain() {
        assert_eq!(checked(" @Ada-1 ").unwrap(), "ada-1");
        for wish in [
            "",
            "a",
            "-ada",
            "_ada",
            "ada lovelace",
            "ädä",
            "..",
            "../etc",
            "a/b",
            "@@ada",
            "\u{430}da",
            "a\u{202E}da",
            "ad\u{200B}a",
            "ada\u{0}",
            "K\u{212A}",
            &"x".repeat(31),
        ] {
            let Err(ApiError::Invalid { code, .. }) = checked(wish) else {
                panic!("{wish:?} is taken");
            };
            assert_eq!(code, "handle_invalid", "{wish:?}");
        }
    }

    #[test]
    fn words_of_the_server_are_reserved() {
        for wish in ["sessions", "API", "@images", "Studio"] {
            let Err(ApiError::Invalid { code, .. }) = checked(wish) else {
                panic!("{wish} is taken");
            };
            assert_eq!(code, "handle_invalid");
        }
        let mut sorted = RESERVED;
        sorted.sort_unstable();
        assert_eq!(
            sorted, RESERVED,
            "in order, so that none stands there twice"
        );
    }

    #[test]
    fn refusals_name_the_character() {
        let words = |wish: &str| checked(wish).unwrap_err().to_string();
        assert!(words("a.b").starts_with("no .:"));
        assert!(words("\u{430}da").contains("taken for another letter"));
        assert!(words("a\u{202E}").contains("U+202E"));
    }
}

//! What channels are about and what is spoken on them: lists that the program carries, so that pages
//! can offer them and links to them stay good.

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::ApiError;

/// A kind of channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub struct Category {
    /// For addresses and programs; it never changes.
    pub slug: &'static str,
    /// For people.
    pub name: &'static str,
}

const fn category(slug: &'static str, name: &'static str) -> Category {
    Category { slug, name }
}

/// All kinds of channels, in the order in which they are offered.
pub const CATEGORIES: [Category; 18] = [
    category("gaming", "Gaming"),
    category("just_chatting", "Just chatting"),
    category("music", "Music"),
    category("art", "Art and design"),
    category("making", "Making and crafts"),
    category("coding", "Software and games in the making"),
    category("science", "Science and technology"),
    category("education", "Lessons and lectures"),
    category("sports", "Sports and fitness"),
    category("talks", "Talks and podcasts"),
    category("events", "Conferences and events"),
    category("news", "News and politics"),
    category("food", "Food and drink"),
    category("travel", "Travel and outdoors"),
    category("nature", "Animals and nature"),
    category("faith", "Faith and community"),
    category("radio", "Radio and sound only"),
    category("other", "Something else"),
];

/// Languages that channels may name (BCP 47). Pages have their names from the browser.
pub const LANGUAGES: [&str; 62] = [
    "af", "ar", "az", "be", "bg", "bn", "bs", "ca", "cs", "cy", "da", "de", "el", "en", "eo", "es",
    "et", "eu", "fa", "fi", "fil", "fr", "ga", "gl", "he", "hi", "hr", "hu", "hy", "id", "is",
    "it", "ja", "ka", "kk", "ko", "lt", "lv", "mk", "ms", "nb", "nl", "nn", "pl", "pt", "pt-BR",
    "ro", "ru", "sk", "sl", "sq", "sr", "sv", "sw", "ta", "th", "tr", "uk", "ur", "vi", "zh-Hans",
    "zh-Hant",
];

/// The slug of a category.
///
/// # Errors
/// When there is none of that slug.
pub(super) fn checked_category(slug: &str) -> Result<String, ApiError> {
    let known = CATEGORIES.iter().any(|category| category.slug == slug);
    match known {
        true => Ok(slug.to_owned()),
        false => Err(ApiError::Invalid {
            code: "category_unknown",
            detail: "there is no such category; /api/categories lists them".to_owned(),
        }),
    }
}

/// The tag of a language, in its usual spelling.
///
/// # Errors
/// When it is not of the list.
pub(super) fn checked_language(tag: &str) -> Result<String, ApiError> {
    let known = LANGUAGES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(tag));
    known.map(|tag| (*tag).to_owned()).ok_or(ApiError::Invalid {
        code: "language_unknown",
        detail: "there is no such language; /api/languages lists them".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_and_tags_stand_there_once() {
        let mut slugs = CATEGORIES.map(|category| category.slug);
        slugs.sort_unstable();
        assert!(slugs.windows(2).all(|pair| pair.first() != pair.get(1)));
        assert!(LANGUAGES.is_sorted_by(|a, b| a < b));
    }

    #[test]
    fn languages_are_found_in_any_spelling() {
        assert_eq!(checked_language("PT-br").unwrap(), "pt-BR");
        assert!(checked_language("tlh").is_err());
        assert!(checked_category("gaming").is_ok());
        assert!(checked_category("Gaming").is_err());
    }
}

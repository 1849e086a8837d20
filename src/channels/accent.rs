//! A channel's colour, which must be seen on dark and on light pages.

use crate::error::ApiError;

/// Between these, a colour has a contrast of 3:1 or more with the surfaces of both themes (WCAG 2.2
/// §1.4.11): the dark one has a relative luminance of 0.008, the light one 0.93 and more.
const LUMINANCE: std::ops::RangeInclusive<f64> = 0.124..=0.277;

/// The colour that a wish means, as `#rrggbb`.
///
/// # Errors
/// When it is none, or could not be seen on one of the themes.
pub(super) fn checked(wish: &str) -> Result<String, ApiError> {
    let invalid = |code, detail: &str| {
        Err(ApiError::Invalid {
            code,
            detail: detail.to_owned(),
        })
    };
    let colour = wish.trim().to_ascii_lowercase();
    let Some(luminance) = luminance(&colour) else {
        return invalid(
            "accent_invalid",
            "a colour is written #rrggbb, such as #3b82f6",
        );
    };
    if luminance < *LUMINANCE.start() {
        return invalid(
            "accent_contrast",
            "this colour cannot be seen on the dark page; choose a lighter one",
        );
    }
    if luminance > *LUMINANCE.end() {
        return invalid(
            "accent_contrast",
            "this colour cannot be seen on the light page; choose a darker one",
        );
    }
    Ok(colour)
}

/// Relative luminance (WCAG 2.2, "relative luminance") of `#rrggbb` in lower case.
fn luminance(colour: &str) -> Option<f64> {
    let digits = colour.strip_prefix('#')?;
    if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let number = u32::from_str_radix(digits, 16).ok()?;
    let channel = |shift: u32| {
        let value = f64::from((number >> shift) & 0xff) / 255.0;
        match value <= 0.040_45 {
            true => value / 12.92,
            false => ((value + 0.055) / 1.055).powf(2.4),
        }
    };
    Some(0.2126 * channel(16) + 0.7152 * channel(8) + 0.0722 * channel(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_that_both_themes_show_are_taken() {
        for colour in ["#3b82f6", "#8B5CF6", "#e11d48", "#0d9488", "#c2410c"] {
            assert_eq!(checked(colour).unwrap(), colour.to_lowercase());
        }
    }

    #[test]
    fn what_is_too_light_or_too_dark_or_no_colour_is_refused_in_words() {
        let words = |colour: &str| checked(colour).unwrap_err().to_string();
        assert!(words("#ffff00").contains("darker"));
        assert!(words("#000080").contains("lighter"));
        for no_colour in [
            "", "red", "#12345", "#12345g", "#1234567", "#+12345", "#é123",
        ] {
            assert!(words(no_colour).contains("#rrggbb"), "{no_colour}");
        }
    }

    #[test]
    fn luminance_agrees_with_the_definition() {
        assert_eq!(luminance("#ffffff"), Some(1.0));
        assert_eq!(luminance("#000000"), Some(0.0));
        let grey = luminance("#808080").unwrap();
        assert!((grey - 0.2158).abs() < 0.001, "{grey}");
    }
}

//! Section `[instance]`: how the server introduces itself.

use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// How the server introduces itself. Admins may change on its pages what is not set here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Instance {
    /// Its name, on pages and in mails.
    pub name: String,
    /// What it is for, in a few words.
    pub description: String,
    /// A line above all pages; empty: none.
    pub announcement: String,
    /// Page that says who runs it; empty: none.
    pub imprint_url: String,
    /// Page with the rules of the house; empty: none.
    pub rules_url: String,
    /// Page that says what is kept about people; empty: none.
    pub privacy_url: String,
    /// Accent colour of its pages, such as `#ff6a3d`; empty: ours.
    pub accent: String,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            name: "Tallylight".to_owned(),
            description: String::new(),
            announcement: String::new(),
            imprint_url: String::new(),
            rules_url: String::new(),
            privacy_url: String::new(),
            accent: String::new(),
        }
    }
}

impl Instance {
    /// Whether a text is a colour as it is set here.
    #[must_use]
    pub fn is_colour(text: &str) -> bool {
        let digits = text.strip_prefix('#').unwrap_or_default();
        digits.len() == 6 && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    }

    /// Whether a text is the address of a page.
    #[must_use]
    pub fn is_link(text: &str) -> bool {
        let rest = ["https://", "http://"]
            .iter()
            .find_map(|scheme| text.strip_prefix(scheme));
        text.len() <= 500
            && rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
            && text.bytes().all(|byte| byte.is_ascii_graphic())
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.name.trim().is_empty() {
            return Err(invalid("instance.name", "it must not be empty"));
        }
        let links = [
            ("instance.imprint_url", &self.imprint_url),
            ("instance.rules_url", &self.rules_url),
            ("instance.privacy_url", &self.privacy_url),
        ];
        for (key, link) in links {
            if !link.is_empty() && !Self::is_link(link) {
                let words = "it must be an address such as https://example.org/imprint";
                return Err(invalid(key, words));
            }
        }
        match self.accent.is_empty() || Self::is_colour(&self.accent) {
            true => Ok(()),
            false => Err(invalid(
                "instance.accent",
                "it must be a colour such as \"#ff6a3d\"",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages_and_nowhere_else() {
        for good in ["https://a.example/x", "http://a.example"] {
            assert!(Instance::is_link(good), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "https://",
            "https:///x",
            "https://a b",
            "/x",
        ] {
            assert!(!Instance::is_link(bad), "{bad}");
        }
        assert!(Instance::is_colour("#Ff6a3D"));
        for bad in ["red", "#fff", "#ff6a3g", "#ff6a3d;"] {
            assert!(!Instance::is_colour(bad), "{bad}");
        }
    }
}

//! From when to when a certificate is good (RFC 5280 §4.1.2.5).

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// From when to when a certificate is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    /// Its first moment.
    pub from: Timestamp,
    /// Its last moment.
    pub until: Timestamp,
}

impl Validity {
    /// That of a certificate in DER, or nothing where it is not shaped like one.
    #[must_use]
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let (_, certificate, _) = element(certificate)?;
        let (_, mut rest, _) = element(certificate)?;
        let (tag, _, after_version) = element(rest)?;
        if tag == VERSION {
            rest = after_version;
        }
        // Serial number, signature algorithm, issuer; then the validity.
        for _ in 0..3 {
            rest = element(rest)?.2;
        }
        let (_, validity, _) = element(rest)?;
        let (tag, from, rest) = element(validity)?;
        let from = time(tag, std::str::from_utf8(from).ok()?)?;
        let (tag, until, _) = element(rest)?;
        let until = time(tag, std::str::from_utf8(until).ok()?)?;
        Some(Self { from, until })
    }

    /// When a third of its life is left, which is when authorities want it to be renewed.
    #[must_use]
    pub(super) fn renew_at(self) -> Timestamp {
        let life = self
            .until
            .duration_since(self.from)
            .max(SignedDuration::ZERO);
        self.until - Duration::try_from(life / 3).unwrap_or_default()
    }
}

/// Tag and content of the first element in DER (X.690 §8.1), and what follows it.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..0x80 => (usize::from(first), rest),
        _ => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            let bytes = length.iter().map(|&byte| usize::from(byte));
            let length = bytes.fold(0_usize, |sum, byte| sum.saturating_mul(256) | byte);
            (length, rest)
        }
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((tag, content, after))
}

/// UTCTime, whose years are 1950 to 2049, and GeneralizedTime (RFC 5280 §4.1.2.5).
fn time(tag: u8, text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix('Z')?;
    let text = match tag {
        UTC_TIME if text < "50" => format!("20{text}"),
        UTC_TIME => format!("19{text}"),
        GENERALIZED_TIME => text.to_owned(),
        _ => return None,
    };
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
    let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(time.timestamp())
}

const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_both_forms() {
        for year in [2031, 2071] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut wish = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
            wish.not_before = rcgen::date_time_ymd(2025, 5, 6);
            wish.not_after = rcgen::date_time_ymd(year, 5, 6);
            let made = wish.self_signed(&key).unwrap();
            let validity = Validity::of(made.der()).unwrap();
            assert_eq!(validity.from.to_string(), "2025-05-06T00:00:00Z");
            assert_eq!(
                validity.until.to_string(),
                format!("{year}-05-06T00:00:00Z")
            );
        }
    }

    #[test]
    fn what_is_no_certificate_has_none() {
        for bytes in [&[][..], &[0x30], &[0x30, 0x82], &[0x30, 0xff, 1], &[0; 40]] {
            assert_eq!(Validity::of(bytes), None);
        }
    }

    #[test]
    fn a_third_of_its_life_is_left_for_renewing() {
        let day = |text: &str| text.parse().unwrap();
        let of = |from: &str, until: &str| Validity {
            from: day(from),
            until: day(until),
        };
        let long = of("2027-01-01T00:00:00Z", "2027-04-01T00:00:00Z");
        assert_eq!(long.renew_at().to_string(), "2027-03-02T00:00:00Z");
        let odd = of("2027-04-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(odd.renew_at(), odd.until);
    }
}

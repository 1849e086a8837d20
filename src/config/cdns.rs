//! [`Cdn`]: one of the places where players find segments, and which of several something begins with.

use sha2::{Digest as _, Sha256};

/// A place where players find segments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cdn {
    /// From 1 on, in the order of the file.
    pub number: u8,
    /// Without a trailing slash.
    pub url: String,
    /// How much of all begins with it, in proportion.
    pub weight: u32,
}

/// Puts them into the order in which what has that name is to use them: by its weight each is the first
/// of its share of all names. Always the same one, whichever server asks; and when one comes or goes, no
/// name changes between the others (weighted rendezvous hashing).
#[must_use]
pub fn in_order_for(name: &str, mut cdns: Vec<Cdn>) -> Vec<Cdn> {
    cdns.sort_by(|a, b| distance(name, a).total_cmp(&distance(name, b)));
    cdns
}

/// The smaller, the earlier.
fn distance(name: &str, cdn: &Cdn) -> f64 {
    let hash = Sha256::new()
        .chain_update(name)
        .chain_update([0])
        .chain_update(&cdn.url)
        .finalize();
    let first = hash
        .iter()
        .take(4)
        .fold(0_u32, |all, byte| (all << 8) | u32::from(*byte));
    // Above 0 and below 1.
    let even = (f64::from(first) + 0.5) / (f64::from(u32::MAX) + 1.0);
    match cdn.weight {
        // Behind all that have one, and spread as well.
        0 => f64::from(u32::MAX) - even.ln(),
        weight => -even.ln() / f64::from(weight),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cdns(weights: &[u32]) -> Vec<Cdn> {
        let numbered = (1_u8..).zip(weights);
        let cdns = numbered.map(|(number, weight)| Cdn {
            number,
            url: format!("https://cdn-{number}.example"),
            weight: *weight,
        });
        cdns.collect()
    }

    /// How many of a thousand names begin with each.
    fn shares(weights: &[u32]) -> Vec<usize> {
        let firsts: Vec<u8> = (0..1_000)
            .map(|name| in_order_for(&name.to_string(), cdns(weights))[0].number)
            .collect();
        let share = |number| firsts.iter().filter(|first| **first == number).count();
        (1..).take(weights.len()).map(share).collect()
    }

    #[test]
    fn each_begins_with_its_share() {
        let even = shares(&[1, 1]);
        assert!((450..550).contains(&even[0]), "{even:?}");
        let heavy = shares(&[3, 1, 0]);
        assert!((700..800).contains(&heavy[0]), "{heavy:?}");
        assert_eq!(heavy[2], 0);
    }

    #[test]
    fn what_comes_or_goes_moves_nothing_between_the_others() {
        for name in 0..100 {
            let name = name.to_string();
            let all = in_order_for(&name, cdns(&[1, 1, 1]));
            let mut two = cdns(&[1, 1, 1]);
            two.remove(1);
            let left: Vec<Cdn> = all.into_iter().filter(|cdn| cdn.number != 2).collect();
            assert_eq!(in_order_for(&name, two), left);
        }
    }
}

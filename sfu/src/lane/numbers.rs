//! Numbers that travel with their last sixteen bits.

/// What travels of a number.
pub(super) fn short(number: u64) -> u16 {
    u16::try_from(number & 0xffff).unwrap_or(0)
}

/// The number that `short` stands for: the newest that is not behind `newest`.
pub(super) fn extended(newest: u64, short: u16) -> u64 {
    let behind = self::short(newest).wrapping_sub(short);
    newest.saturating_sub(u64::from(behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_is_the_newest_that_was() {
        assert_eq!(extended(0x1_0002, 2), 0x1_0002);
        assert_eq!(extended(0x1_0002, 0xffff), 0xffff);
        assert_eq!(extended(0x1_0002, 3), 3);
        assert_eq!(extended(5, 0xffff), 0, "of none that was");
    }
}

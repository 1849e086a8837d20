//! [`Profile`]: which tools of its codec a stream uses, as its headers name it; for people to read.

use std::fmt::{self, Display, Formatter};

/// Profile and level as they are written in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// The first three bytes of a sequence parameter set (H.264 §7.3.2.1.1).
    H264 {
        idc: u8,
        constraints: u8,
        level_idc: u8,
    },
    /// `general_profile_idc` and `general_level_idc` (H.265 §7.3.3).
    H265 { idc: u8, level_idc: u8 },
    /// VP9 §7.2.
    Vp9 { profile: u8 },
    /// `seq_profile` and the first `seq_level_idx` (AV1 §5.5.1).
    Av1 { profile: u8, level_idx: u8 },
}

impl Display for Profile {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::H264 {
                idc, constraints, ..
            } => h264(idc, constraints),
            Self::H265 { idc, .. } => h265(idc),
            Self::Av1 { profile, .. } => av1(profile),
            Self::Vp9 { profile } => return write!(f, "Profile {profile}"),
        };
        match (name, self.number()) {
            (Some(name), _) => f.write_str(name)?,
            (None, number) => write!(f, "profile {number}")?,
        }
        match self.level() {
            Some(Level::OneB) => f.write_str(", level 1b"),
            Some(Level::Of(major, minor)) => write!(f, ", level {major}.{minor}"),
            None => Ok(()),
        }
    }
}

enum Level {
    Of(u8, u8),
    /// Between 1 and 1.1, of H264 only.
    OneB,
}

impl Profile {
    fn number(self) -> u8 {
        match self {
            Self::H264 { idc, .. } | Self::H265 { idc, .. } => idc,
            Self::Vp9 { profile } | Self::Av1 { profile, .. } => profile,
        }
    }

    fn level(self) -> Option<Level> {
        match self {
            Self::H264 {
                idc,
                constraints,
                level_idc,
            } => {
                // H.264 §A.3.1, §A.3.2: constraint_set3_flag says so in the old profiles.
                let is_old = matches!(idc, BASELINE | MAIN | EXTENDED);
                let is_marked = is_old && level_idc == 11 && constraints & SET_3 != 0;
                if level_idc == 9 || is_marked {
                    return Some(Level::OneB);
                }
                Some(Level::Of(level_idc / 10, level_idc % 10))
            }
            // Thirty times the level (H.265 §A.4.1).
            Self::H265 { level_idc, .. } => Some(Level::Of(level_idc / 30, level_idc % 30 / 3)),
            // AV1 §A.3; 31 is no level but the absence of bounds.
            Self::Av1 { level_idx, .. } if level_idx < 24 => {
                Some(Level::Of(2 + (level_idx >> 2), level_idx & 3))
            }
            Self::Av1 { .. } | Self::Vp9 { .. } => None,
        }
    }
}

/// H.264 §A.2.
fn h264(idc: u8, constraints: u8) -> Option<&'static str> {
    let has = |flags: u8| constraints & flags == flags;
    Some(match idc {
        BASELINE if has(SET_1) => "Constrained Baseline",
        BASELINE => "Baseline",
        MAIN => "Main",
        EXTENDED => "Extended",
        100 if has(SET_4 | SET_5) => "Constrained High",
        100 => "High",
        110 => "High 10",
        122 => "High 4:2:2",
        244 => "High 4:4:4",
        44 => "CAVLC 4:4:4 Intra",
        _ => return None,
    })
}

/// H.265 §A.3.
fn h265(idc: u8) -> Option<&'static str> {
    Some(match idc {
        1 => "Main",
        2 => "Main 10",
        3 => "Main Still Picture",
        4 => "Range Extensions",
        _ => return None,
    })
}

/// AV1 §A.2.
fn av1(profile: u8) -> Option<&'static str> {
    Some(match profile {
        0 => "Main",
        1 => "High",
        2 => "Professional",
        _ => return None,
    })
}

/// Values of H264's `profile_idc`.
const BASELINE: u8 = 66;
const MAIN: u8 = 77;
const EXTENDED: u8 = 88;
/// H264's `constraint_setN_flag`.
const SET_1: u8 = 0x40;
const SET_3: u8 = 0x10;
const SET_4: u8 = 0x08;
const SET_5: u8 = 0x04;

#[cfg(test)]
mod tests {
    use super::*;

    fn h264(idc: u8, constraints: u8, level_idc: u8) -> String {
        let profile = Profile::H264 {
            idc,
            constraints,
            level_idc,
        };
        profile.to_string()
    }

    #[test]
    fn h264_is_named_by_profile_constraints_and_level() {
        assert_eq!(h264(66, 0xc0, 31), "Constrained Baseline, level 3.1");
        assert_eq!(h264(66, 0, 30), "Baseline, level 3.0");
        assert_eq!(h264(77, 0x40, 41), "Main, level 4.1");
        assert_eq!(h264(100, 0x0c, 42), "Constrained High, level 4.2");
        assert_eq!(h264(110, 0, 51), "High 10, level 5.1");
        assert_eq!(h264(66, 0x50, 11), "Constrained Baseline, level 1b");
        assert_eq!(h264(100, 0x10, 11), "High, level 1.1");
        assert_eq!(h264(118, 0, 9), "profile 118, level 1b");
    }

    #[test]
    fn other_codecs_are_named_too() {
        let h265 = |idc, level_idc| Profile::H265 { idc, level_idc }.to_string();
        assert_eq!(h265(1, 123), "Main, level 4.1");
        assert_eq!(h265(2, 150), "Main 10, level 5.0");
        assert_eq!(Profile::Vp9 { profile: 2 }.to_string(), "Profile 2");
        let av1 = |profile, level_idx| Profile::Av1 { profile, level_idx }.to_string();
        assert_eq!(av1(0, 9), "Main, level 4.1");
        assert_eq!(av1(1, 31), "High");
    }
}

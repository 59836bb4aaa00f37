//! Musical units.

use super::convert::{f64_from_i64, i64_round};

/// A musical position in quarter notes, fixed point in millionths (0.5 us at 120 BPM).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Beats(i64);

/// A tempo in quarter notes a minute, fixed point in thousandths, within [`Tempo::MIN`] to [`Tempo::MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tempo(u32);

/// Where the sender's DAW was at the first frame of a chunk, and how fast it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MusicalStamp {
    /// The position at the first frame.
    pub beats: Beats,
    /// The tempo at the first frame.
    pub tempo: Tempo,
}

impl Beats {
    const MICRO: f64 = 1e6;

    /// `micro` millionths of a quarter note.
    #[must_use]
    pub const fn from_micro(micro: i64) -> Self {
        Self(micro)
    }

    /// The nearest position to `quarters` quarter notes.
    #[must_use]
    pub fn from_quarters(quarters: f64) -> Self {
        Self(i64_round(quarters * Self::MICRO))
    }

    /// Millionths of a quarter note.
    #[must_use]
    pub const fn micro(self) -> i64 {
        self.0
    }

    /// Quarter notes.
    #[must_use]
    pub fn quarters(self) -> f64 {
        f64_from_i64(self.0) / Self::MICRO
    }
}

impl Tempo {
    /// The slowest tempo that a DAW offers.
    pub const MIN: Self = Self(1_000);
    /// The fastest tempo that a DAW offers.
    pub const MAX: Self = Self(1_000_000);
    /// What a DAW starts with: 120 BPM.
    pub const DEFAULT: Self = Self(120_000);

    /// `milli` thousandths of a quarter note a minute, if within range.
    #[must_use]
    pub const fn from_milli(milli: u32) -> Option<Self> {
        if milli < Self::MIN.0 || milli > Self::MAX.0 { None } else { Some(Self(milli)) }
    }

    /// The nearest tempo to `bpm` quarter notes a minute, if within range.
    #[must_use]
    pub fn from_bpm(bpm: f64) -> Option<Self> {
        u32::try_from(i64_round(bpm * 1_000.0)).ok().and_then(Self::from_milli)
    }

    /// Thousandths of a quarter note a minute.
    #[must_use]
    pub const fn milli(self) -> u32 {
        self.0
    }

    /// Quarter notes a minute.
    #[must_use]
    pub fn bpm(self) -> f64 {
        f64::from(self.0) / 1_000.0
    }
}

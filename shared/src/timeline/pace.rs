//! How fast beats really run on the grid.

use crate::time::convert::{f64_from_i64, i64_round};
use crate::time::{GRID_RATE, Tempo};

/// How fast beats run on the grid: femto-beats (1e-15 quarter note) per grid frame, within [`Pace::MIN`] to
/// [`Pace::MAX`].
///
/// A [`Tempo`] is what a DAW displays, a pace is what happens: a DAW counts its 120 BPM in its own audio
/// interface's seconds, which are up to 100 ppm longer or shorter than the grid's. One step at 120 BPM is 2.4e-11
/// of the pace, 0.7 us in eight hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pace(u64);

impl Pace {
    /// Half of [`Tempo::MIN`]: room for the device's own error and for a bend.
    pub const MIN: Self = Self(173_611_111);
    /// Twice [`Tempo::MAX`]: room for the device's own error and for a bend. It bounds every product in
    /// [`super::Segment`] below 2^126.
    pub const MAX: Self = Self(694_444_444_444);

    const FEMTO_PER_MILLI: u64 = 1_000_000_000_000;
    const FRAMES_PER_MINUTE: u64 = 60 * GRID_RATE as u64;
    /// Femto-beats per frame of one quarter note a minute.
    const FEMTO_PER_BPM: f64 = 1e15 / (60.0 * GRID_RATE as f64);

    /// `femto` femto-beats per grid frame, if within range.
    #[must_use]
    pub const fn from_femto(femto: u64) -> Option<Self> {
        if femto < Self::MIN.0 || femto > Self::MAX.0 { None } else { Some(Self(femto)) }
    }

    /// The pace of a DAW at `tempo` whose device agrees with the grid, to the nearest step.
    #[must_use]
    pub const fn from_tempo(tempo: Tempo) -> Self {
        // At most 1e6 * 1e12: below 2^60.
        let numerator = tempo.milli() as u64 * Self::FEMTO_PER_MILLI;
        Self((numerator + Self::FRAMES_PER_MINUTE / 2) / Self::FRAMES_PER_MINUTE)
    }

    /// The nearest pace to `bpm` quarter notes in a minute of the grid, if within range; none for NaN.
    #[must_use]
    pub fn from_bpm(bpm: f64) -> Option<Self> {
        u64::try_from(i64_round(bpm * Self::FEMTO_PER_BPM)).ok().and_then(Self::from_femto)
    }

    /// The nearest pace to `quarters` quarter notes per grid frame, if within range; none for NaN.
    #[must_use]
    pub fn from_quarters_per_frame(quarters: f64) -> Option<Self> {
        u64::try_from(i64_round(quarters * 1e15)).ok().and_then(Self::from_femto)
    }

    /// Femto-beats per grid frame.
    #[must_use]
    pub const fn femto(self) -> u64 {
        self.0
    }

    /// Quarter notes in a minute of the grid.
    #[must_use]
    pub fn bpm(self) -> f64 {
        self.f64() / Self::FEMTO_PER_BPM
    }

    /// Quarter notes per grid frame.
    #[must_use]
    pub fn quarters_per_frame(self) -> f64 {
        self.f64() / 1e15
    }

    /// This pace times `ratio`, to the nearest step and within range.
    #[must_use]
    pub fn scaled(self, ratio: f64) -> Self {
        let femto = u64::try_from(i64_round(self.f64() * ratio)).unwrap_or(0);
        Self(femto.clamp(Self::MIN.0, Self::MAX.0))
    }

    pub(super) const fn wide(self) -> i128 {
        self.0 as i128
    }

    /// Back from a value that lies between two paces.
    pub(super) fn from_wide(femto: i128) -> Self {
        Self(u64::try_from(femto).unwrap_or(0).clamp(Self::MIN.0, Self::MAX.0))
    }

    fn f64(self) -> f64 {
        f64_from_i64(i64::try_from(self.0).unwrap_or(i64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tempo_becomes_the_nearest_pace() {
        let pace = |bpm| Pace::from_tempo(Tempo::from_bpm(bpm).unwrap());
        assert_eq!(pace(120.0).femto(), 41_666_666_667);
        assert_eq!(pace(90.0).femto(), 31_250_000_000);
        for bpm in [1.0, 20.0, 119.999, 120.0, 174.0, 1_000.0] {
            assert!((pace(bpm).bpm() / bpm - 1.0).abs() < 2e-9);
            assert_eq!(Pace::from_bpm(bpm), Some(pace(bpm)));
        }
    }

    #[test]
    fn what_is_no_pace_is_refused() {
        for bpm in [0.0, -120.0, 0.4, 2_001.0, 1e300, f64::NAN, f64::INFINITY] {
            assert_eq!(Pace::from_bpm(bpm), None);
        }
        assert_eq!(Pace::from_femto(0), None);
        assert_eq!(Pace::MAX.scaled(2.0), Pace::MAX);
        assert_eq!(Pace::MIN.scaled(f64::NAN), Pace::MIN);
    }
}

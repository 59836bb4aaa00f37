//! How much earlier or later than the line an endpoint emits its clock.

use crate::time::GRID_RATE;
use crate::time::convert::i64_round;

/// The shift of one endpoint's MIDI clock against the room's timeline: positive is later, negative earlier (possible
/// because the future of the line is known). Tenths of a millisecond, within [`ClockOffset::MIN`] to
/// [`ClockOffset::MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockOffset(i16);

impl ClockOffset {
    /// None.
    pub const NONE: Self = Self(0);
    /// A quarter of a second early.
    pub const MIN: Self = Self(-2_500);
    /// A quarter of a second late.
    pub const MAX: Self = Self(2_500);

    /// The nearest step to `milliseconds`, held within the range; no offset for NaN.
    #[must_use]
    pub fn from_millis(milliseconds: f64) -> Self {
        let tenths = i64_round(milliseconds * 10.0).clamp(Self::MIN.0.into(), Self::MAX.0.into());
        Self(i16::try_from(tenths).unwrap_or(0))
    }

    /// Milliseconds, positive is later.
    #[must_use]
    pub fn millis(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// Frames of the grid, positive is later.
    #[must_use]
    pub fn frames(self) -> f64 {
        self.millis() * f64::from(GRID_RATE) / 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_a_tenth_of_a_millisecond_within_a_quarter_of_a_second() {
        assert_eq!(ClockOffset::from_millis(-12.34).millis().to_string(), "-12.3");
        assert_eq!(ClockOffset::from_millis(1e9), ClockOffset::MAX);
        assert_eq!(ClockOffset::from_millis(f64::NEG_INFINITY), ClockOffset::MIN);
        assert_eq!(ClockOffset::from_millis(f64::NAN), ClockOffset::default());
        assert!((ClockOffset::from_millis(0.1).frames() - 4.8).abs() < 1e-9);
    }
}

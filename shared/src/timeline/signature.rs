//! Bars.

use crate::time::Beats;

/// A time signature: 1 to 64 notes of 1/1 to 1/64 in a bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSignature {
    numerator: u8,
    denominator: u8,
}

/// A place as a player counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BarBeat {
    /// Bars from the bar origin, which begins bar 0; negative before it. Displays add one.
    pub bar: i64,
    /// How far into the bar, in quarter notes, from 0 to less than [`TimeSignature::bar_beats`].
    pub beats: Beats,
}

impl TimeSignature {
    /// Four quarter notes a bar.
    pub const COMMON: Self = Self { numerator: 4, denominator: 4 };

    /// The signature, if `numerator` lies within 1 to 64 and `denominator` is 1, 2, 4, .. 64.
    #[must_use]
    pub const fn new(numerator: u8, denominator: u8) -> Option<Self> {
        if numerator == 0 || numerator > 64 || denominator > 64 || !denominator.is_power_of_two() {
            return None;
        }
        Some(Self { numerator, denominator })
    }

    /// Notes in a bar.
    #[must_use]
    pub const fn numerator(self) -> u8 {
        self.numerator
    }

    /// Which note: 4 for quarters.
    #[must_use]
    pub const fn denominator(self) -> u8 {
        self.denominator
    }

    /// The length of a bar in quarter notes, exact: a 1/64 note is 62,500 millionths of one.
    #[must_use]
    pub fn bar_beats(self) -> Beats {
        Beats::from_micro(i64::from(self.numerator) * 4_000_000 / i64::from(self.denominator))
    }

    /// The length of the note that the signature counts, in quarter notes.
    #[must_use]
    pub fn note_beats(self) -> Beats {
        Beats::from_micro(4_000_000 / i64::from(self.denominator))
    }

    /// `beats` as bar and beat, when a bar line lies at `bar_origin`.
    #[must_use]
    pub fn bar_and_beat(self, beats: Beats, bar_origin: Beats) -> BarBeat {
        let bar = self.bar_beats().micro();
        let past = beats.micro().saturating_sub(bar_origin.micro());
        BarBeat { bar: past.div_euclid(bar), beats: Beats::from_micro(past.rem_euclid(bar)) }
    }

    /// The first bar line at or after `beats`, when one lies at `bar_origin`.
    #[must_use]
    pub fn bar_line_from(self, beats: Beats, bar_origin: Beats) -> Beats {
        let into = self.bar_and_beat(beats, bar_origin).beats.micro();
        if into == 0 {
            return beats;
        }
        Beats::from_micro(beats.micro().saturating_add(self.bar_beats().micro() - into))
    }

    /// The bar line nearest to beat 0 at or after it that the one at `bar_start` implies: the same for every bar
    /// of a piece in one signature, and 0 for most.
    #[must_use]
    pub fn origin_of(self, bar_start: Beats) -> Beats {
        Beats::from_micro(bar_start.micro().rem_euclid(self.bar_beats().micro()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(numerator: u8, denominator: u8) -> TimeSignature {
        TimeSignature::new(numerator, denominator).unwrap()
    }

    #[test]
    fn odd_meters_have_exact_bars() {
        assert_eq!(signature(7, 8).bar_beats(), Beats::from_quarters(3.5));
        assert_eq!(signature(5, 16).bar_beats(), Beats::from_quarters(1.25));
        assert_eq!(signature(1, 64).bar_beats(), Beats::from_micro(62_500));
        assert_eq!(signature(64, 1).bar_beats(), Beats::from_quarters(256.0));
        for (numerator, denominator) in [(0, 4), (65, 4), (4, 0), (4, 3), (4, 128)] {
            assert_eq!(TimeSignature::new(numerator, denominator), None);
        }
    }

    #[test]
    fn bars_count_through_zero() {
        let at = |quarters| signature(7, 8).bar_and_beat(Beats::from_quarters(quarters), Beats::default());
        assert_eq!(at(0.0), BarBeat { bar: 0, beats: Beats::default() });
        assert_eq!(at(3.5), BarBeat { bar: 1, beats: Beats::default() });
        assert_eq!(at(-0.5), BarBeat { bar: -1, beats: Beats::from_quarters(3.0) });
        assert_eq!(at(-3.5), BarBeat { bar: -1, beats: Beats::default() });
        assert_eq!(at(-3.75), BarBeat { bar: -2, beats: Beats::from_quarters(3.25) });
    }

    #[test]
    fn bar_lines_follow_the_origin() {
        let origin = Beats::from_quarters(2.0);
        let line = |quarters| {
            TimeSignature::COMMON.bar_line_from(Beats::from_quarters(quarters), origin).quarters().round()
        };
        assert_eq!(
            [line(2.0), line(2.1), line(6.0), line(-2.0), line(-1.9)].map(f64::to_bits),
            [2.0, 6.0, 6.0, -2.0, 2.0].map(f64::to_bits)
        );
        assert_eq!(TimeSignature::COMMON.origin_of(Beats::from_quarters(130.0)), origin);
        assert_eq!(TimeSignature::COMMON.origin_of(Beats::from_quarters(-2.0)), origin);
    }
}

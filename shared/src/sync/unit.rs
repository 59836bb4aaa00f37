//! What a user chooses.

/// How remote strips lie against the local DAW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SyncMode {
    /// Each strip as early as its jitter target allows.
    #[default]
    Tight,
    /// Everybody's same beat is heard at the same moment by everybody.
    Room,
    /// A whole musical unit late: played on the grid.
    Grid(GridUnit),
}

/// A musical unit, as a note value of the local DAW.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GridUnit {
    /// The smallest of the others that the network's delay fits into.
    #[default]
    Smallest,
    /// A sixteenth note: 125 ms at 120 quarters a minute.
    Sixteenth,
    /// An eighth note.
    Eighth,
    /// A quarter note.
    Quarter,
    /// A half note.
    Half,
    /// One bar.
    Bar,
    /// Two bars.
    TwoBars,
    /// Four bars.
    FourBars,
}

impl GridUnit {
    /// From the shortest to the longest; a bar may be shorter than a half note.
    const FIXED: [Self; 7] =
        [Self::Sixteenth, Self::Eighth, Self::Quarter, Self::Half, Self::Bar, Self::TwoBars, Self::FourBars];

    /// The unit's length in quarter notes where a bar has `bar_quarters`: for [`Self::Smallest`] the shortest that is
    /// at least `least_quarters`, or the longest there is. Never more than `most_quarters`, as long as a shorter unit
    /// exists: what cannot be held cannot be played.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub fn quarters(self, bar_quarters: f64, least_quarters: f64, most_quarters: f64) -> f64 {
        let asked = match self {
            Self::Smallest => Self::FIXED
                .map(|unit| unit.fixed(bar_quarters))
                .into_iter()
                .filter(|quarters| *quarters >= least_quarters)
                .fold(f64::INFINITY, f64::min),
            Self::Sixteenth
            | Self::Eighth
            | Self::Quarter
            | Self::Half
            | Self::Bar
            | Self::TwoBars
            | Self::FourBars => self.fixed(bar_quarters),
        };
        if asked <= most_quarters {
            return asked;
        }
        let fits = Self::FIXED.map(|unit| unit.fixed(bar_quarters)).into_iter();
        fits.filter(|quarters| *quarters <= most_quarters).fold(Self::Sixteenth.fixed(bar_quarters), f64::max)
    }

    const fn fixed(self, bar_quarters: f64) -> f64 {
        match self {
            Self::Smallest | Self::Sixteenth => 0.25,
            Self::Eighth => 0.5,
            Self::Quarter => 1.0,
            Self::Half => 2.0,
            Self::Bar => bar_quarters,
            Self::TwoBars => 2.0 * bar_quarters,
            Self::FourBars => 4.0 * bar_quarters,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smallest_unit_is_the_shortest_that_the_delay_fits_into() {
        let smallest = |least| GridUnit::Smallest.quarters(4.0, least, 100.0);
        assert_eq!([0.1, 0.25, 0.26, 0.6, 3.0, 9.0].map(smallest), [0.25, 0.25, 0.5, 1.0, 4.0, 16.0]);
    }

    #[test]
    fn a_unit_that_cannot_be_held_becomes_the_longest_that_can() {
        assert_eq!(GridUnit::FourBars.quarters(4.0, 0.1, 10.0), 8.0);
        assert_eq!(GridUnit::FourBars.quarters(3.5, 0.1, 20.0), 14.0);
        assert_eq!(GridUnit::Bar.quarters(4.0, 0.1, 0.1), 0.25);
    }
}

//! A timeline as a follower sees it: stretches that play without a step, and the ticks in them.

use crate::time::{Beats, GridPosition};
use crate::timeline::{Motion, Segment, Timeline};

/// The number of a tick: 24 a quarter note, 0 at beat 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tick(pub(super) i64);

/// A stretch of the line that plays within one epoch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) epoch: u32,
    pub(super) from: GridPosition,
    /// The beat at `from`.
    pub(super) beats: Beats,
    /// Where it stops or jumps, if that is known.
    pub(super) until: Option<GridPosition>,
}

/// Micro-beats that a line may begin after a tick and be said to begin on it: a quarter of a millisecond at 120 BPM.
pub(super) const NEAR: i64 = 500;
const TICKS_PER_QUARTER: i64 = 24;
const MICRO: i64 = 1_000_000;

impl Tick {
    /// The beat of this tick, to the nearest micro-beat.
    pub(super) const fn beats(self) -> Beats {
        Beats::from_micro(
            (self.0.saturating_mul(MICRO) + TICKS_PER_QUARTER / 2).div_euclid(TICKS_PER_QUARTER),
        )
    }

    /// The tick that `beats` is on but for what a leader's arithmetic leaves, else the next.
    pub(super) fn near(beats: Beats) -> Self {
        Self::from(Beats::from_micro(beats.micro().saturating_sub(NEAR)))
    }

    /// The first tick at or after `beats`.
    pub(super) fn from(beats: Beats) -> Self {
        let near = Self(beats.micro().saturating_mul(TICKS_PER_QUARTER).div_euclid(MICRO) - 1);
        (0..3).map(|more| Self(near.0 + more)).find(|tick| tick.beats() >= beats).unwrap_or(near)
    }
}

impl Run {
    /// The runs of `line`, in order.
    ///
    /// Real-time: yes. Bound: each takes as many steps as it has segments.
    pub(super) fn all(line: &Timeline) -> impl Iterator<Item = Self> {
        let segments = line.segments();
        (0..segments.len()).filter(|index| begins(segments, *index)).map(|index| {
            let first = &segments[index];
            let until = segments[index + 1..].iter().find(|later| !continues(first, later)).map(|end| end.at);
            Self { epoch: first.epoch, from: first.at, beats: first.beats, until }
        })
    }

    /// The run of this epoch.
    pub(super) fn of_epoch(line: &Timeline, epoch: u32) -> Option<Self> {
        Self::all(line).find(|run| run.epoch == epoch)
    }

    /// Whether it holds `at`.
    pub(super) fn holds(&self, at: GridPosition) -> bool {
        self.from <= at && self.until.is_none_or(|until| at < until)
    }

    /// Where tick `tick` lies in this run; at its beginning what came before.
    pub(super) fn position_of(&self, line: &Timeline, tick: Tick) -> Option<GridPosition> {
        let beats = tick.beats();
        if beats <= self.beats {
            return Some(self.from);
        }
        self.position_from(line, beats, self.from)
    }

    /// The first position from `not_before` on where this run reaches `beats`.
    pub(super) fn position_from(
        &self,
        line: &Timeline,
        beats: Beats,
        not_before: GridPosition,
    ) -> Option<GridPosition> {
        line.when(beats, not_before).filter(|at| self.holds(*at))
    }
}

fn begins(segments: &[Segment], index: usize) -> bool {
    let segment = &segments[index];
    let goes_on = index.checked_sub(1).is_some_and(|before| continues(&segments[before], segment));
    segment.motion == Motion::Playing && !goes_on
}

fn continues(first: &Segment, later: &Segment) -> bool {
    let plays = |segment: &Segment| segment.motion == Motion::Playing;
    plays(first) && plays(later) && first.epoch == later.epoch
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_tick_from_a_beat_is_not_before_it() {
        for number in -100..1_000 {
            let tick = Tick(number);
            assert_eq!(Tick::from(tick.beats()), tick);
            let after = Beats::from_micro(tick.beats().micro() + 1);
            assert_eq!(Tick::from(after), Tick(number + 1));
        }
        assert_eq!(Tick(96).beats(), Beats::from_quarters(4.0));
        for (quarters, number) in [(3.9999, 96), (4.0, 96), (4.0004, 96), (4.001, 97)] {
            assert_eq!(Tick::near(Beats::from_quarters(quarters)), Tick(number));
        }
    }
}

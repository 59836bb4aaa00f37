//! What a DAW says of its transport.

use super::super::{Motion, TimeSignature};
use crate::time::GridPosition;

/// What a DAW says of its transport for one block, as it says it: nothing has been checked.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// Where the block's first frame lies on the grid.
    pub start: GridPosition,
    /// How long the block is on the grid, in frames.
    pub frames: f64,
    /// The position at the first frame, in quarter notes.
    pub quarters: Option<f64>,
    /// The tempo at the first frame, in quarter notes a minute of the DAW's own device.
    pub bpm: f64,
    /// Whether it plays.
    pub motion: Motion,
    /// The time signature.
    pub signature: Option<TimeSignature>,
    /// The last bar line, in quarter notes.
    pub bar_start: Option<f64>,
    /// The loop, when it is on.
    pub cycle: Option<Cycle>,
}

/// A loop: on reaching its end, the position becomes its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cycle {
    start: f64,
    end: f64,
}

/// Positions farther from zero, in quarter notes, are nonsense: 14 years at 120 BPM, and a tenth less than what the
/// wire takes, so that a line that runs on from there is still sent.
const QUARTERS_MAX: f64 = 9e8;

impl Cycle {
    /// The shortest loop, in quarter notes: a tick.
    pub const QUARTERS_MIN: f64 = 1.0 / 24.0;

    /// The loop from `start` to `end` quarter notes, if it is one.
    #[must_use]
    pub fn new(start: f64, end: f64) -> Option<Self> {
        (plausible(start) && plausible(end) && end - start >= Self::QUARTERS_MIN)
            .then_some(Self { start, end })
    }

    /// Its first position, in quarter notes.
    #[must_use]
    pub const fn start(self) -> f64 {
        self.start
    }

    /// Where it wraps, in quarter notes.
    #[must_use]
    pub const fn end(self) -> f64 {
        self.end
    }

    /// Its length in quarter notes.
    #[must_use]
    pub fn length(self) -> f64 {
        self.end - self.start
    }
}

/// Whether `quarters` can be a position.
pub(super) fn plausible(quarters: f64) -> bool {
    quarters.abs() <= QUARTERS_MAX
}

//! Where a DAW is going.

use super::super::{Pace, Ramp};
use crate::time::convert::i64_floor;
use crate::time::{GRID_RATE, GridPosition, Tempo};

/// A second of grid, as a number of frames.
pub(super) const SECOND: f64 = GRID_RATE as f64;
/// How far ahead a tempo that moves is believed to go on moving.
const RAMP_FRAMES: f64 = SECOND;

/// The DAW's own line from one block on, as its positions and tempo show it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Course {
    pub(super) at: GridPosition,
    /// The position there.
    pub(super) quarters: f64,
    /// Quarter notes per grid frame there.
    pub(super) pace: f64,
    /// How much that grows per frame, for the next [`RAMP_FRAMES`].
    pub(super) growth: f64,
    /// What the DAW displays there.
    pub(super) tempo: Tempo,
}

impl Course {
    pub(super) fn quarters_at(&self, at: GridPosition) -> f64 {
        let frames = at.frames_since(self.at);
        let ramped = frames.min(RAMP_FRAMES);
        let level = (frames - ramped) * self.growth * RAMP_FRAMES;
        self.quarters + self.pace * frames + self.growth * ramped * ramped / 2.0 + level
    }

    pub(super) fn quarters_per_frame_at(&self, at: GridPosition) -> f64 {
        self.pace + self.growth * at.frames_since(self.at).min(RAMP_FRAMES)
    }

    /// The pace at `at`, within what a pace can be.
    pub(super) fn pace_at(&self, at: GridPosition) -> Pace {
        bounded_pace(self.quarters_per_frame_at(at))
    }

    /// What is displayed at `at`.
    pub(super) fn tempo_at(&self, at: GridPosition) -> Tempo {
        Tempo::from_bpm(self.tempo.bpm() * self.quarters_per_frame_at(at) / self.pace).unwrap_or(self.tempo)
    }

    /// What is left at `at` of a tempo that moves.
    pub(super) fn ramp_from(&self, at: GridPosition) -> Option<Ramp> {
        if self.growth == 0.0 {
            return None;
        }
        let end = self.at.plus_f64(RAMP_FRAMES);
        let frames = u32::try_from(i64_floor(end.frames_since(at))).ok()?;
        Ramp::new(self.pace_at(end), frames)
    }
}

pub(super) fn bounded_pace(quarters_per_frame: f64) -> Pace {
    let bounded = quarters_per_frame.clamp(Pace::MIN.quarters_per_frame(), Pace::MAX.quarters_per_frame());
    Pace::from_quarters_per_frame(bounded).unwrap_or(Pace::MIN)
}

//! What the host was asked and has not done yet, and how to see that it has.

use super::Command;
use crate::midi::Observation;
use crate::time::{Beats, GridPosition};
use crate::timeline::Motion;

/// One thing that the host was asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Task {
    /// What.
    pub(super) kind: TaskKind,
    /// When.
    pub(super) asked: GridPosition,
    /// Where it is to begin, in quarter notes.
    pub(super) quarters: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TaskKind {
    /// To play.
    Start,
    /// To be elsewhere; it was ahead by so many frames.
    Jump(f64),
    /// To stand.
    Stop,
}

impl TaskKind {
    /// How the host is asked.
    pub(super) const fn command(self, beats: Beats) -> Command {
        match self {
            Self::Start => Command::Start(beats),
            Self::Jump(_) => Command::Jump(beats),
            Self::Stop => Command::Stop,
        }
    }
}

impl Task {
    pub(super) fn new(kind: TaskKind, asked: GridPosition, beats: Beats) -> Self {
        Self { kind, asked, quarters: beats.quarters() }
    }

    /// Whether it was done between two observations of a host that runs at `pace` quarter notes a frame: then how many
    /// frames it took.
    pub(super) fn done(&self, before: Option<Observation>, seen: Observation, pace: f64) -> Option<f64> {
        if seen.at <= self.asked {
            return None;
        }
        let is_done = match (self.kind, seen.motion) {
            (TaskKind::Start, Motion::Playing) | (TaskKind::Stop, Motion::Stopped) => true,
            (TaskKind::Jump(away), Motion::Playing) => {
                before.is_none_or(|before| turned(before, seen, pace, away))
            }
            (TaskKind::Start | TaskKind::Jump(_), Motion::Stopped) | (TaskKind::Stop, Motion::Playing) => {
                false
            }
        };
        let began = match self.kind {
            TaskKind::Start | TaskKind::Jump(_) => seen.at.plus_f64((self.quarters - seen.quarters) / pace),
            TaskKind::Stop => seen.at,
        };
        is_done.then(|| began.frames_since(self.asked))
    }
}

/// Whether the transport has left its course between two observations, towards where it was to jump by `-away` frames.
fn turned(before: Observation, seen: Observation, pace: f64, away: f64) -> bool {
    let expected = before.quarters + seen.at.frames_since(before.at) * pace;
    let turn = (seen.quarters - expected) / pace;
    before.motion == Motion::Stopped || (turn + away).abs() < turn.abs().max(away.abs() / 2.0)
}

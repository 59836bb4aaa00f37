//! How long a host takes from being asked to doing it.

use super::task::TaskKind;
use crate::time::GRID_RATE;

/// A latency in frames of the grid that is learned: the first measurement replaces the guess, later ones refine it.
///
/// Host threads add a little at random each time, so the last few measurements are averaged: half of them forgotten after
/// three more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latency {
    frames: f64,
    measured: u32,
}

/// The latencies of one host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Latencies {
    starts: Latency,
    jumps: Latency,
    stops: Latency,
}

/// A main thread that looks after its plugins thirty times a second, and a block.
const GUESS: f64 = 0.030 * GRID_RATE as f64;
/// No host takes longer: what was seen was something else.
const MOST: f64 = GRID_RATE as f64;
/// How many measurements the average is of.
const MEMORY: u32 = 5;

impl Latency {
    /// A guess.
    const UNKNOWN: Self = Self { frames: GUESS, measured: 0 };

    /// Takes what the host took this time; what cannot be is not taken.
    fn learn(&mut self, frames: f64) {
        if !(0.0..MOST).contains(&frames) {
            return;
        }
        self.measured = (self.measured + 1).min(MEMORY);
        self.frames += (frames - self.frames) / f64::from(self.measured);
    }

    /// Takes another latency of the same host for a better guess than none.
    const fn guess(&mut self, other: Self) {
        if self.measured == 0 {
            self.frames = other.frames;
        }
    }
}

impl Latencies {
    /// Guesses.
    pub(super) const UNKNOWN: Self =
        Self { starts: Latency::UNKNOWN, jumps: Latency::UNKNOWN, stops: Latency::UNKNOWN };

    /// Until it plays, in frames of the grid.
    pub(super) const fn start(&self) -> f64 {
        self.starts.frames
    }

    /// Until it is elsewhere, in frames of the grid.
    pub(super) const fn jump(&self) -> f64 {
        self.jumps.frames
    }

    /// Until it stands, in frames of the grid.
    pub(super) const fn stop(&self) -> f64 {
        self.stops.frames
    }

    /// Until it has done this, in frames of the grid.
    pub(super) const fn of(&self, kind: TaskKind) -> f64 {
        match kind {
            TaskKind::Start => self.start(),
            TaskKind::Jump(_) => self.jump(),
            TaskKind::Stop => self.stop(),
        }
    }

    /// Takes how many frames it took this time.
    pub(super) fn learn(&mut self, kind: TaskKind, frames: f64) {
        match kind {
            TaskKind::Start => {
                self.starts.learn(frames);
                self.jumps.guess(self.starts);
            }
            TaskKind::Jump(_) => {
                self.jumps.learn(frames);
                self.starts.guess(self.jumps);
            }
            TaskKind::Stop => self.stops.learn(frames),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_measurement_replaces_the_guess_and_nonsense_nothing() {
        let mut latency = Latency::UNKNOWN;
        for nonsense in [-1.0, f64::NAN, f64::INFINITY, 1e9] {
            latency.learn(nonsense);
        }
        assert!((latency.frames - GUESS).abs() < 1e-9);
        latency.learn(3_840.0);
        assert!((latency.frames - 3_840.0).abs() < 1e-9);
        for _ in 0..40 {
            latency.learn(240.0);
        }
        assert!((latency.frames - 240.0).abs() < 1.0, "a host that changed is learned anew");
    }
}

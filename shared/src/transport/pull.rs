//! Taking a small error in by running a little faster or slower.
//!
//! A nudge takes effect late, so errors are not chased block by block: after each nudge the loop waits until it must have
//! taken effect, averages, and corrects half of what is left over the time until the next correction. What has to be
//! corrected in the same direction again and again is a difference between two devices' clocks, and is kept.

use super::Nudge;
use crate::time::{GRID_RATE, GridPosition};

/// The loop around the phase of a DAW that plays.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    /// The deviation at which the DAW keeps step with the line.
    drift: f64,
    /// What the host was told last.
    nudge: Nudge,
    quiet_until: Option<GridPosition>,
    window: Option<Window>,
    /// The mean error of the last window in frames, until it is taken.
    mean: Option<f64>,
    /// Windows in a row in which it was in time.
    in_time: u32,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    until: GridPosition,
    sum: f64,
    count: u32,
}

const SECOND: f64 = GRID_RATE as f64;
const MILLISECOND: f64 = SECOND / 1_000.0;
/// What is averaged over: many blocks, whose positions hosts may round.
const AVERAGE: f64 = 0.2 * SECOND;
/// Beyond what a command usually takes, before it is taken to have come through.
const MARGIN: f64 = 0.05 * SECOND;
/// Errors within this are let be.
const DEAD_BAND: f64 = 0.2 * MILLISECOND;
/// Errors within this are in time; out of it beyond twice as much.
const IN_TIME: f64 = 0.5 * MILLISECOND;
/// Windows in time until it holds.
const IN_TIME_FOR: u32 = 2;
/// Errors beyond this say nothing about the devices' clocks.
const DRIFT_FROM: f64 = 3.0 * MILLISECOND;
/// No device's clock is further off.
const DRIFT_MOST: f64 = 0.001;
/// How much of an error is taken in until the next correction.
const SHARE: f64 = 0.5;
/// How much of it is taken for the devices' clocks.
const DRIFT_SHARE: f64 = 0.1;

impl Pull {
    pub(super) const fn new() -> Self {
        Self { drift: 0.0, nudge: Nudge::NONE, quiet_until: None, window: None, mean: None, in_time: 0 }
    }

    /// What the host was told last.
    pub(super) const fn nudge(&self) -> Nudge {
        self.nudge
    }

    /// The mean error of the last window in frames, once; positive is a DAW that is ahead.
    pub(super) const fn take_mean(&mut self) -> Option<f64> {
        self.mean.take()
    }

    /// Whether the DAW has been in time for a while.
    pub(super) const fn holds(&self) -> bool {
        self.in_time >= IN_TIME_FOR
    }

    /// Forgets the error: the DAW is somewhere else, or about to be, at `now`, once `latency` frames have passed.
    pub(super) fn begin(&mut self, now: GridPosition, latency: f64) {
        self.window = None;
        self.mean = None;
        self.in_time = 0;
        self.quiet_until = Some(now.plus_f64(1.5 * latency + MARGIN));
    }

    /// The host is as it was before it was moved.
    pub(super) const fn end(&mut self) {
        self.window = None;
        self.mean = None;
        self.in_time = 0;
        self.quiet_until = None;
        self.nudge = Nudge::NONE;
    }

    /// Takes an error; returns the mean when a window is full.
    pub(super) fn observe(&mut self, at: GridPosition, error: f64) -> Option<f64> {
        if self.quiet_until.is_some_and(|until| at < until) {
            return None;
        }
        let window =
            self.window.get_or_insert_with(|| Window { until: at.plus_f64(AVERAGE), sum: 0.0, count: 0 });
        window.sum += error;
        window.count += 1;
        if at < window.until {
            return None;
        }
        let mean = window.sum / f64::from(window.count);
        self.window = None;
        self.mean = Some(mean);
        let bound = if self.holds() { 2.0 * IN_TIME } else { IN_TIME };
        self.in_time = if mean.abs() <= bound { self.in_time.saturating_add(1) } else { 0 };
        Some(mean)
    }

    /// What the host is to be told against a mean error, if that is something new.
    pub(super) fn correct(&mut self, now: GridPosition, mean: f64, latency: f64) -> Option<Nudge> {
        let period = 1.5 * latency + MARGIN + AVERAGE;
        if mean.abs() <= DEAD_BAND {
            return self.level(now, latency);
        }
        if mean.abs() < DRIFT_FROM {
            self.drift = (self.drift - DRIFT_SHARE * mean / period).clamp(-DRIFT_MOST, DRIFT_MOST);
        }
        let nudge = Nudge::from_deviation(self.drift - SHARE * mean / period);
        (nudge != self.nudge).then(|| self.told(now, nudge, latency))
    }

    /// What the host is to be told so that it keeps step, if that is something new.
    pub(super) fn level(&mut self, now: GridPosition, latency: f64) -> Option<Nudge> {
        let nudge = Nudge::from_deviation(self.drift);
        (nudge != self.nudge).then(|| self.told(now, nudge, latency))
    }

    fn told(&mut self, now: GridPosition, nudge: Nudge, latency: f64) -> Nudge {
        self.nudge = nudge;
        self.window = None;
        self.quiet_until = Some(now.plus_f64(1.5 * latency + MARGIN));
        nudge
    }
}

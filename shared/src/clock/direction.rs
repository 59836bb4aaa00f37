//! What one direction of the path shows: the quickest datagram of each window, and how steady that is.

use super::run::Run;
use crate::time::{LocalTime, Span};

/// A direction of the path between member and relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the member to the relay.
    Up,
    /// From the relay to the member.
    Down,
}

/// What is known of one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DirectionState {
    /// How long the quickest datagrams take, if the path was symmetric when the clock locked.
    pub base: Span,
    /// How much the quickest of a window differs from window to window, one standard deviation in microseconds.
    pub spread_us: f64,
    /// Whether this direction still measures the clock, or disagrees with it and is set aside.
    pub trust: Trust,
}

/// Whether a direction measures the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Its latest window agreed with the clock.
    Measuring,
    /// Its latest window disagreed: a queue, or a route that is not yet attributed.
    SetAside,
}

/// The quickest datagram of a window: its one-way time against the line, and when it was stamped locally.
#[derive(Clone, Copy, Debug)]
pub(super) struct Quickest {
    pub(super) micros: f64,
    pub(super) at: LocalTime,
}

/// One direction's memory.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    /// One-way time of the quickest datagrams, in microseconds against the line.
    pub(super) base: f64,
    /// Windows in a row that disagree with the line.
    pub(super) run: Run,
    quickest: Option<Quickest>,
    variance: f64,
    previous: Option<f64>,
    differences: u32,
}

impl Watch {
    /// Spread that is assumed before there are windows to compare.
    const SPREAD_START_US: f64 = 50.0;
    /// No timestamp is better than this.
    const SPREAD_FLOOR_US: f64 = 0.5;
    /// Windows over which the spread is averaged.
    const SPREAD_WINDOWS: u32 = 30;

    /// A direction whose quickest datagrams seem to take `base` microseconds.
    pub(super) const fn new(base: f64) -> Self {
        Self {
            base,
            run: Run::new(),
            quickest: None,
            variance: Self::SPREAD_START_US * Self::SPREAD_START_US,
            previous: None,
            differences: 0,
        }
    }

    /// Takes the one-way time of a datagram stamped `at`.
    pub(super) fn note(&mut self, micros: f64, at: LocalTime) {
        if self.quickest.is_none_or(|quickest| micros < quickest.micros) {
            self.quickest = Some(Quickest { micros, at });
        }
    }

    /// Ends the window.
    pub(super) const fn take_quickest(&mut self) -> Option<Quickest> {
        self.quickest.take()
    }

    /// Learns the spread from a window that agreed with the line. Only differences between neighbours count, so that
    /// an error of the line does not pass for noise.
    pub(super) fn learn_spread(&mut self, residual: f64) {
        if let Some(previous) = self.previous.replace(residual) {
            let difference = residual - previous;
            self.differences = (self.differences + 1).min(Self::SPREAD_WINDOWS);
            let weight = 1.0 / f64::from(self.differences + 1);
            self.variance += (difference * difference / 2.0 - self.variance) * weight;
        }
    }

    /// Starts to learn the spread anew from here, because windows are now of another length.
    pub(super) const fn relearn_spread(&mut self) {
        self.previous = None;
        self.differences = 0;
    }

    /// The variance of a window's minimum, in square microseconds.
    pub(super) fn variance(&self) -> f64 {
        self.variance.max(Self::SPREAD_FLOOR_US * Self::SPREAD_FLOOR_US)
    }

    /// As published.
    pub(super) fn state(&self) -> DirectionState {
        DirectionState {
            base: Span::from_secs_f64(self.base * 1e-6),
            spread_us: self.variance().sqrt(),
            trust: if self.run.count() == 0 { Trust::Measuring } else { Trust::SetAside },
        }
    }
}

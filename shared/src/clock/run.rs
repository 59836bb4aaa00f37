//! A run of observations that all disagree with the line, kept until it is plain what they mean.

use crate::time::convert::f64_from_u64;

/// Consecutive disagreements, in microseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    count: u32,
    lowest: f64,
    highest: f64,
    total: f64,
}

impl Run {
    /// None yet.
    pub(super) const fn new() -> Self {
        Self { count: 0, lowest: 0.0, highest: 0.0, total: 0.0 }
    }

    /// Adds one.
    pub(super) fn push(&mut self, micros: f64) {
        *self = if self.count == 0 {
            Self { count: 1, lowest: micros, highest: micros, total: micros }
        } else {
            Self {
                count: self.count.saturating_add(1),
                lowest: self.lowest.min(micros),
                highest: self.highest.max(micros),
                total: self.total + micros,
            }
        };
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        *self = Self::new();
    }

    /// How many there are.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// The lowest of them.
    pub(super) const fn lowest(&self) -> f64 {
        self.lowest
    }

    /// The highest less the lowest.
    pub(super) fn spread(&self) -> f64 {
        self.highest - self.lowest
    }

    /// The mean; zero when there are none.
    pub(super) fn mean(&self) -> f64 {
        self.total / f64_from_u64(u64::from(self.count.max(1)))
    }
}

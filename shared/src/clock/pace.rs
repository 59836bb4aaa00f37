//! Whether a host keeps pace with its device, or computes ahead in bursts.

use crate::time::{LocalTime, Span};

/// How a host spreads its callbacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostPace {
    /// With the device, but for lateness.
    Steady,
    /// Many blocks at once and then a pause, right only on average: audio computed ahead of time cannot be live.
    AheadOfTime,
}

/// Judges the pace by how many callbacks of a period are far later than its earliest.
///
/// A stall delays a few callbacks and then catches up. A host that computes 200 ms at once spreads *all* of them evenly
/// over those 200 ms, because within a burst the device hardly advances. A single loss of frames spoils one period, so
/// it takes two.
#[derive(Clone, Copy, Debug)]
pub(super) struct PaceWatch {
    pub(super) pace: HostPace,
    began: Option<LocalTime>,
    reference_us: f64,
    earliest_us: f64,
    callbacks: u32,
    far: u32,
    contrary: u32,
}

impl PaceWatch {
    const PERIOD: Span = Span::from_millis(2_000);
    const PERIODS: u32 = 2;
    /// Farther than any hardware buffer of up to 1,024 frames that a host cuts into blocks.
    const FAR_US: f64 = 30_000.0;
    /// Of 100 callbacks, so many far ones make a host run ahead, and so few make it steady again.
    const FAR_PERCENT_AHEAD: u32 = 60;
    const FAR_PERCENT_STEADY: u32 = 30;

    pub(super) const fn new() -> Self {
        Self {
            pace: HostPace::Steady,
            began: None,
            reference_us: f64::INFINITY,
            earliest_us: f64::INFINITY,
            callbacks: 0,
            far: 0,
            contrary: 0,
        }
    }

    /// Takes a callback that is `late_us` later than the device clock has it.
    pub(super) fn note(&mut self, late_us: f64, at: LocalTime) {
        let began = *self.began.get_or_insert(at);
        self.earliest_us = self.earliest_us.min(late_us);
        self.callbacks = self.callbacks.saturating_add(1);
        if late_us - self.reference_us.min(self.earliest_us) > Self::FAR_US {
            self.far = self.far.saturating_add(1);
        }
        if at - began >= Self::PERIOD {
            self.judge();
            *self = Self {
                began: Some(at),
                reference_us: self.earliest_us,
                earliest_us: f64::INFINITY,
                callbacks: 0,
                far: 0,
                ..*self
            };
        }
    }

    fn judge(&mut self) {
        let share = self.far.saturating_mul(100);
        let (is_contrary, other) = match self.pace {
            HostPace::Steady => {
                (share > self.callbacks.saturating_mul(Self::FAR_PERCENT_AHEAD), HostPace::AheadOfTime)
            }
            HostPace::AheadOfTime => {
                (share < self.callbacks.saturating_mul(Self::FAR_PERCENT_STEADY), HostPace::Steady)
            }
        };
        self.contrary = if is_contrary { self.contrary + 1 } else { 0 };
        if self.contrary >= Self::PERIODS {
            self.pace = other;
            self.contrary = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callbacks every 5 ms whose lateness repeats in the given pattern, in milliseconds.
    fn pace_after(seconds: i64, pattern: &[f64]) -> HostPace {
        let mut watch = PaceWatch::new();
        for (index, late_ms) in (0..seconds * 200).zip(pattern.iter().cycle()) {
            watch.note(late_ms * 1e3, LocalTime::ZERO + Span::from_millis(index * 5));
        }
        watch.pace
    }

    #[test]
    fn bursts_of_blocks_are_ahead_of_time() {
        let sawtooth: Vec<f64> = (0..40_u32).map(|block| 200.0 - 5.0 * f64::from(block)).collect();
        assert_eq!(pace_after(10, &sawtooth), HostPace::AheadOfTime);
    }

    #[test]
    fn stalls_and_cut_hardware_buffers_are_not() {
        let mut stalls = vec![0.05; 100];
        stalls[3..10].copy_from_slice(&[50.0, 45.0, 40.0, 35.0, 30.0, 25.0, 20.0]);
        assert_eq!(pace_after(10, &stalls), HostPace::Steady);
        assert_eq!(pace_after(10, &[20.0, 15.0, 10.0, 5.0]), HostPace::Steady);
    }

    #[test]
    fn a_host_that_returns_to_the_device_is_steady_again() {
        let mut watch = PaceWatch::new();
        for index in 0..4_000_i64 {
            let late_ms = if index < 2_000 { 5 * (40 - index % 40) } else { 0 };
            let late = Span::from_millis(late_ms);
            watch.note(late.secs_f64() * 1e6, LocalTime::ZERO + Span::from_millis(index * 5));
            if index == 1_999 {
                assert_eq!(watch.pace, HostPace::AheadOfTime);
            }
        }
        assert_eq!(watch.pace, HostPace::Steady);
    }
}

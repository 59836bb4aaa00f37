//! How much faster than it says a DAW really runs.

/// A straight line through where the DAW was against where its own tempo says, forgetting slowly: its slope is the
/// error of the DAW's device against the grid, its height smooths what single blocks say.
///
/// Least squares, each sample weighted by the seconds that it stands for. What earlier runs taught is a prior for
/// the slope, so that a DAW that stops and starts need not be measured again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drift {
    weight: f64,
    mean_seconds: f64,
    mean_ahead: f64,
    /// Weighted squares about the means: of time, in s^3, and of time with height.
    spread: f64,
    tilt: f64,
    prior_slope: f64,
    prior_spread: f64,
    seconds: f64,
    ahead: f64,
}

/// Memory, long enough for 0.1 ppm and short enough for a device that warms up.
const MEMORY_SECONDS: f64 = 20.0;
/// What is believed before anything is measured: no error, overruled by half a second (T^3 / 12).
const IGNORANCE: f64 = 0.01;
/// The most that an earlier run counts: as ten seconds.
const CONVICTION_MAX: f64 = 80.0;
/// More than this is not a device's error but a DAW that does not do what it says.
const SLOPE_MAX: f64 = 500e-6;

impl Drift {
    pub(super) const fn new() -> Self {
        Self::with_prior(0.0, IGNORANCE)
    }

    const fn with_prior(prior_slope: f64, prior_spread: f64) -> Self {
        Self {
            weight: 0.0,
            mean_seconds: 0.0,
            mean_ahead: 0.0,
            spread: 0.0,
            tilt: 0.0,
            prior_slope,
            prior_spread,
            seconds: 0.0,
            ahead: 0.0,
        }
    }

    /// Starts again at a new place or tempo, with what has been learnt of the device.
    pub(super) fn restart(&mut self) {
        let slope = self.slope();
        *self = if slope.abs() > SLOPE_MAX {
            Self::new()
        } else {
            Self::with_prior(slope, (self.prior_spread + self.spread).min(CONVICTION_MAX))
        };
    }

    /// Starts again with a slope that the DAW has shown and the next blocks may correct at once.
    pub(super) const fn restart_at(&mut self, slope: f64) {
        *self = Self::with_prior(slope, IGNORANCE);
    }

    /// `seconds` more of the grid, in which the DAW went `gained` seconds further than its tempo says.
    pub(super) fn push(&mut self, seconds: f64, gained: f64) {
        let keep = (-seconds / MEMORY_SECONDS).exp();
        self.weight *= keep;
        self.spread *= keep;
        self.tilt *= keep;
        self.seconds += seconds;
        self.ahead += gained;
        let (from_seconds, from_ahead) = (self.seconds - self.mean_seconds, self.ahead - self.mean_ahead);
        self.weight += seconds;
        let share = seconds / self.weight;
        self.mean_seconds += from_seconds * share;
        self.mean_ahead += from_ahead * share;
        self.spread += seconds * from_seconds * (self.seconds - self.mean_seconds);
        self.tilt += seconds * from_seconds * (self.ahead - self.mean_ahead);
    }

    /// The DAW's pace against what its tempo says, less 1.
    pub(super) fn slope(&self) -> f64 {
        (self.tilt + self.prior_spread * self.prior_slope) / (self.spread + self.prior_spread)
    }

    /// By how many seconds the last block was ahead of the straight line.
    pub(super) fn deviation(&self) -> f64 {
        self.ahead - (self.mean_ahead + self.slope() * (self.seconds - self.mean_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_found_and_kept() {
        let mut drift = Drift::new();
        for block in 0..1_000_i32 {
            let noise = f64::from(block % 7 - 3) * 5e-6;
            let before = f64::from((block + 6) % 7 - 3) * 5e-6;
            drift.push(0.01, 0.01 * 83e-6 + noise - before);
        }
        assert!((drift.slope() - 83e-6).abs() < 0.3e-6, "{}", drift.slope());
        assert!(drift.deviation().abs() < 20e-6);
        drift.restart();
        drift.push(0.01, 20e-6);
        assert!((drift.slope() - 83e-6).abs() < 0.3e-6);
    }

    #[test]
    fn a_lie_is_not_kept() {
        let mut drift = Drift::new();
        drift.restart_at(0.1);
        assert!((drift.slope() - 0.1).abs() < 1e-12);
        drift.restart();
        assert!(drift.slope().abs() < 1e-12);
    }
}

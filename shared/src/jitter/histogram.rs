//! How late chunks come, remembered with a fading memory.

use crate::time::convert::{f32_from_f64, f64_from_usize, usize_trunc};

/// Width of a bin: 50 us of the grid.
const BIN_FRAMES: f64 = 2.4;
/// Bins up to 200 ms; one more holds whatever is later.
const BINS: usize = 4_000;
/// A bin with less than this is empty: what fades ends at exact zero.
const EMPTY_BELOW: f32 = 1e-6;

/// A histogram of lateness in bins of 50 us up to 200 ms, in which an observation's weight fades by a factor of
/// e over the horizon.
///
/// Only what arrived is counted. A lost chunk is not a late one: no delay would have saved it, and to count it
/// would buy latency for nothing.
#[derive(Clone, Debug)]
pub struct LatenessHistogram {
    weights: Box<[f32]>,
    /// No bin above this one has any weight: most networks use a fraction of the range.
    highest: usize,
    horizon: f64,
}

impl LatenessHistogram {
    /// An empty histogram with a memory of `horizon` observations. Allocates 16 kB.
    #[must_use]
    pub fn new(horizon: usize) -> Self {
        Self {
            weights: vec![0.0; BINS + 1].into_boxed_slice(),
            highest: 0,
            horizon: f64_from_usize(horizon.max(1)),
        }
    }

    /// Counts one chunk that came `lateness_frames` after the earliest it could have come; what is earlier than
    /// that counts as zero, what is not a number does not count.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn observe(&mut self, lateness_frames: f64) {
        if !lateness_frames.is_nan() {
            let bin = usize_trunc(lateness_frames / BIN_FRAMES).min(BINS);
            self.weights[bin] += 1.0;
            self.highest = self.highest.max(bin);
        }
    }

    /// Lets the weights fade as after `observations` more.
    ///
    /// Real-time: yes. Bound: one multiplication for each bin up to the latest observation, 4,001 at most.
    pub fn fade(&mut self, observations: usize) {
        let kept = f32_from_f64((-f64_from_usize(observations) / self.horizon).exp());
        for weight in &mut self.weights[..=self.highest] {
            let faded = *weight * kept;
            *weight = if faded < EMPTY_BELOW { 0.0 } else { faded };
        }
        while self.highest > 0 && self.weights[self.highest] == 0.0 {
            self.highest -= 1;
        }
    }

    /// The least lateness, in frames, that at most `rate` of the weight exceeds: the upper edge of a bin, 200 ms
    /// if it lies beyond all of them. None while nothing is known.
    ///
    /// Real-time: yes. Bound: two additions for each bin up to the latest observation.
    #[must_use]
    pub fn quantile_frames(&self, rate: f64) -> Option<f64> {
        let total: f64 = self.weights[..=self.highest].iter().copied().map(f64::from).sum();
        if total <= 0.0 {
            return None;
        }
        let (mut bin, mut later) = (self.highest, 0.0);
        loop {
            later += f64::from(self.weights[bin]);
            if later > rate * total || bin == 0 {
                return Some(f64_from_usize((bin + 1).min(BINS)) * BIN_FRAMES);
            }
            bin -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_is_known_before_the_first_and_again_long_after_the_last() {
        let mut histogram = LatenessHistogram::new(100);
        assert_eq!(histogram.quantile_frames(0.001), None);
        histogram.observe(f64::NAN);
        assert_eq!(histogram.quantile_frames(0.001), None);
        histogram.observe(1.0);
        assert_eq!(histogram.quantile_frames(0.001), Some(BIN_FRAMES));
        histogram.fade(2_000);
        assert_eq!(histogram.quantile_frames(0.001), None);
    }

    #[test]
    fn strange_lateness_falls_into_the_outer_bins() {
        for (lateness, edge) in
            [(-5.0, 2.4), (1e18, 9_600.0), (f64::INFINITY, 9_600.0), (-f64::INFINITY, 2.4)]
        {
            let mut histogram = LatenessHistogram::new(10);
            histogram.observe(lateness);
            assert_eq!(histogram.quantile_frames(0.001), Some(edge), "{lateness}");
        }
    }

    proptest! {
        #[test]
        fn the_quantile_is_the_sorted_one_to_a_bin(
            mut lateness in prop::collection::vec(0.0..9_000.0_f64, 1..400), rate in 0.0..0.5_f64,
        ) {
            let mut histogram = LatenessHistogram::new(1_000);
            lateness.iter().for_each(|frames| histogram.observe(*frames));
            lateness.sort_by(f64::total_cmp);
            let allowed = usize_trunc(rate * f64_from_usize(lateness.len()) + 1e-9);
            let sorted = lateness[lateness.len() - 1 - allowed];
            let quantile = histogram.quantile_frames(rate).unwrap();
            prop_assert!(quantile >= sorted && quantile - sorted <= BIN_FRAMES + 1e-9, "{quantile} for {sorted}");
        }
    }
}

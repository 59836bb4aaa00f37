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

    /// The delay that is cheapest, if a chunk that comes too late costs as much as `late_cost_frames` of delay for
    /// every chunk: the minimum of `delay + late_cost_frames x P(later than delay)` over the upper edges of bins.
    /// A history of less weight than `least_weight` counts as that much, so that the first chunks of all do not
    /// speak for the network. None while nothing is known.
    ///
    /// A steady spread is paid for in full as long as it is narrower than the cost; a rare spike is not, however late.
    ///
    /// Real-time: yes. Bound: a few additions for each bin up to the latest observation.
    #[must_use]
    pub fn cheapest_frames(&self, late_cost_frames: f64, least_weight: f64) -> Option<f64> {
        let total: f64 = self.weights[..=self.highest].iter().copied().map(f64::from).sum();
        if total <= 0.0 {
            return None;
        }
        let late_cost = late_cost_frames / total.max(least_weight);
        let (mut later, mut cheapest) = (0.0, (f64::INFINITY, 0.0));
        for bin in (0..=self.highest).rev() {
            let edge = f64_from_usize((bin + 1).min(BINS)) * BIN_FRAMES;
            let cost = edge + late_cost * later;
            if cost <= cheapest.0 {
                cheapest = (cost, edge);
            }
            later += f64::from(self.weights[bin]);
        }
        Some(cheapest.1)
    }

    /// The share of the weight that is later than `delay_frames`; 0 while nothing is known.
    ///
    /// Real-time: yes. Bound: an addition for each bin up to the latest observation.
    #[must_use]
    pub fn later_share(&self, delay_frames: f64) -> f64 {
        let sum = |weights: &[f32]| -> f64 { weights.iter().copied().map(f64::from).sum() };
        let total = sum(&self.weights[..=self.highest]);
        // Half a bin spares what lies on an edge from rounding.
        let first_later = usize_trunc((delay_frames + 0.5 * BIN_FRAMES) / BIN_FRAMES).min(BINS);
        if total <= 0.0 || first_later > self.highest {
            return 0.0;
        }
        sum(&self.weights[first_later..=self.highest]) / total
    }

    /// The upper edge of the bin into which `lateness_frames` falls: the least delay that is long enough.
    #[must_use]
    pub fn upper_edge_frames(lateness_frames: f64) -> f64 {
        f64_from_usize((usize_trunc(lateness_frames / BIN_FRAMES) + 1).min(BINS)) * BIN_FRAMES
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const COST: f64 = 19_200.0;

    #[test]
    fn nothing_is_known_before_the_first_and_again_long_after_the_last() {
        let mut histogram = LatenessHistogram::new(100);
        assert_eq!(histogram.cheapest_frames(COST, 1.0), None);
        histogram.observe(f64::NAN);
        assert_eq!(histogram.cheapest_frames(COST, 1.0), None);
        histogram.observe(1.0);
        assert_eq!(histogram.cheapest_frames(COST, 1.0), Some(BIN_FRAMES));
        histogram.fade(2_000);
        assert_eq!(histogram.cheapest_frames(COST, 1.0), None);
    }

    #[test]
    fn strange_lateness_falls_into_the_outer_bins() {
        for (lateness, edge) in
            [(-5.0, 2.4), (1e18, 9_600.0), (f64::INFINITY, 9_600.0), (-f64::INFINITY, 2.4)]
        {
            let mut histogram = LatenessHistogram::new(10);
            histogram.observe(lateness);
            assert_eq!(histogram.cheapest_frames(COST, 1.0), Some(edge), "{lateness}");
        }
    }

    #[test]
    fn one_early_outlier_does_not_speak_for_the_network() {
        let mut histogram = LatenessHistogram::new(3_000);
        (0..31).for_each(|_| histogram.observe(100.0));
        histogram.observe(2_000.0);
        assert!(histogram.cheapest_frames(COST, 750.0).is_some_and(|frames| frames < 110.0));
    }

    proptest! {
        #[test]
        fn no_other_delay_is_cheaper(
            lateness in prop::collection::vec(0.0..9_000.0_f64, 1..400), cost in 0.0..50_000.0_f64,
        ) {
            let mut histogram = LatenessHistogram::new(1_000);
            lateness.iter().for_each(|frames| histogram.observe(*frames));
            let total = f64_from_usize(lateness.len());
            // What falls into a bin is late for every delay below the bin's upper edge.
            let edges: Vec<f64> = lateness
                .iter()
                .map(|frames| f64_from_usize(usize_trunc(frames / BIN_FRAMES) + 1) * BIN_FRAMES)
                .collect();
            let price = |delay: f64| {
                let late = edges.iter().filter(|edge| **edge > delay + 1e-6).count();
                delay + cost * f64_from_usize(late) / total
            };
            let cheapest = histogram.cheapest_frames(cost, 1.0).unwrap();
            for edge in &edges {
                prop_assert!(price(cheapest) <= price(*edge) + 1e-6, "{cheapest} against {edge}");
            }
        }
    }
}

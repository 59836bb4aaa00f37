//! How much delay the network needs: the policy over the histograms.

use super::LatenessHistogram;

/// The share of chunks that may come too late.
const LATE_RATE: f64 = 0.001;
/// Chunks of 4 s: follows what the network does now.
const SHORT_HORIZON: usize = 3_000;
/// Chunks of 60 s: remembers the spike that comes back every half minute.
const LONG_HORIZON: usize = 45_000;
/// Observations between two evaluations: 43 ms of chunks.
const EVALUATE_EVERY: usize = 32;
/// Observations before the start value may be undercut: 1 s of chunks.
const TRUSTED_AFTER: usize = 750;
/// Falls below 0.25 ms are not worth a glide. Every rise is: less delay than is needed costs a gap each time.
const HYSTERESIS_FRAMES: f64 = 12.0;

/// Holds the delay at which one chunk in a thousand comes too late, by the memory of the last 4 s or of the last
/// 60 s, whichever asks for more.
#[derive(Clone, Debug)]
pub struct JitterTarget {
    short: LatenessHistogram,
    long: LatenessHistogram,
    observations: usize,
    target_frames: f64,
}

impl JitterTarget {
    /// A target that stands at `start_frames` until the network has been watched: it may rise at once, but
    /// falls after a second at the earliest. Allocates 32 kB.
    #[must_use]
    pub fn new(start_frames: f64) -> Self {
        Self {
            short: LatenessHistogram::new(SHORT_HORIZON),
            long: LatenessHistogram::new(LONG_HORIZON),
            observations: 0,
            target_frames: start_frames.max(0.0),
        }
    }

    /// Counts one chunk that arrived, in time or not, `lateness_frames` after the earliest it could have. A lost
    /// chunk is not observed.
    ///
    /// Real-time: yes. Bound: constant, and every 32nd time two passes over the bins in use, 8,002 at most.
    pub fn observe(&mut self, lateness_frames: f64) {
        self.short.observe(lateness_frames);
        self.long.observe(lateness_frames);
        self.observations = self.observations.saturating_add(1);
        if self.observations.is_multiple_of(EVALUATE_EVERY) {
            self.short.fade(EVALUATE_EVERY);
            self.long.fade(EVALUATE_EVERY);
            self.evaluate();
        }
    }

    /// The delay that the network needs, in grid frames.
    #[must_use]
    pub const fn target_frames(&self) -> f64 {
        self.target_frames
    }

    fn evaluate(&mut self) {
        let asked = [&self.short, &self.long].map(|horizon| horizon.quantile_frames(LATE_RATE));
        let needed = asked.into_iter().flatten().fold(0.0, f64::max);
        let rises = needed > self.target_frames;
        let far = (needed - self.target_frames).abs() >= HYSTERESIS_FRAMES;
        if rises || (far && self.observations >= TRUSTED_AFTER) {
            self.target_frames = needed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::convert::f64_from_usize;

    /// A repeatable lateness of 0 to `spread` frames.
    fn lateness(n: usize, spread: f64) -> f64 {
        (f64_from_usize(n) * 0.754_877_666).fract() * spread
    }

    #[test]
    fn it_holds_its_start_then_falls_to_what_the_network_needs() {
        let mut target = JitterTarget::new(480.0);
        for n in 0..TRUSTED_AFTER - EVALUATE_EVERY {
            target.observe(lateness(n, 96.0));
            assert_eq!(target.target_frames(), 480.0);
        }
        (0..10_000).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!((target.target_frames() - 96.0).abs() <= HYSTERESIS_FRAMES, "{}", target.target_frames());
    }

    #[test]
    fn one_chunk_in_a_thousand_may_be_late_and_no_more() {
        let spiked = |every: usize| {
            let mut target = JitterTarget::new(0.0);
            for n in 1..200_000 {
                target.observe(if n % every == 0 { 2_400.0 } else { lateness(n, 96.0) });
            }
            target.target_frames()
        };
        assert!(spiked(500) >= 2_400.0);
        assert!(spiked(4_001) < 200.0);
    }

    #[test]
    fn a_change_for_the_worse_is_met_within_a_tenth_of_a_second() {
        let mut target = JitterTarget::new(96.0);
        (0..60_000).for_each(|n| target.observe(lateness(n, 90.0)));
        (0..75).for_each(|n| target.observe(lateness(n, 960.0)));
        assert!(target.target_frames() > 800.0, "{}", target.target_frames());
    }

    #[test]
    fn a_burst_is_remembered_beyond_the_short_horizon_and_then_forgotten() {
        let mut target = JitterTarget::new(0.0);
        (0..750).for_each(|n| target.observe(lateness(n, 2_400.0)));
        (0..30_000).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!(target.target_frames() > 1_500.0, "{}", target.target_frames());
        (0..400_000).for_each(|n| target.observe(lateness(n, 96.0)));
        assert!(target.target_frames() < 110.0, "{}", target.target_frames());
    }

    #[test]
    fn small_falls_do_not_move_it_and_every_rise_does() {
        let mut target = JitterTarget::new(0.0);
        (0..5_000).for_each(|n| target.observe(lateness(n, 240.0)));
        let held = target.target_frames();
        for n in 0..50_000 {
            target.observe(lateness(n, 240.0 + 8.0 * (f64_from_usize(n) * 0.001).sin()));
            assert!((held..held + 12.0).contains(&target.target_frames()), "{}", target.target_frames());
        }
    }
}

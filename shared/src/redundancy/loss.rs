//! How many datagrams a hop loses, and how many in a row.

use crate::time::convert::f64_from_usize;

/// A datagram is lost once so many later ones have come: 85 ms of them, further than any network reorders.
const REORDER_DATAGRAMS: u64 = 64;
/// Datagrams over which loss is taken: 4 s follow what the network does now, 60 s remember what comes back.
const SHORT_HORIZON: f64 = 3_000.0;
const LONG_HORIZON: f64 = 45_000.0;
/// A history shorter than two seconds counts as two: one loss among the first ten is not 10 %.
const LEAST_WEIGHT: f64 = 1_500.0;
/// Losses in a row are told apart up to so many.
const RUN_MAX: usize = 16;
/// Runs over which their lengths are taken.
const RUNS_HORIZON: f64 = 50.0;
/// A leap of the counter by more than this is another sender, not loss: a minute of datagrams.
const LEAP_MAX: u64 = 45_000;

/// Counts what does not arrive by the gaps in the counters of what does.
#[derive(Clone, Debug)]
pub struct LossMeter {
    /// One more than the newest counter seen; none before the first.
    next: Option<u64>,
    /// Which of the last 64 were seen: bit 0 is the newest.
    seen: u64,
    short: Share,
    long: Share,
    /// Datagrams lost in a row up to the last that was judged.
    run: usize,
    /// Weights of runs by length, less one.
    runs: [f64; RUN_MAX],
    lost: u64,
}

/// A share with a fading memory.
#[derive(Clone, Copy, Debug)]
struct Share {
    weight: f64,
    lost: f64,
    keep: f64,
}

impl Default for LossMeter {
    fn default() -> Self {
        Self {
            next: None,
            seen: 0,
            short: Share::new(SHORT_HORIZON),
            long: Share::new(LONG_HORIZON),
            run: 0,
            runs: [0.0; RUN_MAX],
            lost: 0,
        }
    }
}

impl LossMeter {
    /// Notes the counter of a datagram that arrived. In any order; a duplicate changes nothing.
    ///
    /// Bound: a step for each counter passed over, 45,000 at most.
    pub fn observe(&mut self, counter: u64) {
        let Some(next) = self.next else {
            // What was sent before the first that came is not known to exist.
            (self.next, self.seen) = (Some(counter + 1), u64::MAX);
            return;
        };
        if counter < next {
            let age = next - 1 - counter;
            if age < REORDER_DATAGRAMS {
                self.seen |= 1 << age;
            }
            return;
        }
        if counter - next > LEAP_MAX {
            *self = Self { lost: self.lost, ..Self::default() };
            self.observe(counter);
            return;
        }
        for _ in next..=counter {
            self.judge(self.seen >> (REORDER_DATAGRAMS - 1) == 0);
            self.seen <<= 1;
        }
        self.seen |= 1;
        self.next = Some(counter + 1);
    }

    fn judge(&mut self, is_lost: bool) {
        self.short.observe(is_lost);
        self.long.observe(is_lost);
        if is_lost {
            self.run += 1;
            self.lost += 1;
        } else if self.run > 0 {
            self.runs.iter_mut().for_each(|weight| *weight *= 1.0 - 1.0 / RUNS_HORIZON);
            self.runs[self.run.min(RUN_MAX) - 1] += 1.0;
            self.run = 0;
        }
    }

    /// The share of datagrams that is lost: of the last 4 s or the last minute, whichever is more.
    #[must_use]
    pub fn share(&self) -> f64 {
        self.short.value().max(self.long.value())
    }

    /// The share lost in the last 4 s.
    #[must_use]
    pub fn share_now(&self) -> f64 {
        self.short.value()
    }

    /// Datagrams lost since the beginning.
    #[must_use]
    pub const fn lost(&self) -> u64 {
        self.lost
    }

    /// Of what is lost, the share that is lost together with what follows by so many datagrams, by the losses in a row that
    /// were seen: a copy at that offset brings none of it back. None is, where nothing is lost.
    #[must_use]
    pub fn lost_again(&self, offset: usize) -> f64 {
        let sum = |of: &dyn Fn(usize) -> usize| -> f64 {
            (1..).zip(&self.runs).map(|(length, weight)| f64_from_usize(of(length)) * weight).sum()
        };
        let lost = sum(&|length| length);
        if lost > 0.0 { sum(&|length| length.saturating_sub(offset)) / lost } else { 0.0 }
    }
}

impl Share {
    fn new(horizon: f64) -> Self {
        Self { weight: 0.0, lost: 0.0, keep: 1.0 - 1.0 / horizon }
    }

    fn observe(&mut self, is_lost: bool) {
        self.weight = self.weight * self.keep + 1.0;
        self.lost = self.lost * self.keep + f64::from(u8::from(is_lost));
    }

    fn value(&self) -> f64 {
        self.lost / self.weight.max(LEAST_WEIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meter(counters: impl IntoIterator<Item = u64>) -> LossMeter {
        let mut meter = LossMeter::default();
        counters.into_iter().for_each(|counter| meter.observe(counter));
        meter
    }

    #[test]
    fn what_comes_in_any_order_is_not_lost() {
        let shuffled = (0..9_999_u64).map(|n| if n % 3 == 0 { n + 1 } else { n - u64::from(n % 3 == 1) });
        let meter = meter(shuffled.chain(9_999..10_064));
        assert_eq!(meter.lost(), 0);
        assert!(meter.share() < 1e-12);
    }

    #[test]
    fn shares_are_what_is_lost_and_fade() {
        let mut counted = meter((0..90_000).filter(|n| n % 50 != 7));
        assert!((counted.share() - 0.02).abs() < 0.002, "{}", counted.share());
        assert_eq!(counted.lost(), 1_799);
        (90_000..110_000).for_each(|n| counted.observe(n));
        assert!(counted.share_now() < 0.000_1 && counted.share() > 0.01);
    }

    #[test]
    fn a_copy_has_to_outlast_the_losses_in_a_row() {
        let alone = meter((0..40_000).filter(|n| n % 100 != 0));
        assert_eq!((alone.lost_again(0), alone.lost_again(1)), (1.0, 0.0));
        let in_fours = meter((0..40_000).filter(|n| n % 400 >= 4));
        for (offset, share) in [(1, 0.75), (2, 0.5), (3, 0.25), (4, 0.0)] {
            assert!((in_fours.lost_again(offset) - share).abs() < 1e-9, "{offset}");
        }
        assert!(meter((0..40_000).filter(|n| n % 4_000 >= 40)).lost_again(8) >= 0.5);
        assert_eq!(meter(0..1_000).lost_again(1), 0.0);
    }

    #[test]
    fn one_loss_at_the_start_is_no_rate_and_a_leap_is_another_sender() {
        let mut counted = meter((0..80).filter(|n| *n != 3));
        assert!(counted.share() < 0.001);
        counted.observe(1 << 40);
        counted.observe(5);
        assert_eq!(counted.lost(), 1);
    }
}

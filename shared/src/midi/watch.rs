//! Whether a host has settled, and how far out.
//!
//! Its error is averaged over tenths of a second. When four of them in a row say the same, it has settled: a smoothing
//! host that still moves changes from one to the next, and does not stand for so long where it turns. One that trembles for ever, because its input
//! does, is taken as it is after a while.
//!
//! Real-time: yes. Bound: constant.

use crate::time::{GRID_RATE, GridPosition};

/// What was seen of a host's error, frames.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    since: Option<GridPosition>,
    /// The mean that is being gathered.
    from: GridPosition,
    sum: f64,
    count: u32,
    /// The last means, the latest last.
    means: [Option<f64>; 4],
}

const SECOND: f64 = GRID_RATE as f64;
/// A mean is over this.
const MEAN: f64 = 0.1 * SECOND;
/// As much as the means of a host that has settled differ: a quarter of a millisecond.
const ALIKE: f64 = 0.000_25 * SECOND;
/// A host is watched for no longer than this: one and a half quarter notes, which the mean of 24 ticks is over in, and no
/// less than a second.
const QUARTERS_MOST: f64 = 1.5;
const WATCH_LEAST: f64 = SECOND;

impl Watch {
    pub(super) const fn new() -> Self {
        Self { since: None, from: GridPosition::from_raw(0), sum: 0.0, count: 0, means: [None; 4] }
    }

    /// Takes the error at `at`. Gives the mean that it completes.
    pub(super) fn take(&mut self, at: GridPosition, error: f64) -> Option<f64> {
        if self.since.is_none() {
            (self.since, self.from) = (Some(at), at);
        }
        let mean =
            (at.frames_since(self.from) >= MEAN && self.count > 0).then(|| self.sum / f64::from(self.count));
        if mean.is_some() {
            self.means.rotate_left(1);
            self.means[3] = mean;
            (self.from, self.sum, self.count) = (at, 0.0, 0);
        }
        self.sum += error;
        self.count += 1;
        mean
    }

    /// The error of a host that has settled, or will not. A quarter note takes `quarter` frames.
    pub(super) fn settled(&self, at: GridPosition, quarter: f64) -> Option<f64> {
        let [Some(first), Some(second), Some(third), Some(fourth)] = self.means else { return None };
        let means = [first, second, third, fourth];
        let most = means.into_iter().fold(f64::NEG_INFINITY, f64::max);
        let least = means.into_iter().fold(f64::INFINITY, f64::min);
        let watched = self.since.map_or(0.0, |since| at.frames_since(since));
        let is_enough = most - least <= ALIKE || watched >= (QUARTERS_MOST * quarter).max(WATCH_LEAST);
        is_enough.then_some(means.iter().sum::<f64>() / 4.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::GridFrame;
    use crate::time::convert::f64_from_i64;

    const QUARTER: f64 = 0.5 * SECOND;

    /// When a host with this error over seconds is said to have settled, and where.
    fn watch(error: impl Fn(f64) -> f64) -> (f64, f64) {
        let mut watch = Watch::new();
        for frame in (48_000..).step_by(480) {
            let at = GridFrame(frame).position();
            let seconds = f64_from_i64(frame) / SECOND - 1.0;
            watch.take(at, error(seconds));
            if let Some(settled) = watch.settled(at, QUARTER) {
                return (seconds, settled);
            }
        }
        unreachable!("it is taken as it is after a while")
    }

    #[test]
    fn what_stands_has_settled_in_four_means_and_what_moves_has_not() {
        let (after, settled) = watch(|_| -700.0);
        assert!((after - 0.4).abs() < 0.011 && (settled + 700.0).abs() < 1e-9, "{after} {settled}");
        let (after, settled) = watch(|seconds| if seconds < 0.3 { -7_000.0 * (0.3 - seconds) } else { 0.0 });
        assert!(after > 0.65 && settled.abs() < 6.0, "{after} {settled}");
    }

    #[test]
    fn what_never_settles_is_taken_after_a_while() {
        let (after, settled) = watch(|seconds| 96.0 * (seconds * 9.0).sin());
        assert!((1.0..1.05).contains(&after) && settled.abs() <= 96.0, "{after} {settled}");
    }
}

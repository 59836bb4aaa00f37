//! Whether a DAW that has just been set going has come to rest.
//!
//! Its delay is averaged over tenths of a second. While the loop of a follower's clock moves it, one differs from the
//! next by milliseconds.
//!
//! Real-time: yes. Bound: constant.

/// The first seconds after the beats were found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Landing {
    passed_frames: f64,
    /// The mean that is being gathered.
    gathered_frames: f64,
    sum: f64,
    count: f64,
    last_mean: Option<f64>,
}

/// How long a follower may take to be in time: 4 s.
const LANDING_FRAMES: f64 = 192_000.0;
/// A mean is over this: 0.1 s.
const MEAN_FRAMES: f64 = 4_800.0;
/// Two means of what rests differ by no more than this: a quarter of a millisecond.
const ALIKE_FRAMES: f64 = 12.0;

impl Landing {
    pub(super) const fn new() -> Self {
        Self { passed_frames: 0.0, gathered_frames: 0.0, sum: 0.0, count: 0.0, last_mean: None }
    }

    /// Takes what was measured for a block. Says where it rests each time that two means have been alike.
    pub(super) fn take(&mut self, measured: f64, block_frames: f64) -> Option<f64> {
        self.passed_frames += block_frames;
        self.gathered_frames += block_frames;
        self.sum += measured;
        self.count += 1.0;
        if self.gathered_frames < MEAN_FRAMES {
            return None;
        }
        let mean = self.sum / self.count;
        (self.gathered_frames, self.sum, self.count) = (0.0, 0.0, 0.0);
        let last = self.last_mean.replace(mean)?;
        ((mean - last).abs() <= ALIKE_FRAMES).then_some(mean)
    }

    /// Whether a follower has had the time that it may take.
    pub(super) fn is_over(&self) -> bool {
        self.passed_frames >= LANDING_FRAMES
    }
}

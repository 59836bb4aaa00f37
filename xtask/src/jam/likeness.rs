//! Whose sound was heard.
//!
//! Two parts of one piece share notes and beats, so that a short moment of one is like some moment of another.
//! But only the sound itself is alike in every moment at one and the same lag. So many moments are looked for, each
//! by itself over all lags, and those count that agree. A delay that glides or leaps by some milliseconds between
//! two moments does no harm.

use super::correlation::Correlator;
use super::delay::{AUDIBLE_RMS, LAG_SECONDS_MAX, Recording};
use crate::numbers::{f64_from_usize, i64_from_usize, i64_round, usize_round};

/// Moments that are looked for, spread over all that was heard.
const MOMENTS: usize = 12;
/// Fewer audible ones say nothing.
const MOMENTS_MIN: usize = 4;
/// How long a moment is.
const MOMENT_SECONDS: f64 = 0.5;
/// How far from the median lag a moment's own may be.
const AGREEING_SECONDS: f64 = 0.03;
/// Every eighth frame is enough for a rough look.
const STRIDE: usize = 8;
/// Above this, what was heard is what was sent.
const SAME_SOUND: f64 = 0.5;

/// How much of what was heard is what was sent: from 0 to 1, the share of moments that agree in their lag, each for
/// as much as it is alike.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub(crate) struct Likeness(pub(crate) f64);

impl Likeness {
    /// Whether what was heard is what was sent.
    pub(crate) fn is_same_sound(self) -> bool {
        self.0 > SAME_SOUND
    }
}

/// One moment, found at a lag.
struct Moment {
    lag_seconds: f64,
    likeness: f64,
}

/// Looks for what was heard in what was sent.
pub(crate) fn likeness(sent: &Recording, heard: &Recording) -> Likeness {
    let rate = heard.rate_hz / f64_from_usize(STRIDE);
    let count = usize_round(MOMENT_SECONDS * rate);
    let lags = usize_round(LAG_SECONDS_MAX * rate);
    let correlator = Correlator::new(count, lags);
    let last_start = heard.sound.frames().saturating_sub(count * STRIDE);
    let moments: Vec<Moment> = (0..MOMENTS)
        .map(|index| last_start * (2 * index + 1) / (2 * MOMENTS))
        .filter(|start| {
            let end = (start + count * STRIDE).min(heard.sound.frames());
            heard.sound.part(*start..end).levels().rms > AUDIBLE_RMS
        })
        .filter_map(|start| {
            let moment = thinned(heard, f64_from_usize(start), f64_from_usize(STRIDE), count);
            // The reference starts early by the longest lag.
            let first = sent.frame_of(heard, f64_from_usize(start), f64_from_usize(lags) / rate);
            let step = f64_from_usize(STRIDE) * sent.rate_hz / heard.rate_hz;
            let found = correlator.best(&moment, &thinned(sent, first, step, count + lags), |_| 0.0)?;
            Some(Moment { lag_seconds: f64_from_usize(lags - found.offset) / rate, likeness: found.likeness })
        })
        .collect();
    Likeness(agreement(&moments))
}

fn agreement(moments: &[Moment]) -> f64 {
    if moments.len() < MOMENTS_MIN {
        return 0.0;
    }
    let mut lags: Vec<f64> = moments.iter().map(|moment| moment.lag_seconds).collect();
    lags.sort_by(f64::total_cmp);
    let median = lags[lags.len() / 2];
    let agrees = |moment: &&Moment| (moment.lag_seconds - median).abs() < AGREEING_SECONDS;
    let alike: f64 = moments.iter().filter(agrees).map(|moment| moment.likeness).sum();
    alike / f64_from_usize(moments.len())
}

/// Both channels together, one sample for every `step` frames from `first`, each the sum of [`STRIDE`].
fn thinned(recording: &Recording, first: f64, step: f64, count: usize) -> Vec<f32> {
    let at = |index: usize| {
        let frame = i64_round(first + f64_from_usize(index) * step);
        let span = frame..frame + i64_from_usize(STRIDE);
        span.map(|frame| recording.sample(0, frame) + recording.sample(1, frame)).sum()
    };
    (0..count).map(at).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_count_when_they_agree() {
        let moments = |lags: &[f64]| -> Vec<Moment> {
            lags.iter().map(|lag| Moment { lag_seconds: *lag, likeness: 0.8 }).collect()
        };
        assert!((agreement(&moments(&[0.010, 0.011, 0.013, 0.016])) - 0.8).abs() < 1e-9);
        assert!((agreement(&moments(&[0.010, 3.2, 0.013, 0.011])) - 0.6).abs() < 1e-9);
        assert!(!Likeness(agreement(&moments(&[0.5, 3.2, 1.7, 6.1]))).is_same_sound());
        assert!(!Likeness(agreement(&moments(&[0.5, 0.5]))).is_same_sound());
    }
}

//! Samples between samples, better than what is to be measured: 64 taps, good to -100 dB up to 19 kHz of 48.

use std::f64::consts::PI;

use crate::numbers::{f32_from_f64, f64_from_usize, usize_round};

/// A windowed sinc for each of many fractions of a frame.
pub(crate) struct Sinc {
    /// One row more than there are fractions, so that every row has a next.
    rows: Vec<[f32; Self::TAPS]>,
}

impl Sinc {
    /// Frames that one sample is made from.
    pub(crate) const TAPS: usize = 64;
    const FRACTIONS: usize = 2_048;
    /// Kaiser's window: side lobes at -105 dB.
    const BETA: f64 = 10.5;

    pub(crate) fn new() -> Self {
        let row = |index: usize| {
            let fraction = f64_from_usize(index) / f64_from_usize(Self::FRACTIONS);
            let half = f64_from_usize(Self::TAPS / 2);
            let tap = |tap: usize| {
                let distance = f64_from_usize(tap) - (half - 1.0) - fraction;
                let sinc = if distance.abs() < 1e-12 { 1.0 } else { (PI * distance).sin() / (PI * distance) };
                let edge = (1.0 - (distance / half).powi(2)).max(0.0).sqrt();
                f32_from_f64(sinc * bessel(Self::BETA * edge) / bessel(Self::BETA))
            };
            std::array::from_fn(tap)
        };
        Self { rows: (0..=Self::FRACTIONS + 1).map(row).collect() }
    }

    /// `count` samples of `source`, at `first`, `first + step` and so on.
    pub(crate) fn resample(&self, source: &[f32], first: f64, step: f64, count: usize) -> Vec<f32> {
        (0..count).map(|index| self.at(source, first + f64_from_usize(index) * step)).collect()
    }

    fn at(&self, source: &[f32], position: f64) -> f32 {
        let frame = usize_round(position.floor());
        let place = (position - position.floor()) * f64_from_usize(Self::FRACTIONS);
        let row = usize_round(place.floor());
        let between = f32_from_f64(place - place.floor());
        let start = (frame + 1).saturating_sub(Self::TAPS / 2);
        let Some(under) = source.get(start..start + Self::TAPS) else { return 0.0 };
        let (this, next) = (&self.rows[row], &self.rows[row + 1]);
        // Eight sums side by side: the compiler may not reorder one sum of floats.
        let mut sums = [0.0_f32; 8];
        for ((samples, this), next) in
            under.chunks_exact(8).zip(this.chunks_exact(8)).zip(next.chunks_exact(8))
        {
            for (index, sum) in sums.iter_mut().enumerate() {
                *sum += samples[index] * (this[index] + between * (next[index] - this[index]));
            }
        }
        sums.iter().sum()
    }
}

/// The modified Bessel function of order zero, by its series.
fn bessel(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let mut term = 1.0;
    let mut sum = 1.0;
    for index in 1..64 {
        term *= quarter / f64::from(index * index);
        sum += term;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tones_are_read_between_samples_within_100_db() {
        let sinc = Sinc::new();
        for hertz in [50.0, 1_000.0, 10_000.0, 18_000.0] {
            let tone = |frame: f64| (2.0 * PI * hertz * frame / 48_000.0).sin();
            let source: Vec<f32> =
                (0..3_000).map(|frame| f32_from_f64(tone(f64_from_usize(frame)))).collect();
            let (first, step) = (100.3, 1.0001);
            let error: f64 = sinc
                .resample(&source, first, step, 2_000)
                .iter()
                .enumerate()
                .map(|(index, sample)| {
                    (f64::from(*sample) - tone(first + f64_from_usize(index) * step)).powi(2)
                })
                .sum();
            let decibels = 10.0 * (error / 1_000.0).log10();
            assert!(decibels < -100.0, "{hertz} Hz: {decibels:.1} dB");
        }
    }
}

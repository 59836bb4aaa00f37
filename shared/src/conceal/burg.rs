//! Burg's method: reflection coefficients from the audio itself.
//!
//! A lattice predicts forwards and backwards at once; each stage takes the one coefficient that leaves the least error
//! in both directions. Every coefficient lies in `-1.0..=1.0` by construction, so what is predicted never grows without
//! bound. Errors are `f32`, eight side by side, so that the compiler uses vector instructions; sums leave `f32` after
//! eight values a lane, because the first coefficient of a low tone differs from one by less than `f32` can sum up.

use super::model::ORDER;
use super::{FUTURE_FRAMES, HISTORY_FRAMES};
use crate::time::convert::f32_from_f64;

/// Values multiplied side by side.
const LANES: usize = 8;
/// Values whose products are summed in `f32`.
const SUMMED: usize = 64;
/// The largest coefficient. A pole at the unit circle would ring for ever.
const LARGEST: f64 = 0.999_99;
/// Once so little is left of the power, what is left is rounding.
const ROUNDING: f64 = 1e-13;
/// The power after a stage follows from the one before, unless so little is left of it that the difference is rounding.
const CANCELLED: f64 = 0.01;
/// A mean square below -100 dB of full scale counts as silence.
const SILENT: f64 = 1e-10;

/// What was found.
pub(super) struct Lattice {
    /// One a stage; zero from the order on that was asked for.
    pub(super) reflections: [f64; ORDER],
    /// The part of the power that was not predicted.
    pub(super) residual: f64,
}

/// One stretch of audio on its way through the lattice.
struct Stretch<const N: usize> {
    forwards: [f32; N],
    backwards: [f32; N],
    frames: usize,
}

/// The lattice of so many stages for two stretches of one signal, the second of which may be empty. None for silence.
pub(super) fn analyse(history: &[f32], future: &[f32], order: usize) -> Option<Lattice> {
    debug_assert!(order <= ORDER, "a lattice of {order} stages");
    let mut history = Stretch::<HISTORY_FRAMES>::new(history);
    let mut future = Stretch::<FUTURE_FRAMES>::new(future);
    let power = history.power() + future.power();
    if power <= SILENT * f64::from(history.count() + future.count()) || !power.is_finite() {
        return None;
    }
    let (mut reflections, mut residual) = ([0.0; ORDER], 1.0);
    let mut powers = history.powers(0) + future.powers(0);
    for (stage, reflection) in reflections.iter_mut().enumerate().take(order) {
        if powers <= ROUNDING * power {
            break;
        }
        let product = history.product(stage) + future.product(stage);
        let by = f32_from_f64((-2.0 * product / powers).clamp(-LARGEST, LARGEST));
        *reflection = f64::from(by);
        residual *= 1.0 - *reflection * *reflection;
        let dropped = history.reflect(stage, by) + future.reflect(stage, by);
        let before = powers;
        powers = before * (1.0 + *reflection * *reflection) + 4.0 * *reflection * product - dropped;
        if powers < CANCELLED * before {
            powers = history.powers(stage + 1) + future.powers(stage + 1);
        }
    }
    Some(Lattice { reflections, residual })
}

impl<const N: usize> Stretch<N> {
    /// The last `N` frames of `frames`.
    fn new(frames: &[f32]) -> Self {
        let frames = &frames[frames.len().saturating_sub(N)..];
        let mut forwards = [0.0; N];
        forwards[..frames.len()].copy_from_slice(frames);
        Self { forwards, backwards: forwards, frames: frames.len() }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.frames).unwrap_or(u32::MAX)
    }

    fn power(&self) -> f64 {
        sum_of_squares(&self.forwards[..self.frames])
    }

    /// The errors of both directions after so many stages, where both are known. A backward error lies one place further
    /// down after each stage, so both run along their arrays alike.
    fn pairs(&self, stages: usize) -> (&[f32], &[f32]) {
        let pairs = self.frames.saturating_sub(stages + 1);
        (&self.forwards[self.frames - pairs..self.frames], &self.backwards[..pairs])
    }

    /// The sum of the products of both errors.
    fn product(&self, stages: usize) -> f64 {
        let (forwards, backwards) = self.pairs(stages);
        sum_of_products(forwards, backwards)
    }

    /// The sum of the squares of both errors.
    fn powers(&self, stages: usize) -> f64 {
        let (forwards, backwards) = self.pairs(stages);
        sum_of_squares(forwards) + sum_of_squares(backwards)
    }

    /// One stage further; returns the power of the two errors that have no partner in the next.
    fn reflect(&mut self, stages: usize, by: f32) -> f64 {
        let pairs = self.frames.saturating_sub(stages + 1);
        let forwards = &mut self.forwards[self.frames - pairs..self.frames];
        let backwards = &mut self.backwards[..pairs];
        for (forward, backward) in forwards.iter_mut().zip(&mut *backwards) {
            let (f, b) = (*forward, *backward);
            *forward = f + by * b;
            *backward = b + by * f;
        }
        let edges = [forwards.first(), backwards.last()];
        edges.into_iter().flatten().map(|edge| f64::from(*edge).powi(2)).sum()
    }
}

fn sum_of_squares(values: &[f32]) -> f64 {
    sum_of_products(values, values)
}

fn sum_of_products(a: &[f32], b: &[f32]) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(SUMMED).zip(b.chunks(SUMMED)) {
        let mut sums = [0.0_f32; LANES];
        let ((a_lanes, a_rest), (b_lanes, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        for (a, b) in a_lanes.iter().zip(b_lanes) {
            for lane in 0..LANES {
                sums[lane] += a[lane] * b[lane];
            }
        }
        for (sum, (a, b)) in sums.iter_mut().zip(a_rest.iter().zip(b_rest)) {
            *sum += a * b;
        }
        total += sums.iter().map(|sum| f64::from(*sum)).sum::<f64>();
    }
    total
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;
    use crate::time::convert::f64_from_usize;

    #[test]
    fn two_stages_find_a_tone() {
        for hz in [40.0, 440.0, 5_000.0] {
            let radians = TAU * hz / 48_000.0;
            let tone: Vec<f32> = (0..HISTORY_FRAMES)
                .map(|n| f32_from_f64(0.5 * (radians * f64_from_usize(n)).sin()))
                .collect();
            let lattice = analyse(&tone, &[], 2).unwrap();
            // The polynomial of a tone is 1 - 2 cos(w) z + z^2: its lattice is -cos(w), 1.
            assert!((lattice.reflections[0] + radians.cos()).abs() < 5e-3, "{hz}: {:?}", lattice.reflections);
            assert!(lattice.reflections[1] > 0.97, "{hz}: {:?}", lattice.reflections);
            assert!(lattice.residual < 1e-2);
        }
    }

    #[test]
    fn a_known_process_is_found_in_two_stretches_of_it() {
        // x[n] = 1.5 x[n-1] - 0.8 x[n-2] + noise: reflections -1.5 / 1.8 and 0.8.
        let mut state = 9_u32;
        let mut signal = vec![0.0_f32; 2];
        for n in 2..900 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = f32_from_f64(f64::from(state) / f64::from(u32::MAX) - 0.5);
            signal.push(1.5 * signal[n - 1] - 0.8 * signal[n - 2] + 0.01 * noise);
        }
        let lattice = analyse(&signal[..512], &signal[600..856], 4).unwrap();
        let expected = [-1.5 / 1.8, 0.8, 0.0, 0.0];
        for (found, expected) in lattice.reflections.iter().zip(expected) {
            assert!((found - expected).abs() < 0.08, "{:?}", &lattice.reflections[..4]);
        }
    }

    #[test]
    fn silence_has_no_model() {
        assert!(analyse(&[0.0; 512], &[], ORDER).is_none());
        assert!(analyse(&[1e-6; 512], &[0.0; 64], ORDER).is_none());
        assert!(analyse(&[], &[], ORDER).is_none());
        assert!(analyse(&[f32::NAN; 512], &[], ORDER).is_none());
    }

    proptest! {
        /// Against the method as it is written down, in `f64` and without lanes.
        #[test]
        fn lanes_change_nothing(
            history in prop::collection::vec(-1.0_f32..1.0, 128..=512),
            future in prop::collection::vec(-1.0_f32..1.0, 0..=256),
        ) {
            let found = analyse(&history, &future, ORDER).unwrap();
            let mut errors = [history, future].map(|stretch| {
                let stretch: Vec<f64> = stretch.into_iter().map(f64::from).collect();
                [stretch.clone(), stretch]
            });
            for (stage, reflection) in found.reflections.iter().enumerate() {
                let (mut product, mut powers) = (0.0, 0.0);
                for [f, b] in &errors {
                    for n in stage + 1..f.len() {
                        product += f[n] * b[n - 1];
                        powers += f[n] * f[n] + b[n - 1] * b[n - 1];
                    }
                }
                let exact = -2.0 * product / powers;
                prop_assert!((exact - reflection).abs() < 1e-4, "stage {stage}: {exact} {reflection}");
                for [f, b] in &mut errors {
                    for n in (stage + 1..f.len()).rev() {
                        (f[n], b[n]) = (f[n] + exact * b[n - 1], b[n - 1] + exact * f[n]);
                    }
                }
            }
        }
    }
}

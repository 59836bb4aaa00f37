//! How a frame follows from those before it.

use super::burg;
use crate::time::convert::{f32_from_f64, f64_from_usize};

/// Coefficients of a model: within 1 to 2 dB of 256, at a tenth of their cost.
pub const ORDER: usize = 32;

/// A model has at most one coefficient for so many frames that it is made of.
const FRAMES_A_COEFFICIENT: usize = 4;
/// What a lattice finds in noise by chance, in parts of its coefficients for each frame. One part is expected; twice as
/// many are distrusted, because the rest must not be worse than silence.
const DISTRUST: f64 = 2.0;
/// Nothing that is predicted is louder than the history's peak times this: a model of a sound that has just begun swells.
const LOUDEST: f32 = 1.0;

/// One channel's model, as it travels between threads: reflection coefficients keep their meaning when they are rounded
/// to `f32`, those of a polynomial do not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Model {
    reflections: [f32; ORDER],
    kept: f32,
    ceiling: f32,
}

/// A model in the form that predicts: a frame is the sum of those before it, each times its weight. The weight of the
/// oldest comes first.
pub(super) type Weights = [f64; ORDER];

impl Model {
    /// The model of silence.
    pub const SILENCE: Self = Self { reflections: [0.0; ORDER], kept: 0.0, ceiling: 0.0 };

    /// The model of a signal of which `history` came before a gap, up to 512 frames of it, and `future` after it, up to
    /// 256, or nothing.
    ///
    /// Not for the audio thread: 5 us for 512 frames.
    #[must_use]
    pub fn of(history: &[f32], future: &[f32]) -> Self {
        let frames = history.len() + future.len();
        let order = (history.len() / FRAMES_A_COEFFICIENT).min(ORDER);
        let Some(lattice) = burg::analyse(history, future, order) else { return Self::SILENCE };
        let predicted = 1.0 - lattice.residual;
        let by_chance = DISTRUST * f64_from_usize(order) / f64_from_usize(frames) * lattice.residual;
        let peak = history.iter().chain(future).fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        Self {
            reflections: lattice.reflections.map(f32_from_f64),
            kept: f32_from_f64(((predicted - by_chance) / predicted.max(1e-9)).clamp(0.0, 1.0)),
            ceiling: LOUDEST * peak,
        }
    }

    /// How much of what is predicted should be played, `0.0..=1.0`: near one for tones, zero for noise.
    #[must_use]
    pub const fn kept(&self) -> f32 {
        self.kept
    }

    /// The loudest sample that may be predicted.
    pub(super) const fn ceiling(&self) -> f32 {
        self.ceiling
    }

    /// The weights of the last 32 frames, the oldest first.
    pub(super) fn weights(&self) -> Weights {
        let mut weights = self.polynomial();
        weights.reverse();
        weights.map(|weight| -weight)
    }

    /// The coefficients of the prediction error: `x[n] + sum of a[i] x[n-1-i]` is what was not predicted.
    pub(super) fn polynomial(&self) -> [f64; ORDER] {
        let mut a = [0.0; ORDER];
        for (stage, reflection) in self.reflections.iter().enumerate() {
            let (reflection, before) = (f64::from(*reflection), a);
            for (a, mirrored) in a[..stage].iter_mut().zip(before[..stage].iter().rev()) {
                *a += reflection * mirrored;
            }
            a[stage] = reflection;
        }
        a
    }
}

#[cfg(test)]
mod tests {
    use core::f64::consts::TAU;

    use super::*;

    fn noise(count: usize) -> Vec<f32> {
        let mut state = 1_u32;
        (0..count)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                f32_from_f64(f64::from(state) / f64::from(u32::MAX) - 0.5)
            })
            .collect()
    }

    #[test]
    fn tones_are_believed_and_noise_is_not() {
        let tone: Vec<f32> =
            (0..512).map(|n| f32_from_f64((TAU * 330.0 / 48_000.0 * f64_from_usize(n)).sin())).collect();
        assert!(Model::of(&tone, &[]).kept() > 0.999);
        let noise = noise(4_096);
        let kept: f32 = noise.chunks(512).map(|history| Model::of(history, &[]).kept()).sum::<f32>() / 8.0;
        assert!(kept < 0.2, "{kept}");
        assert_eq!(Model::of(&[0.0; 512], &[]), Model::SILENCE);
    }

    #[test]
    fn a_short_history_makes_a_small_model() {
        let noise = noise(64);
        let a = Model::of(&noise, &[]).polynomial();
        assert!(a[15] != 0.0 && a[16..].iter().all(|a| *a == 0.0));
        assert_eq!(Model::of(&[], &[]), Model::SILENCE);
    }

    #[test]
    fn the_polynomial_is_the_lattice() {
        let mut model = Model::SILENCE;
        model.reflections[..2].copy_from_slice(&[-0.5, 0.25]);
        // (1 - 0.5 z) then a[0] = -0.5 + 0.25 * -0.5, a[1] = 0.25.
        assert_eq!(model.polynomial()[..3], [-0.625, 0.25, 0.0]);
        assert_eq!(model.weights()[29..], [0.0, -0.25, 0.625]);
    }
}

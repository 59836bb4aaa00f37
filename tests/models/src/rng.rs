//! Seeded chance: xoshiro256++ filled by SplitMix64 (Blackman and Vigna, public domain), and the distributions that the
//! models draw from. The same seed gives the same numbers on every platform.

use lockstep_shared::time::Span;
use lockstep_shared::time::convert::f64_from_u64;

use crate::arithmetic::{exp, ln};

/// A stream of random numbers.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u64; 4],
}

impl Rng {
    /// The stream of `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut mix = seed;
        let state = core::array::from_fn(|_| {
            mix = mix.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let z = (mix ^ (mix >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            z ^ (z >> 31)
        });
        Self { state }
    }

    /// A stream of its own for one part of the world, so that parts do not disturb each other's accidents.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self::new(self.next_u64())
    }

    /// 64 random bits.
    pub const fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let c2 = c ^ a;
        let d2 = d ^ b;
        self.state = [a ^ d2, b ^ c2, c2 ^ (b << 17), d2.rotate_left(45)];
        result
    }

    /// Uniform in `0.0..1.0`.
    pub fn unit(&mut self) -> f64 {
        const STEP: f64 = f64::EPSILON / 2.0;
        f64_from_u64(self.next_u64() >> 11) * STEP
    }

    /// Uniform in `low..high`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with this probability.
    pub fn chance(&mut self, probability: f64) -> bool {
        probability > 0.0 && self.unit() < probability
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        if mean <= 0.0 { 0.0 } else { -mean * ln(1.0 - self.unit()) }
    }

    /// Pareto with this shape, at least `low`, with what exceeds `high` cut to it.
    pub fn pareto(&mut self, shape: f64, low: f64, high: f64) -> f64 {
        (low * exp(-ln(1.0 - self.unit()) / shape)).min(high)
    }

    /// Normal with mean zero and deviation one, as the sum of twelve uniforms: exact arithmetic, no tail beyond six.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }

    /// An exponential span with this mean.
    pub fn exponential_span(&mut self, mean: Span) -> Span {
        Span::from_secs_f64(self.exponential(mean.secs_f64()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: u32 = 200_000;

    fn mean(mut draw: impl FnMut() -> f64) -> f64 {
        (0..DRAWS).map(|_| draw()).sum::<f64>() / f64::from(DRAWS)
    }

    #[test]
    fn a_seed_always_gives_the_same_stream() {
        let mut rng = Rng::new(42);
        let first: Vec<u64> = (0..3).map(|_| rng.next_u64()).collect();
        assert_eq!(first, [0xD076_4D4F_4476_689F, 0x519E_4174_576F_3791, 0xFBE0_7CFB_0C24_ED8C]);
        assert_ne!(Rng::new(43).next_u64(), first[0]);
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::new(1);
        assert!((mean(|| rng.unit()) - 0.5).abs() < 0.005);
        assert!((mean(|| rng.exponential(3.0)) - 3.0).abs() < 0.05);
        assert!(mean(|| rng.normal()).abs() < 0.01);
        assert!((mean(|| rng.normal().powi(2)) - 1.0).abs() < 0.02);
        // The mean of a Pareto is low * shape / (shape - 1).
        assert!((mean(|| rng.pareto(3.0, 2.0, f64::INFINITY)) - 3.0).abs() < 0.05);
        assert!((0..1_000).all(|_| (2.0..=6.0).contains(&rng.pareto(1.6, 2.0, 6.0))));
    }
}

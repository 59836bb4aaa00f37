//! Where a short sound lies in a longer one, by FFT.

use std::sync::Arc;

use realfft::num_complex::Complex;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::numbers::f64_from_usize;

/// Looks for sounds of one length in references that are longer by a fixed number of offsets.
pub(crate) struct Correlator {
    count: usize,
    offsets: usize,
    size: usize,
    forward: Arc<dyn RealToComplex<f64>>,
    inverse: Arc<dyn ComplexToReal<f64>>,
}

/// The best place, and how alike the two are there: 1 for equal but for a gain.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Match {
    pub(crate) offset: usize,
    pub(crate) likeness: f64,
}

impl Correlator {
    /// For sounds of `count` samples at offsets from 0 to `offsets`.
    pub(crate) fn new(count: usize, offsets: usize) -> Self {
        let size = (count + offsets).next_power_of_two();
        let mut planner = RealFftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(size), planner.plan_fft_inverse(size));
        Self { count, offsets, size, forward, inverse }
    }

    /// The offset into `reference` at which it is most like `sound`: the highest correlation, each offset by its
    /// own energy, so that a louder place does not win over a more similar one, and less its `cost`. Nothing if
    /// either is silent.
    pub(crate) fn best(
        &self,
        sound: &[f32],
        reference: &[f32],
        cost: impl Fn(usize) -> f64,
    ) -> Option<Match> {
        let sound_energy: f64 = sound.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        let mut spectrum = self.spectrum(reference);
        for (reference, sound) in spectrum.iter_mut().zip(self.spectrum(sound)) {
            *reference *= sound.conj();
        }
        let mut products = self.inverse.make_output_vec();
        // The ends of the spectrum of a real signal are real; rounding may have left a trace.
        for end in [0, spectrum.len() - 1] {
            spectrum[end].im = 0.0;
        }
        self.inverse.process(&mut spectrum, &mut products).ok()?;
        let energies = self.energies(reference);
        let floor = energies.iter().copied().fold(0.0, f64::max) * 1e-4;
        let worth = |found: &Match| found.likeness - cost(found.offset);
        let best = (0..=self.offsets)
            .filter(|offset| energies[*offset] > floor)
            .map(|offset| {
                let product = products[offset] / f64_from_usize(self.size);
                Match { offset, likeness: product / (sound_energy * energies[offset]).sqrt() }
            })
            .max_by(|one, other| worth(one).total_cmp(&worth(other)))?;
        (sound_energy > 0.0).then_some(best)
    }

    fn spectrum(&self, samples: &[f32]) -> Vec<Complex<f64>> {
        let mut padded: Vec<f64> = samples.iter().map(|sample| f64::from(*sample)).collect();
        padded.resize(self.size, 0.0);
        let mut spectrum = self.forward.make_output_vec();
        if self.forward.process(&mut padded, &mut spectrum).is_err() {
            spectrum.fill(Complex::default());
        }
        spectrum
    }

    /// The energy of the reference under the sound, for each offset.
    fn energies(&self, reference: &[f32]) -> Vec<f64> {
        let square = |index: usize| reference.get(index).map_or(0.0, |sample| f64::from(*sample).powi(2));
        let mut energy: f64 = (0..self.count).map(square).sum();
        let mut energies = Vec::with_capacity(self.offsets + 1);
        for offset in 0..=self.offsets {
            energies.push(energy.max(0.0));
            energy += square(offset + self.count) - square(offset);
        }
        energies
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numbers::f32_from_f64;

    #[test]
    fn a_sound_is_found_where_it_lies_and_not_where_it_is_loud() {
        let wave = |index: usize| f32_from_f64((f64_from_usize(index * index) * 0.001).sin());
        let mut reference: Vec<f32> = (0..3_000).map(wave).collect();
        for sample in &mut reference[2_000..] {
            *sample *= 20.0;
        }
        let sound: Vec<f32> = reference[700..1_700].iter().map(|sample| sample * 0.3).collect();
        let found = Correlator::new(1_000, 2_000).best(&sound, &reference, |_| 0.0).unwrap();
        assert_eq!(found.offset, 700);
        assert!((found.likeness - 1.0).abs() < 1e-6);
        assert!(Correlator::new(1_000, 2_000).best(&[0.0; 1_000], &reference, |_| 0.0).is_none());
    }
}

//! How loud a channel is: for people, so it falls slowly, and for atomics, so it fits into one.

use crate::time::SampleRate;
use crate::time::convert::{f32_from_f64, f64_from_usize};

/// How fast a peak falls: 20 dB in 1.7 s, as a programme meter's needle does.
const FALL_DB_PER_SECOND: f64 = 20.0 / 1.7;
/// The memory of the root mean square.
const RMS_SECONDS: f64 = 0.3;
/// Below this (-120 dBFS) a level is silence: exact zero, no denormals.
const SILENT_BELOW: f32 = 1e-6;
/// The highest level shown, +60 dBFS; an overflowing source must not pin its meter for ever.
const HIGHEST: f32 = 1_000.0;
/// Frames looked at side by side.
const LANES: usize = 8;

/// A level at one moment, linear, 1.0 at full scale.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Level {
    /// The highest sample, falling by 20 dB in 1.7 s.
    pub peak: f32,
    /// The root mean square over about 0.3 s.
    pub rms: f32,
}

/// Measures one channel, block by block.
#[derive(Clone, Debug)]
pub struct Meter {
    rate: f64,
    peak: f32,
    power: f64,
}

impl Level {
    /// Both values in one word, so that one atomic carries them to the editor and neither is newer.
    #[must_use]
    pub fn to_bits(self) -> u64 {
        u64::from(self.peak.to_bits()) << 32 | u64::from(self.rms.to_bits())
    }

    /// What [`Level::to_bits`] packed.
    #[must_use]
    pub fn from_bits(bits: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = bits.to_be_bytes();
        Self { peak: f32::from_be_bytes([a, b, c, d]), rms: f32::from_be_bytes([e, f, g, h]) }
    }
}

impl Meter {
    /// A silent meter for blocks at `rate`.
    #[must_use]
    pub fn new(rate: SampleRate) -> Self {
        Self { rate: rate.hz_f64(), peak: 0.0, power: 0.0 }
    }

    /// Takes one more block into account and returns the level at its end. Samples that are not numbers are
    /// not counted.
    ///
    /// Real-time: yes. Bound: two operations a frame, two exponentials a block.
    pub fn observe(&mut self, block: &[f32]) -> Level {
        if !block.is_empty() {
            let seconds = f64_from_usize(block.len()) / self.rate;
            let fallen = 10.0_f64.powf(-FALL_DB_PER_SECOND * seconds / 20.0);
            let (highest, power) = measure(block);
            self.peak = f32_from_f64(f64::from(self.peak) * fallen).max(highest).min(HIGHEST);
            if power.is_finite() {
                let mean = power / f64_from_usize(block.len());
                self.power = mean + (self.power - mean) * (-seconds / RMS_SECONDS).exp();
            }
            if self.peak < SILENT_BELOW {
                self.peak = 0.0;
            }
            if self.power < f64::from(SILENT_BELOW).powi(2) {
                self.power = 0.0;
            }
        }
        self.level()
    }

    /// The level after the last block.
    #[must_use]
    pub fn level(&self) -> Level {
        Level { peak: self.peak, rms: f32_from_f64(self.power.sqrt()) }
    }
}

/// The highest magnitude and the sum of squares.
fn measure(block: &[f32]) -> (f32, f64) {
    let (mut highest, mut power) = ([0.0_f32; LANES], [0.0_f32; LANES]);
    let lanes = block.chunks_exact(LANES);
    let rest = lanes.remainder();
    for frames in lanes {
        for lane in 0..LANES {
            highest[lane] = highest[lane].max(frames[lane].abs());
            power[lane] += frames[lane] * frames[lane];
        }
    }
    for (lane, frame) in rest.iter().enumerate() {
        highest[lane] = highest[lane].max(frame.abs());
        power[lane] += frame * frame;
    }
    (highest.into_iter().fold(0.0, f32::max), power.into_iter().map(f64::from).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_tone_reads_its_peak_and_its_power() {
        let mut meter = Meter::new(SampleRate::GRID);
        let block: Vec<f32> =
            (0..4_801).map(|n| f32_from_f64(0.5 * (f64_from_usize(n) * 0.13).sin())).collect();
        for _ in 0..20 {
            meter.observe(&block);
        }
        let level = meter.level();
        assert!((level.peak - 0.5).abs() < 1e-3 && (level.rms - 0.353_55).abs() < 2e-3, "{level:?}");
        assert_eq!(Level::from_bits(level.to_bits()), level);
    }

    #[test]
    fn silence_lets_it_fall_20_db_in_1_7_s_and_then_to_exact_zero() {
        let mut meter = Meter::new(SampleRate::GRID);
        meter.observe(&[1.0, -1.0]);
        for _ in 0..1_275 {
            meter.observe(&[0.0; 64]);
        }
        assert!((meter.level().peak - 0.1).abs() < 1e-3, "{:?}", meter.level());
        for _ in 0..100_000 {
            meter.observe(&[0.0; 64]);
        }
        assert_eq!(meter.level(), Level { peak: 0.0, rms: 0.0 });
    }

    #[test]
    fn a_source_that_is_not_a_number_does_not_stay_in_the_meter() {
        let mut meter = Meter::new(SampleRate::GRID);
        meter.observe(&[f32::NAN, f32::INFINITY, 0.5]);
        assert_eq!(meter.level().peak, HIGHEST);
        for _ in 0..50_000 {
            meter.observe(&[0.0; 64]);
        }
        assert_eq!(meter.level(), Level::default());
    }
}

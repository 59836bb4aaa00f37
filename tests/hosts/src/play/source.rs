//! What the simulated interface captures: a WAV file, or silence.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use hound::{SampleFormat, WavReader};
use lockstep_shared::time::convert::{f32_from_f64, f64_from_u64};

/// What follows the file's last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum AfterEnd {
    /// Its first.
    Loop,
    /// Silence.
    Silence,
}

/// A stereo piece and where it is played.
#[derive(Debug)]
pub(crate) struct Source {
    channels: [Vec<f32>; 2],
    position: usize,
    after_end: AfterEnd,
}

impl Source {
    /// Nothing to hear.
    pub(crate) const fn silent() -> Self {
        Self { channels: [Vec::new(), Vec::new()], position: 0, after_end: AfterEnd::Silence }
    }

    /// Reads a mono or stereo file of the host's own rate.
    pub(crate) fn read(path: &Path, sample_rate: u32, after_end: AfterEnd) -> Result<Self> {
        let mut reader = WavReader::open(path).with_context(|| format!("cannot read {}", path.display()))?;
        let spec = reader.spec();
        ensure!(
            spec.sample_rate == sample_rate,
            "{} has {} Hz, the host {sample_rate}: convert the file or set --rate",
            path.display(),
            spec.sample_rate
        );
        ensure!(
            (1..=2).contains(&spec.channels),
            "{} has {} channels, not 1 or 2",
            path.display(),
            spec.channels
        );
        let samples: Vec<f32> = match spec.sample_format {
            SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>()?,
            SampleFormat::Int => {
                let full_scale = f64_from_u64(1 << (spec.bits_per_sample - 1));
                reader
                    .samples::<i32>()
                    .map(|sample| sample.map(|sample| f32_from_f64(f64::from(sample) / full_scale)))
                    .collect::<Result<_, _>>()?
            }
        };
        let stride = usize::from(spec.channels);
        let channel =
            |first: usize| samples.iter().skip(first).step_by(stride).copied().collect::<Vec<f32>>();
        Ok(Self { channels: [channel(0), channel(stride - 1)], position: 0, after_end })
    }

    /// Fills one block and moves on.
    ///
    /// Real-time: yes. Bound: proportional to the block's frames.
    pub(crate) fn fill(&mut self, block: [&mut [f32]; 2]) {
        let frames = block[0].len();
        for (target, source) in block.into_iter().zip(&self.channels) {
            for (index, sample) in target.iter_mut().enumerate() {
                *sample = self.after_end.sample(source, self.position + index);
            }
        }
        self.skip(frames);
    }

    /// Moves on without filling.
    pub(crate) const fn skip(&mut self, frames: usize) {
        self.position += frames;
    }
}

impl AfterEnd {
    fn sample(self, source: &[f32], position: usize) -> f32 {
        match self {
            Self::Loop if !source.is_empty() => source[position % source.len()],
            Self::Loop | Self::Silence => source.get(position).copied().unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(after_end: AfterEnd) -> Vec<f32> {
        let mut source =
            Source { channels: [vec![1.0, 2.0, 3.0], vec![1.0, 2.0, 3.0]], position: 0, after_end };
        let mut heard = Vec::new();
        for _ in 0..3 {
            let (mut left, mut right) = ([0.0; 2], [0.0; 2]);
            source.fill([&mut left, &mut right]);
            assert_eq!(left, right);
            heard.extend(left);
        }
        heard
    }

    #[test]
    fn a_loop_starts_over_and_silence_stays() {
        assert_eq!(filled(AfterEnd::Loop), [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]);
        assert_eq!(filled(AfterEnd::Silence), [1.0, 2.0, 3.0, 0.0, 0.0, 0.0]);
    }
}

//! Two channels of samples, and their files.

use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use crate::install::shown;
use crate::numbers::f64_from_usize;

/// Left and right, of one length.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Stereo {
    pub(crate) channels: [Vec<f32>; 2],
}

/// How loud something is, linear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    pub(crate) peak: f64,
    pub(crate) rms: f64,
}

impl Stereo {
    /// The sound in a WAV file of one or two channels.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let reader = WavReader::open(path).with_context(|| format!("cannot read {}", shown(path)))?;
        let spec = reader.spec();
        let samples: Vec<f32> = match (spec.sample_format, spec.bits_per_sample) {
            (SampleFormat::Float, 32) => reader.into_samples::<f32>().collect::<Result<_, _>>(),
            (SampleFormat::Int, 16) => {
                reader.into_samples::<i16>().map(|sample| Ok(f32::from(sample?) / 32_768.0)).collect()
            }
            (format, bits) => bail!("{}: {bits} bits {format:?} are not read here", shown(path)),
        }
        .with_context(|| format!("{} is not whole", shown(path)))?;
        let stride = usize::from(spec.channels);
        let channel = |first: usize| samples.iter().skip(first).step_by(stride).copied().collect();
        match stride {
            1 | 2 => Ok(Self { channels: [channel(0), channel(stride - 1)] }),
            _ => bail!("{} has {stride} channels", shown(path)),
        }
    }

    /// Writes a WAV file of 32-bit floats.
    pub(crate) fn write(&self, path: &Path, sample_rate: u32) -> Result<()> {
        let spec =
            WavSpec { channels: 2, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
        let mut writer =
            WavWriter::create(path, spec).with_context(|| format!("cannot write {}", shown(path)))?;
        for (left, right) in self.channels[0].iter().zip(&self.channels[1]) {
            writer.write_sample(*left)?;
            writer.write_sample(*right)?;
        }
        writer.finalize().with_context(|| format!("cannot write {}", shown(path)))
    }

    /// Frames in it.
    pub(crate) const fn frames(&self) -> usize {
        self.channels[0].len()
    }

    /// A copy of the frames in `range`.
    pub(crate) fn part(&self, range: Range<usize>) -> Self {
        Self { channels: [self.channels[0][range.clone()].to_vec(), self.channels[1][range].to_vec()] }
    }

    /// How loud it is; zero for nothing.
    pub(crate) fn levels(&self) -> Levels {
        let samples = || self.channels.iter().flatten().map(|sample| f64::from(*sample));
        let energy: f64 = samples().map(|sample| sample * sample).sum();
        Levels {
            peak: samples().map(f64::abs).fold(0.0, f64::max),
            rms: (energy / f64_from_usize((2 * self.frames()).max(1))).sqrt(),
        }
    }
}

//! Stereo WAV files, as `lockstep-host play` reads and writes them.

use std::path::Path;

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use lockstep_hosts::block::Stereo;

/// Writes 48 kHz, 32-bit float.
pub(crate) fn write_wav(path: &Path, stereo: &Stereo) {
    let spec =
        WavSpec { channels: 2, sample_rate: 48_000, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let mut file = WavWriter::create(path, spec).unwrap();
    for (left, right) in stereo.left.iter().zip(&stereo.right) {
        file.write_sample(*left).unwrap();
        file.write_sample(*right).unwrap();
    }
    file.finalize().unwrap();
}

/// Reads what a player wrote.
pub(crate) fn read_wav(path: &Path) -> Stereo {
    let samples: Vec<f32> = WavReader::open(path).unwrap().into_samples().map(Result::unwrap).collect();
    Stereo {
        left: samples.iter().step_by(2).copied().collect(),
        right: samples.iter().skip(1).step_by(2).copied().collect(),
    }
}

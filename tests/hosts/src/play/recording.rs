//! From the audio thread to WAV files: a ring for each output, drained by the main thread.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hound::{SampleFormat, WavSpec, WavWriter};
use lockstep_hosts::block::Stereo;
use rtrb::{Consumer, Producer, RingBuffer};

/// How long the main thread may be held up before frames are lost.
const RING_SECONDS: usize = 4;

/// The audio thread's end.
pub(crate) struct Tap {
    ring: Producer<f32>,
    lost_frames: u64,
}

/// The main thread's end.
pub(crate) struct Recorder {
    ring: Consumer<f32>,
    file: WavWriter<BufWriter<File>>,
    path: PathBuf,
}

/// A tap and the recorder that writes what passes it to `path`, as 32-bit float stereo.
pub(crate) fn recording(path: &Path, sample_rate: u32) -> Result<(Tap, Recorder)> {
    let spec = WavSpec { channels: 2, sample_rate, bits_per_sample: 32, sample_format: SampleFormat::Float };
    let file = WavWriter::create(path, spec).with_context(|| format!("cannot write {}", path.display()))?;
    let samples = usize::try_from(sample_rate)? * 2 * RING_SECONDS;
    let (producer, consumer) = RingBuffer::new(samples);
    Ok((Tap { ring: producer, lost_frames: 0 }, Recorder { ring: consumer, file, path: path.to_owned() }))
}

impl Tap {
    /// Passes on the first `frames` frames of `stereo`, or counts them as lost.
    ///
    /// Real-time: yes. Bound: proportional to the frames.
    pub(crate) fn record(&mut self, stereo: &Stereo, frames: usize) {
        self.record_samples(
            frames,
            stereo.left.iter().zip(&stereo.right).flat_map(|(left, right)| [*left, *right]),
        );
    }

    /// Passes on silence, for blocks that were never processed.
    ///
    /// Real-time: yes. Bound: proportional to the frames.
    pub(crate) fn record_silence(&mut self, frames: usize) {
        self.record_samples(frames, std::iter::repeat(0.0));
    }

    /// Frames that found the ring full.
    pub(crate) const fn lost_frames(&self) -> u64 {
        self.lost_frames
    }

    fn record_samples(&mut self, frames: usize, samples: impl Iterator<Item = f32>) {
        match self.ring.write_chunk_uninit(frames * 2) {
            Ok(chunk) => {
                chunk.fill_from_iter(samples);
            }
            Err(_full) => self.lost_frames += u64::try_from(frames).unwrap_or(u64::MAX),
        }
    }
}

impl Recorder {
    /// Writes what has come.
    pub(crate) fn drain(&mut self) -> Result<()> {
        let chunk = self.ring.read_chunk(self.ring.slots())?;
        for sample in chunk {
            self.file.write_sample(sample)?;
        }
        Ok(())
    }

    /// Writes the rest and closes the file; returns where it is.
    pub(crate) fn finish(mut self) -> Result<PathBuf> {
        self.drain()?;
        self.file.finalize()?;
        Ok(self.path)
    }
}

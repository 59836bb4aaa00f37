//! What is sent can be recognised in what is heard, to the frame or finer.
//!
//! A [`Source::Noise`] sample encodes who played it, in which channel, at which frame: once the constant offset of a
//! strip is known, every frame that is heard has one right value, and a wrong one says what it is instead. A
//! [`Source::Tone`] tells the delay in fractions of a frame, however the clocks drift.

use core::f64::consts::TAU;

use lockstep_shared::time::convert::{f32_from_f64, f64_from_i64, i64_from_usize, usize_from_i64};
use lockstep_shared::time::{DeviceFrame, Frames};

use crate::arithmetic::sin;

/// What a track plays.
#[derive(Clone, Copy, Debug)]
pub enum Source {
    /// Nothing.
    Silence,
    /// 16-bit noise that no other player, channel or frame repeats.
    Noise {
        /// Who plays.
        player: u64,
    },
    /// A sine of so many cycles a frame of the player's own device, at half scale.
    Tone {
        /// Cycles a frame.
        cycles: f64,
    },
    /// Music, over and over.
    Music(&'static Music),
}

/// Left and right, of one length, a sample for each frame of the player's own device.
#[derive(Clone, Debug, Default)]
pub struct Music {
    /// The channels.
    pub channels: [Vec<f32>; 2],
}

impl Source {
    /// The samples of both channels of a block.
    pub fn play(&self, first: DeviceFrame, frames: usize, [left, right]: &mut [Vec<f32>; 2]) {
        left.clear();
        right.clear();
        match self {
            Self::Silence => left.resize(frames, 0.0),
            Self::Noise { .. } | Self::Music(_) => {
                let channel =
                    |channel| (0..i64_from_usize(frames)).map(move |n| self.at(first + Frames(n), channel));
                left.extend(channel(0));
                right.extend(channel(1));
            }
            Self::Tone { cycles } => tone(first, *cycles, frames, left),
        }
        // The others are alike on both sides.
        if right.is_empty() {
            right.extend_from_slice(left);
        }
    }

    /// The sample at a frame of the player's device.
    #[must_use]
    pub fn at(&self, frame: DeviceFrame, channel: u64) -> f32 {
        match self {
            Self::Silence => 0.0,
            Self::Noise { player } => {
                let mut hash = frame.0.unsigned_abs() ^ (player << 48) ^ (channel << 63);
                for factor in [0xbf58_476d_1ce4_e5b9_u64, 0x94d0_49bb_1331_11eb] {
                    hash = (hash ^ (hash >> 30)).wrapping_mul(factor);
                }
                // Quarter scale, so that eight players sum without clipping.
                let [a, b, ..] = (hash ^ (hash >> 31)).to_le_bytes();
                f32::from(i16::from_le_bytes([a, b]) / 16) / 32_768.0
            }
            Self::Tone { cycles } => {
                let turns = f64_from_i64(frame.0) * cycles;
                f32_from_f64(0.5 * sin(TAU * (turns - turns.floor())))
            }
            Self::Music(music) => {
                let samples = if channel == 0 { &music.channels[0] } else { &music.channels[1] };
                let length = i64_from_usize(samples.len()).max(1);
                samples.get(usize_from_i64(frame.0.rem_euclid(length))).copied().unwrap_or(0.0)
            }
        }
    }
}

/// A tone's frames: turned from frame to frame, and set anew every so often so that nothing adds up.
fn tone(first: DeviceFrame, cycles: f64, frames: usize, out: &mut Vec<f32>) {
    const TURNED_FRAMES: usize = 512;
    let angle = |turns: f64| {
        let radians = TAU * (turns - turns.floor());
        (sin(radians), sin(radians + TAU / 4.0))
    };
    let (step_sin, step_cos) = angle(cycles);
    let (mut now_sin, mut now_cos) = (0.0, 0.0);
    for n in 0..frames {
        if n % TURNED_FRAMES == 0 {
            (now_sin, now_cos) = angle(f64_from_i64((first + Frames(i64_from_usize(n))).0) * cycles);
        }
        out.push(f32_from_f64(0.5 * now_sin));
        (now_sin, now_cos) =
            (now_sin * step_cos + now_cos * step_sin, now_cos * step_cos - now_sin * step_sin);
    }
}

/// Frames that must match in a row before a strip counts as recognised.
const RECOGNISE_FRAMES: usize = 256;
/// The largest offset that is looked for.
const OFFSET_MAX: i64 = 48_000;

/// Listens to noise, of one player or of several summed, and checks every frame of it.
#[derive(Debug)]
pub struct NoiseListener {
    sources: Vec<Source>,
    recent: Vec<(DeviceFrame, [f32; 2])>,
    offset: Option<i64>,
    /// Frames heard since the strip was recognised.
    pub frames_checked: u64,
    /// The first wrong frames, with what was heard and what should have been.
    pub wrong: Vec<(DeviceFrame, [f32; 2], [f32; 2])>,
    /// How many were wrong.
    pub wrong_count: u64,
}

impl NoiseListener {
    /// Listens for what `source` sends.
    #[must_use]
    pub fn new(source: Source) -> Self {
        Self::to_sum(vec![source])
    }

    /// Listens for the sum of `sources`, all at one offset.
    #[must_use]
    pub const fn to_sum(sources: Vec<Source>) -> Self {
        Self {
            sources,
            recent: Vec::new(),
            offset: None,
            frames_checked: 0,
            wrong: Vec::new(),
            wrong_count: 0,
        }
    }

    /// Takes one block.
    pub fn hear(&mut self, first: DeviceFrame, left: &[f32], right: &[f32]) {
        for (number, (left, right)) in (0..).zip(left.iter().zip(right)) {
            let frame = DeviceFrame(first.0 + number);
            match self.offset {
                Some(offset) => self.check(frame, [*left, *right], offset),
                None => self.recognise(frame, [*left, *right]),
            }
        }
    }

    /// How many frames later it is heard than it was sent, once recognised.
    #[must_use]
    pub const fn offset(&self) -> Option<i64> {
        self.offset
    }

    /// Listens anew, as after a break that is allowed.
    pub fn forget(&mut self) {
        *self = Self::to_sum(std::mem::take(&mut self.sources));
    }

    fn check(&mut self, frame: DeviceFrame, heard: [f32; 2], offset: i64) {
        let sent = self.sent(frame, offset);
        self.frames_checked += 1;
        if heard != sent {
            self.wrong_count += 1;
            if self.wrong.len() < 8 {
                self.wrong.push((frame, heard, sent));
            }
        }
    }

    fn recognise(&mut self, frame: DeviceFrame, heard: [f32; 2]) {
        self.recent.push((frame, heard));
        if self.recent.len() < RECOGNISE_FRAMES {
            return;
        }
        let is_silent = |(_, heard): &(DeviceFrame, [f32; 2])| *heard == [0.0; 2];
        if !self.recent.iter().all(is_silent) {
            let fits = |offset: &i64| self.recent.iter().all(|(at, heard)| *heard == self.sent(*at, *offset));
            self.offset = (0..OFFSET_MAX).find(fits);
        }
        self.recent.clear();
    }

    fn sent(&self, heard_at: DeviceFrame, offset: i64) -> [f32; 2] {
        let frame = DeviceFrame(heard_at.0 - offset);
        [0, 1].map(|channel| self.sources.iter().map(|source| source.at(frame, channel)).sum())
    }
}

/// How far a tone is from where it should be, in frames: positive when it is heard later. Unambiguous within half a
/// period. `expected` is the sender's frame that should be heard at the first sample, `step` how far it moves a
/// sample.
#[must_use]
pub fn tone_error_frames(heard: &[f32], cycles: f64, expected: f64, step: f64) -> f64 {
    let (mut real, mut imaginary) = (0.0, 0.0);
    let count = f64::from(u32::try_from(heard.len()).unwrap_or(u32::MAX));
    for (number, sample) in (0_u32..).zip(heard) {
        let turns = (expected + f64::from(number) * step) * cycles;
        let angle = TAU * (turns - turns.floor());
        // A Hann window keeps the doubled frequency out of the sum.
        let window = 0.5 - 0.5 * (TAU * (f64::from(number) + 0.5) / count).cos();
        real += window * f64::from(*sample) * angle.sin();
        imaginary += window * f64::from(*sample) * angle.cos();
    }
    -imaginary.atan2(real) / (TAU * cycles)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_tone_is_measured_to_a_thousandth_of_a_frame() {
        let cycles = 997.0 / 48_000.0;
        for late in [-20.0, -0.25, 0.0, 0.01, 3.5] {
            let heard: Vec<f32> = (0..1_024)
                .map(|n| f32_from_f64(0.5 * (TAU * cycles * (1_000.0 + f64::from(n) - late)).sin()))
                .collect();
            let error = tone_error_frames(&heard, cycles, 1_000.0, 1.0);
            assert!((error - late).abs() < 1e-3, "{late}: {error}");
        }
    }

    #[test]
    fn a_block_is_its_frames() {
        for source in [Source::Silence, Source::Noise { player: 2 }, Source::Tone { cycles: 0.013 }] {
            let (first, mut block) = (DeviceFrame(123_456), [vec![1.0], Vec::new()]);
            source.play(first, 1_500, &mut block);
            for (channel, samples) in (0..).zip(&block) {
                assert_eq!(samples.len(), 1_500);
                for (n, sample) in (0..).zip(samples) {
                    assert!((sample - source.at(first + Frames(n), channel)).abs() < 1e-6);
                }
            }
        }
    }

    #[test]
    fn a_single_wrong_frame_is_found() {
        let source = Source::Noise { player: 3 };
        let mut listener = NoiseListener::new(source);
        let mut frames = [Vec::new(), Vec::new()];
        for n in 0..2_000 {
            for (channel, frames) in (0..).zip(&mut frames) {
                frames.push(source.at(DeviceFrame(n - 77), channel));
            }
        }
        frames[0][1_500] += 1.0 / 32_768.0;
        listener.hear(DeviceFrame(0), &frames[0], &frames[1]);
        assert_eq!(listener.offset(), Some(77));
        assert_eq!(listener.wrong_count, 1);
        assert_eq!(listener.wrong[0].0, DeviceFrame(1_500));
    }
}

//! How long after it was sent something was heard: the measurement behind the jam's report.
//!
//! ```text
//! heard (receiver's frames)  --anchor, rate-->  wall clock  --minus lag-->  sender's frames  --sinc-->  reference
//! ```
//!
//! Each window of what was heard is laid over what was sent, moved onto the receiver's frames by the two known
//! clocks. A search by correlation finds the lag to the frame; least squares over the reference and its slope
//! then finds gain and remaining lag to a small part of a frame, without the bias that the top of a correlation
//! has where music gets louder or softer. What is left after that is noise: late glides, concealed chunks, codec.

use super::audio::Stereo;
use super::correlation::{Correlator, Match};
use super::interpolation::Sinc;
use crate::numbers::{f64_from_i64, f64_from_usize, i64_from_usize, i64_round, usize_round};

/// What an interface played or captured: frame `n` at `anchor_ns + n / rate_hz` of the machine's clock.
#[derive(Clone, Debug)]
pub(crate) struct Recording {
    pub(crate) sound: Stereo,
    pub(crate) anchor_ns: i64,
    /// True frames a second.
    pub(crate) rate_hz: f64,
    /// Frames that were played: the sound as often as it fits in.
    pub(crate) frames: usize,
}

impl Recording {
    /// The instant of a frame in seconds after `origin_ns`.
    fn seconds_of(&self, frame: f64, origin_ns: i64) -> f64 {
        f64_from_i64(self.anchor_ns - origin_ns) * 1e-9 + frame / self.rate_hz
    }

    /// The frame at an instant in seconds after `origin_ns`.
    fn frame_at(&self, seconds: f64, origin_ns: i64) -> f64 {
        (seconds - f64_from_i64(self.anchor_ns - origin_ns) * 1e-9) * self.rate_hz
    }

    fn sample(&self, channel: usize, frame: i64) -> f32 {
        let samples = &self.sound.channels[channel];
        let frame = usize::try_from(frame).ok().filter(|frame| *frame < self.frames);
        frame.and_then(|frame| samples.get(frame % samples.len().max(1))).copied().unwrap_or(0.0)
    }
}

/// Frames in a window: half a second at 48 kHz.
pub(crate) const WINDOW_FRAMES: usize = 24_000;
/// Longest lag that is looked for.
const LAG_SECONDS_MAX: f64 = 7.0;
/// How far from the last lag a window is looked for first.
const NEAR_FRAMES: usize = 512;
/// A window near the last lag is taken for matched when it is this much alike, and one anywhere when this much.
const NEAR_LIKENESS_MIN: f64 = 0.7;
const FAR_LIKENESS_MIN: f64 = 0.9;
/// The first lag is the median of what so many windows have it.
const FIRST_WINDOWS: usize = 3;
/// What a frame away from where it is looked for costs in likeness: a steady tone is as like itself one period
/// away, and only this tells which one is meant.
const STRAYING_COST: f64 = 2e-5;
/// What is softer than this (-66 dBFS) cannot be compared.
const AUDIBLE_RMS: f64 = 0.0005;
/// Below this (100 frames in 48,000 alike by chance) two sounds are not the same.
const SAME_SOUND_LIKENESS: f64 = 0.3;
/// Rounds of least squares: each leaves a small share of the error before it.
const REFINEMENTS: usize = 3;
/// Frames in a chunk, the unit in which audio is lost and concealed.
const CHUNK_FRAMES: usize = 64;
/// A chunk whose residual is above this share of its energy (-6 dB) was not what was sent. Silence has a residual
/// of all of it; a delay that glides leaves little.
const BROKEN_CHUNK_SHARE: f64 = 0.25;

/// One window of what was heard, found in what was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Window {
    /// The window's middle, in the receiver's frames.
    pub(crate) heard_frame: f64,
    /// The same sound, in the sender's frames.
    pub(crate) sent_frame: f64,
    /// From the sender's input to the receiver's output.
    pub(crate) lag_seconds: f64,
    /// Energy of what was heard, of the reference, and of both together.
    pub(crate) heard_energy: f64,
    pub(crate) sent_energy: f64,
    pub(crate) common_energy: f64,
    /// Chunks compared in this window, and those that were not what was sent.
    pub(crate) chunks: usize,
    pub(crate) chunks_broken: usize,
}

/// How alike the two are at their best lag, and that lag in seconds, by a look at up to ten seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Likeness {
    pub(crate) likeness: f64,
    pub(crate) lag_seconds: f64,
}

impl Likeness {
    /// Whether what was heard is what was sent.
    pub(crate) fn is_same_sound(&self) -> bool {
        self.likeness > SAME_SOUND_LIKENESS
    }
}

/// A way to look for one window around a lag.
struct Search {
    reach: usize,
    likeness_min: f64,
    straying_cost: f64,
    correlator: Correlator,
}

impl Search {
    fn new(reach: usize, likeness_min: f64) -> Self {
        // Far away, every place is as good as any other.
        let straying_cost = if reach > NEAR_FRAMES { 0.0 } else { STRAYING_COST };
        Self { reach, likeness_min, straying_cost, correlator: Correlator::new(WINDOW_FRAMES, 2 * reach) }
    }
}

/// Finds what was sent in what was heard.
pub(crate) struct Comparison<'a> {
    sent: &'a Recording,
    heard: &'a Recording,
    sinc: &'a Sinc,
}

impl<'a> Comparison<'a> {
    pub(crate) const fn new(sent: &'a Recording, heard: &'a Recording, sinc: &'a Sinc) -> Self {
        Self { sent, heard, sinc }
    }

    /// A rough look, good to a millisecond: every eighth frame, both channels together.
    pub(crate) fn likeness(&self) -> Likeness {
        const STRIDE: usize = 8;
        const SECONDS_MAX: f64 = 10.0;
        let none = Likeness { likeness: 0.0, lag_seconds: 0.0 };
        let Some(first) = self.first_audible_frame() else { return none };
        let rate = self.heard.rate_hz / f64_from_usize(STRIDE);
        let available = (self.heard.sound.frames() - first) / STRIDE;
        let count = available.min(usize_round(SECONDS_MAX * rate));
        let lags = usize_round(LAG_SECONDS_MAX * rate);
        let average = |recording: &Recording, frame: i64| -> f32 {
            let span = frame..frame + i64_from_usize(STRIDE);
            span.map(|frame| recording.sample(0, frame) + recording.sample(1, frame)).sum()
        };
        let heard: Vec<f32> =
            (0..count).map(|index| average(self.heard, i64_from_usize(first + index * STRIDE))).collect();
        // The reference starts early by the longest lag.
        let reference: Vec<f32> = (0..count + lags)
            .map(|index| {
                let heard_frame = f64_from_usize(first + index * STRIDE) - f64_from_usize(lags * STRIDE);
                average(self.sent, i64_round(self.sent_frame(heard_frame, 0.0)))
            })
            .collect();
        Correlator::new(count, lags).best(&heard, &reference, |_| 0.0).map_or(
            none,
            |Match { offset, likeness }| Likeness {
                likeness,
                lag_seconds: f64_from_usize(lags - offset) / rate,
            },
        )
    }

    /// Every window that can be matched, in order.
    pub(crate) fn windows(&self) -> Vec<Window> {
        let near = Search::new(NEAR_FRAMES, NEAR_LIKENESS_MIN);
        let far_frames = usize_round(LAG_SECONDS_MAX / 2.0 * self.heard.rate_hz);
        let far = Search::new(far_frames, FAR_LIKENESS_MIN);
        let audible: Vec<(usize, Stereo)> = (0..self.heard.sound.frames() / WINDOW_FRAMES)
            .map(|index| index * WINDOW_FRAMES)
            .map(|start| (start, self.heard.sound.part(start..start + WINDOW_FRAMES)))
            .filter(|(_, heard)| heard.levels().rms > AUDIBLE_RMS)
            .collect();
        let anywhere =
            |(start, heard): &(usize, Stereo)| self.search(&far, *start, heard, LAG_SECONDS_MAX / 2.0);
        let mut first: Vec<f64> = audible.iter().filter_map(anywhere).take(FIRST_WINDOWS).collect();
        first.sort_by(f64::total_cmp);
        let Some(mut lag) = first.get(first.len() / 2).copied() else { return Vec::new() };
        let mut found = Vec::new();
        for place @ (start, heard) in &audible {
            let whole = self.search(&near, *start, heard, lag).or_else(|| anywhere(place));
            if let Some(window) = whole.and_then(|whole| self.window(*start, heard, whole)) {
                lag = window.lag_seconds;
                found.push(window);
            }
        }
        found
    }

    /// The window from `start`, beginning with the lag to the nearest frame.
    fn window(&self, start: usize, heard: &Stereo, whole_frame_lag: f64) -> Option<Window> {
        let mut lag = whole_frame_lag;
        for _ in 0..REFINEMENTS {
            lag += self.remaining_lag(start, heard, lag)? / self.heard.rate_hz;
        }
        let was_playing = |frame: usize| {
            (0.0..f64_from_usize(self.sent.frames)).contains(&self.sent_frame(f64_from_usize(frame), lag))
        };
        if !was_playing(start) || !was_playing(start + WINDOW_FRAMES) {
            return None;
        }
        let reference = self.reference(start, WINDOW_FRAMES, lag);
        let middle = f64_from_usize(start) + f64_from_usize(WINDOW_FRAMES) / 2.0;
        let sent_energy = energy(&reference, &reference);
        let common_energy = energy(heard, &reference);
        let gain = common_energy / sent_energy;
        let (chunks, chunks_broken) = broken_chunks(heard, &reference, gain);
        Some(Window {
            heard_frame: middle,
            sent_frame: self.sent_frame(middle, lag),
            lag_seconds: lag,
            heard_energy: energy(heard, heard),
            sent_energy,
            common_energy,
            chunks,
            chunks_broken,
        })
    }

    /// The lag to the nearest frame within reach of `lag`, if anything there is alike.
    fn search(&self, search: &Search, start: usize, heard: &Stereo, lag: f64) -> Option<f64> {
        let mono = |sound: &Stereo| -> Vec<f32> {
            sound.channels[0].iter().zip(&sound.channels[1]).map(|(left, right)| left + right).collect()
        };
        let early = lag + f64_from_usize(search.reach) / self.heard.rate_hz;
        let reference: Vec<f32> = (0..WINDOW_FRAMES + 2 * search.reach)
            .map(|index| {
                let frame = i64_round(self.sent_frame(f64_from_usize(start + index), early));
                self.sent.sample(0, frame) + self.sent.sample(1, frame)
            })
            .collect();
        let straying = |offset: usize| f64_from_usize(offset.abs_diff(search.reach)) * search.straying_cost;
        let found = search.correlator.best(&mono(heard), &reference, straying)?;
        let offset = f64_from_usize(found.offset) / self.heard.rate_hz;
        (found.likeness > search.likeness_min).then_some(early - offset)
    }

    /// By how many frames the reference at `lag` is early, by least squares over it and its slope.
    fn remaining_lag(&self, start: usize, heard: &Stereo, lag: f64) -> Option<f64> {
        // One frame more on each side, for the slope.
        let wide = self.shifted_reference(f64_from_usize(start) - 1.0, WINDOW_FRAMES + 2, lag);
        let (mut rr, mut rs, mut ss, mut hr, mut hs) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (heard, wide) in heard.channels.iter().zip(&wide.channels) {
            for (sample, around) in heard.iter().zip(wide.windows(3)) {
                let (heard, value) = (f64::from(*sample), f64::from(around[1]));
                let slope = f64::from(around[2] - around[0]) / 2.0;
                rr += value * value;
                rs += value * slope;
                ss += slope * slope;
                hr += heard * value;
                hs += heard * slope;
            }
        }
        let determinant = rr * ss - rs * rs;
        let gain = (hr * ss - hs * rs) / determinant;
        let slope = (hs * rr - hr * rs) / determinant;
        // heard = gain * reference(n - lag) = gain * (reference - lag * slope).
        let lag = -slope / gain;
        (lag.is_finite() && lag.abs() < 64.0).then_some(lag)
    }

    fn reference(&self, start: usize, frames: usize, lag: f64) -> Stereo {
        self.shifted_reference(f64_from_usize(start), frames, lag)
    }

    /// What was sent, on the receiver's frames from `start`, `lag` seconds later.
    fn shifted_reference(&self, start: f64, frames: usize, lag: f64) -> Stereo {
        let first = self.sent_frame(start, lag);
        let step = self.sent.rate_hz / self.heard.rate_hz;
        let channel = |channel: usize| {
            let margin = i64_from_usize(Sinc::TAPS);
            let from = i64_round(first.floor()) - margin;
            let count = usize_round(f64_from_usize(frames) * step) + 3 * Sinc::TAPS;
            let source: Vec<f32> =
                (0..count).map(|index| self.sent.sample(channel, from + i64_from_usize(index))).collect();
            self.sinc.resample(&source, first - f64_from_i64(from), step, frames)
        };
        Stereo { channels: [channel(0), channel(1)] }
    }

    /// The sender's frame that is heard at the receiver's frame `heard`, if it takes `lag` seconds.
    fn sent_frame(&self, heard: f64, lag: f64) -> f64 {
        let origin = self.heard.anchor_ns;
        self.sent.frame_at(self.heard.seconds_of(heard, origin) - lag, origin)
    }

    fn first_audible_frame(&self) -> Option<usize> {
        let loud = |sample: &f32| sample.abs() > 0.001;
        self.heard.sound.channels.iter().filter_map(|channel| channel.iter().position(loud)).min()
    }

    /// A short piece of both, laid over each other: what was heard from `start`, and what was sent with `gain`.
    pub(crate) fn overlay(&self, start: usize, frames: usize, lag: f64, gain: f64) -> [Vec<f32>; 2] {
        let end = (start + frames).min(self.heard.sound.frames());
        let heard = self.heard.sound.channels[0][start..end].to_vec();
        let reference = self.reference(start, end - start, lag);
        let gain = crate::numbers::f32_from_f64(gain);
        [reference.channels[0].iter().map(|sample| sample * gain).collect(), heard]
    }
}

fn energy(one: &Stereo, other: &Stereo) -> f64 {
    let channel = |(one, other): (&Vec<f32>, &Vec<f32>)| -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    };
    one.channels.iter().zip(&other.channels).map(channel).sum()
}

/// Chunks in which something was to be heard, and those of them in which something else was.
fn broken_chunks(heard: &Stereo, reference: &Stereo, gain: f64) -> (usize, usize) {
    let mut audible = 0;
    let mut broken = 0;
    for start in (0..heard.frames() - CHUNK_FRAMES + 1).step_by(CHUNK_FRAMES) {
        let (mut residual, mut expected) = (0.0, 0.0);
        for (heard, reference) in heard.channels.iter().zip(&reference.channels) {
            let pairs =
                heard[start..start + CHUNK_FRAMES].iter().zip(&reference[start..start + CHUNK_FRAMES]);
            for (heard, reference) in pairs {
                let sent = f64::from(*reference) * gain;
                residual += (f64::from(*heard) - sent).powi(2);
                expected += sent * sent;
            }
        }
        if expected > AUDIBLE_RMS * AUDIBLE_RMS * f64_from_usize(2 * CHUNK_FRAMES) {
            audible += 1;
            broken += usize::from(residual > expected * BROKEN_CHUNK_SHARE);
        }
    }
    (audible, broken)
}

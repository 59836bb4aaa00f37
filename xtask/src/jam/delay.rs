//! How long after it was sent something was heard: the measurement behind the jam's report.
//!
//! ```text
//! heard (receiver's frames)  --anchor, rate-->  wall clock  --minus lag-->  sender's frames  --sinc-->  reference
//! ```
//!
//! Each window of what was heard is laid over what was sent, moved onto the receiver's frames by the two known
//! clocks. A search by correlation finds the lag to the frame; least squares over the reference and its slope
//! then finds gain and remaining lag to a small part of a frame, without the bias that the top of a correlation
//! has where music gets louder or softer. What is left after that is noise: concealed chunks, leaps, codec.
//!
//! A delay may glide (D9: by a thousandth at most), twelve frames in a quarter of a second: cymbals are unlike
//! themselves one frame away. So the search listens to the low half of the music alone, where twelve frames are
//! little, and least squares looks for the glide beside the lag, in the low half first and then in all of it.

use super::audio::Stereo;
use super::correlation::Correlator;
use super::interpolation::Sinc;
use super::least_squares::ThreeUnknowns;
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
    /// The frame of this recording that another heard at its frame `heard`, `lag` seconds after it was played.
    pub(super) fn frame_of(&self, other: &Self, heard: f64, lag: f64) -> f64 {
        let seconds = f64_from_i64(other.anchor_ns - self.anchor_ns) * 1e-9 + heard / other.rate_hz;
        (seconds - lag) * self.rate_hz
    }

    pub(super) fn sample(&self, channel: usize, frame: i64) -> f32 {
        let samples = &self.sound.channels[channel];
        let frame = usize::try_from(frame).ok().filter(|frame| *frame < self.frames);
        frame.and_then(|frame| samples.get(frame % samples.len().max(1))).copied().unwrap_or(0.0)
    }
}

/// Frames in a window: a quarter of a second at 48 kHz.
pub(crate) const WINDOW_FRAMES: usize = 12_000;
/// Longest lag that is looked for.
pub(super) const LAG_SECONDS_MAX: f64 = 7.0;
/// How far from the last lag a window is looked for first.
const NEAR_FRAMES: usize = 512;
/// A window near the last lag is taken for matched when it is this much alike, and one anywhere when this much.
const NEAR_LIKENESS_MIN: f64 = 0.7;
const FAR_LIKENESS_MIN: f64 = 0.85;
/// The first lag is the median of what so many windows have it.
const FIRST_WINDOWS: usize = 3;
/// Glides that a window is looked for with: none, and the plugin's fastest and half of it, up and down.
const GLIDES: [f64; 5] = [0.0, 0.000_5, -0.000_5, 0.001, -0.001];
/// A delay that glides faster than this (twice what the plugin does) was not found but made up.
const GLIDE_MAX: f64 = 0.002;
/// What a frame away from where it is looked for costs in likeness: a steady tone is as like itself one period
/// away, and only this tells which one is meant.
const STRAYING_COST: f64 = 2e-5;
/// What is softer than this (-66 dBFS) cannot be compared.
pub(super) const AUDIBLE_RMS: f64 = 0.0005;
/// Rounds of least squares, in the low half of the music and then in all of it: each leaves a small share of the
/// error before it.
const REFINEMENTS: [Band; 5] = [Band::Low, Band::Low, Band::Low, Band::Whole, Band::Whole];
/// Frames in a chunk, the unit in which audio is lost and concealed.
const CHUNK_FRAMES: usize = 64;
/// A chunk whose residual is above this share of its energy (-6 dB) was not what was sent. Silence has a residual
/// of all of it; a delay that glides leaves little.
const BROKEN_CHUNK_SHARE: f64 = 0.25;

/// One window of what was heard, found in what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Window {
    /// The window's middle, in the receiver's frames.
    pub(crate) heard_frame: f64,
    /// The same sound, in the sender's frames.
    pub(crate) sent_frame: f64,
    /// From the sender's input to the receiver's output.
    pub(crate) lag_seconds: f64,
    /// Seconds by which the lag grows in a second.
    pub(crate) glide: f64,
    /// Energy of what was heard, of the reference, and of both together.
    pub(crate) heard_energy: f64,
    pub(crate) sent_energy: f64,
    pub(crate) common_energy: f64,
    /// Chunks compared in this window, and those that were not what was sent.
    pub(crate) chunks: usize,
    pub(crate) chunks_broken: usize,
    /// Places at which what was heard left the music at once.
    pub(crate) clicks: usize,
}

/// A lag in the middle of a window, and how it glides.
#[derive(Clone, Copy, Debug)]
struct Lag {
    seconds: f64,
    glide: f64,
}

impl Lag {
    const fn steady(seconds: f64) -> Self {
        Self { seconds, glide: 0.0 }
    }
}

/// Where a search found a window.
#[derive(Clone, Copy, Debug)]
struct Found {
    lag: Lag,
    likeness: f64,
}

/// Which part of the music is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Band {
    /// Below about 2 kHz.
    Low,
    Whole,
}

impl Band {
    /// Frames in each of the two averages that leave the low band.
    const AVERAGE: usize = 8;

    fn of(self, samples: &[f32]) -> Vec<f32> {
        match self {
            Self::Whole => samples.to_vec(),
            Self::Low => average(&average(samples)),
        }
    }
}

/// Each sample with the seven before it. At the beginning, what is before it is silence.
fn average(samples: &[f32]) -> Vec<f32> {
    let mut sum = 0.0_f64;
    (0..samples.len())
        .map(|index| {
            let left = index.checked_sub(Band::AVERAGE).map_or(0.0, |before| f64::from(samples[before]));
            sum += f64::from(samples[index]) - left;
            crate::numbers::f32_from_f64(sum / f64_from_usize(Band::AVERAGE))
        })
        .collect()
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
        let anywhere = |(start, heard): &(usize, Stereo)| {
            self.search(&far, *start, heard, Lag::steady(LAG_SECONDS_MAX / 2.0))
        };
        let mut first: Vec<f64> =
            audible.iter().filter_map(anywhere).map(|found| found.lag.seconds).take(FIRST_WINDOWS).collect();
        first.sort_by(f64::total_cmp);
        let Some(mut last) = first.get(first.len() / 2).copied().map(Lag::steady) else { return Vec::new() };
        let mut found = Vec::new();
        for place @ (start, heard) in &audible {
            let gliding = GLIDES.map(|glide| Lag { seconds: last.seconds, glide });
            let nearby = gliding.iter().filter_map(|lag| self.search(&near, *start, heard, *lag));
            let best = nearby.max_by(|one, other| one.likeness.total_cmp(&other.likeness));
            let whole = best.or_else(|| anywhere(place)).map(|found| found.lag);
            if let Some(window) = whole.and_then(|whole| self.window(*start, heard, whole)) {
                last = Lag { seconds: window.lag_seconds, glide: window.glide };
                found.push(window);
            }
        }
        found
    }

    /// The window from `start`, beginning with the lag to the nearest frame.
    fn window(&self, start: usize, heard: &Stereo, whole_frame_lag: Lag) -> Option<Window> {
        let first = f64_from_usize(start);
        let mut lag = whole_frame_lag;
        for band in REFINEMENTS {
            lag = self.refined(first, heard, lag, band)?;
        }
        let was_playing = |frame: f64| {
            (0.0..f64_from_usize(self.sent.frames)).contains(&self.sent_frame(frame, lag.seconds))
        };
        if !was_playing(first) || !was_playing(first + f64_from_usize(WINDOW_FRAMES)) {
            return None;
        }
        let reference = self.reference(first, WINDOW_FRAMES, lag);
        let middle = first + f64_from_usize(WINDOW_FRAMES) / 2.0;
        let sent_energy = energy(&reference, &reference);
        let common_energy = energy(heard, &reference);
        let gain = common_energy / sent_energy;
        let (chunks, chunks_broken) = broken_chunks(heard, &reference, gain);
        let clicks = super::clicks::count(heard, &reference, gain);
        Some(Window {
            heard_frame: middle,
            sent_frame: self.sent_frame(middle, lag.seconds),
            lag_seconds: lag.seconds,
            glide: lag.glide,
            heard_energy: energy(heard, heard),
            sent_energy,
            common_energy,
            chunks,
            chunks_broken,
            clicks,
        })
    }

    /// The lag to the nearest frame within reach of `lag`, with its glide, if anything there is alike.
    fn search(&self, search: &Search, start: usize, heard: &Stereo, lag: Lag) -> Option<Found> {
        let mono: Vec<f32> =
            heard.channels[0].iter().zip(&heard.channels[1]).map(|(left, right)| left + right).collect();
        let early = lag.seconds + f64_from_usize(search.reach) / self.heard.rate_hz;
        let first = self.sent_frame(f64_from_usize(start), early - lag.glide * self.half_window_seconds());
        let step = self.step(lag);
        let reference: Vec<f32> = (0..WINDOW_FRAMES + 2 * search.reach)
            .map(|index| {
                let frame = i64_round(first + f64_from_usize(index) * step);
                self.sent.sample(0, frame) + self.sent.sample(1, frame)
            })
            .collect();
        let straying = |offset: usize| f64_from_usize(offset.abs_diff(search.reach)) * search.straying_cost;
        let found = search.correlator.best(&Band::Low.of(&mono), &Band::Low.of(&reference), straying)?;
        let seconds = early - f64_from_usize(found.offset) / self.heard.rate_hz;
        let lag = Lag { seconds, glide: lag.glide };
        (found.likeness > search.likeness_min).then_some(Found { lag, likeness: found.likeness })
    }

    /// A better lag and glide than `lag`, by least squares over the reference at `lag` and its slope:
    /// `heard = gain * (reference - (late + glide * n) * slope)`, with `n` frames from the middle.
    fn refined(&self, start: f64, heard: &Stereo, lag: Lag, band: Band) -> Option<Lag> {
        // One frame more on each side, for the slope.
        let wide = self.reference_around(start, lag);
        let mut fit = ThreeUnknowns::default();
        for (heard, wide) in heard.channels.iter().zip(&wide.channels) {
            let (heard, wide) = (band.of(heard), band.of(wide));
            let pairs = heard.iter().zip(wide.windows(3)).enumerate();
            // What is before the first frame is not known, and an average reaches back.
            for (index, (sample, around)) in pairs.skip(2 * Band::AVERAGE) {
                let slope = f64::from(around[2] - around[0]) / 2.0;
                // From -0.5 to 0.5, so that all three unknowns are of a size.
                let place = f64_from_usize(index) / f64_from_usize(WINDOW_FRAMES) - 0.5;
                fit.observe([f64::from(around[1]), slope, slope * place], f64::from(*sample));
            }
        }
        let [gain, slope, sloping] = fit.solve()?;
        let late_frames = -slope / gain;
        let refined = Lag {
            seconds: lag.seconds + late_frames / self.heard.rate_hz,
            glide: lag.glide - sloping / gain / f64_from_usize(WINDOW_FRAMES),
        };
        (late_frames.abs() < 64.0 && refined.glide.abs() < GLIDE_MAX).then_some(refined)
    }

    /// Frames of the sender in a frame of the receiver, under a lag that glides.
    fn step(&self, lag: Lag) -> f64 {
        self.sent.rate_hz / self.heard.rate_hz * (1.0 - lag.glide)
    }

    fn half_window_seconds(&self) -> f64 {
        f64_from_usize(WINDOW_FRAMES) / 2.0 / self.heard.rate_hz
    }

    /// What was sent, on the receiver's frames of the window from `start`, as late as `lag` says.
    fn reference(&self, start: f64, frames: usize, lag: Lag) -> Stereo {
        let first = self.sent_frame(start, lag.seconds - lag.glide * self.half_window_seconds());
        self.sent_from(first, self.step(lag), frames)
    }

    /// [`Self::reference`] with one frame more on each side.
    fn reference_around(&self, start: f64, lag: Lag) -> Stereo {
        let step = self.step(lag);
        let first = self.sent_frame(start, lag.seconds - lag.glide * self.half_window_seconds());
        self.sent_from(first - step, step, WINDOW_FRAMES + 2)
    }

    /// What was sent, at the sender's frame `first` and every `step` after it.
    fn sent_from(&self, first: f64, step: f64, frames: usize) -> Stereo {
        let channel = |channel: usize| {
            let from = i64_round(first.floor()) - i64_from_usize(Sinc::TAPS);
            let count = usize_round(f64_from_usize(frames) * step) + 3 * Sinc::TAPS;
            let source: Vec<f32> =
                (0..count).map(|index| self.sent.sample(channel, from + i64_from_usize(index))).collect();
            self.sinc.resample(&source, first - f64_from_i64(from), step, frames)
        };
        Stereo { channels: [channel(0), channel(1)] }
    }

    /// The sender's frame that is heard at the receiver's frame `heard`, if it takes `lag` seconds.
    fn sent_frame(&self, heard: f64, lag: f64) -> f64 {
        self.sent.frame_of(self.heard, heard, lag)
    }

    /// The first `frames` of a window, one laid over the other: what was sent with `gain`, and what was heard.
    pub(crate) fn overlay(&self, window: &Window, frames: usize, gain: f64) -> [Vec<f32>; 2] {
        let first = window.heard_frame - f64_from_usize(WINDOW_FRAMES) / 2.0;
        let start = usize_round(first);
        let end = (start + frames).min(self.heard.sound.frames());
        let heard = self.heard.sound.channels[0][start..end].to_vec();
        let lag = Lag { seconds: window.lag_seconds, glide: window.glide };
        let reference = self.reference(first, end - start, lag);
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

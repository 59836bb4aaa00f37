//! Figures of the device clock and of the alignment that rests on both clocks.

use lockstep_shared::clock::{Alignment, AlignmentMode, Callback, DeviceClock, RoomClock};
use lockstep_shared::time::{DeviceFrame, Frames, GRID_RATE, LocalTime, SampleRate, Span};

use super::trace::{Family, Trace, true_grid};
use super::{Length, at_most, percentile};
use crate::clock::{AudioClock, Crystal};
use crate::figures::Figure;
use crate::rng::Rng;

const SEEDS: core::ops::RangeInclusive<u64> = 1..=4;

/// The blocks that a host asks for.
#[derive(Clone, Copy, Debug)]
pub enum Blocks {
    /// Always as many frames.
    Fixed(i64),
    /// Another size every time.
    Changing,
}

impl Blocks {
    fn next(self, rng: &mut Rng) -> Frames {
        let Self::Fixed(frames) = self else {
            return Frames(lockstep_shared::time::convert::i64_floor(rng.between(16.0, 1_025.0)));
        };
        Frames(frames)
    }

    fn name(self) -> String {
        match self {
            Self::Fixed(frames) => frames.to_string(),
            Self::Changing => "changing".into(),
        }
    }
}

/// A host that calls when the device has delivered a block, late by 50 us in the mean, and stalled now and then.
#[derive(Debug)]
pub struct Callbacks {
    audio: AudioClock,
    blocks: Blocks,
    rng: Rng,
    next: DeviceFrame,
    lost: Frames,
    earliest: LocalTime,
}

/// A callback, at its true time.
#[derive(Clone, Copy, Debug)]
pub struct TrueCallback {
    /// The block's first frame.
    pub first: DeviceFrame,
    /// How many frames it has.
    pub frames: Frames,
    /// When the host called.
    pub truth: LocalTime,
}

impl Callbacks {
    const LATE_SECONDS: f64 = 50e-6;
    const STALLS_PER_SECOND: f64 = 0.05;

    /// A host on `audio` that asks for `blocks`.
    #[must_use]
    pub fn new(audio: AudioClock, blocks: Blocks, rng: Rng) -> Self {
        Self { audio, blocks, rng, next: DeviceFrame(0), lost: Frames::ZERO, earliest: LocalTime::ZERO }
    }

    /// The audio interface.
    pub const fn audio(&mut self) -> &mut AudioClock {
        &mut self.audio
    }

    /// The device loses `frames`: it runs on, and the host does not count them.
    pub fn lose(&mut self, frames: Frames) {
        self.lost = self.lost + frames;
    }
}

impl Iterator for Callbacks {
    type Item = TrueCallback;

    fn next(&mut self) -> Option<TrueCallback> {
        let first = self.next;
        let frames = self.blocks.next(&mut self.rng);
        self.next += frames;
        let delivered = self.audio.truth(self.next + self.lost);
        let mut late = self.rng.exponential(Self::LATE_SECONDS);
        let block_seconds = frames.f64() / f64::from(GRID_RATE);
        if self.rng.chance(Self::STALLS_PER_SECOND * block_seconds) {
            late += self.rng.between(0.010, 0.050);
        }
        // Blocks that waited behind a stall follow at once.
        let truth = (delivered + Span::from_secs_f64(late)).max(self.earliest);
        self.earliest = truth + Span::from_micros(20);
        Some(TrueCallback { first, frames, truth })
    }
}

pub(super) fn figures(length: Length) -> Vec<Figure> {
    let mut figures = Vec::new();
    let sizes = [16, 64, 256, 1_024, 4_096].map(Blocks::Fixed).into_iter().chain([Blocks::Changing]);
    for blocks in sizes {
        let worst = SEEDS.map(|seed| skew_error_ppm(blocks, seed)).fold(0.0, f64::max);
        let name = format!("clock.device.blocks_{}.skew_at_20_s", blocks.name());
        figures.push(at_most(name, "worst of seeds 1-4".into(), 1.0, worst, "ppm"));
    }
    let run_length = match length {
        Length::Quick => Span::from_millis(300_000),
        Length::Full => Span::from_millis(1_800_000),
    };
    for family in Family::STATIONARY {
        for seed in SEEDS {
            let [mut errors, mut placed] = alignment_errors(family, seed, run_length);
            let name = |what: &str| format!("clock.alignment.{}.{what}", family.name());
            let note = || format!("seed {seed}");
            let frames = percentile(&mut errors, 0.99);
            figures.push(at_most(name("error_p99"), note(), 0.25, frames, "frame"));
            let micros = percentile(&mut placed, 0.99);
            let goal = if family == Family::Wifi { 100.0 } else { 50.0 };
            figures.push(at_most(name("placement_p99"), note(), goal, micros, "us"));
        }
    }
    figures
}

fn audio(seed: u64, rng: &mut Rng) -> AudioClock {
    let ppm = if seed % 2 == 0 { 80.0 } else { -80.0 };
    let start = LocalTime::ZERO + Span::from_millis(100);
    AudioClock::new(SampleRate::GRID, Crystal::thermal(ppm), start, rng.fork())
}

fn skew_error_ppm(blocks: Blocks, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let mut callbacks = Callbacks::new(audio(seed, &mut rng), blocks, rng.fork());
    let mut clock = DeviceClock::new(SampleRate::GRID);
    let end = LocalTime::ZERO + Span::from_millis(20_100);
    for call in callbacks.by_ref().take_while(|call| call.truth < end) {
        clock.observe(&Callback { first: call.first, frames: call.frames, at: call.truth });
    }
    (clock.skew_ppm() - callbacks.audio().ppm(end)).abs()
}

/// After 20 s: how far the commitment is from the maps, in frames, and from the truth, in microseconds.
fn alignment_errors(family: Family, seed: u64, length: Span) -> [Vec<f64>; 2] {
    const SETTLED: Span = Span::from_millis(20_000);
    let mut trace = Trace::run(family, seed, length);
    let mut rng = Rng::new(seed + 100);
    let mut callbacks = Callbacks::new(audio(seed, &mut rng), Blocks::Fixed(128), rng.fork());
    let mut room = RoomClock::new(LocalTime::ZERO);
    let mut device = DeviceClock::new(SampleRate::GRID);
    let mut alignment = Alignment::new(SampleRate::GRID);
    let mut samples = core::mem::take(&mut trace.samples).into_iter().peekable();
    let mut errors = Vec::new();
    let mut placed = Vec::new();
    while let Some(call) = callbacks.next().filter(|call| call.truth - LocalTime::ZERO < length) {
        while let Some(sample) = samples.next_if(|sample| sample.truth <= call.truth) {
            room.observe(&sample.exchange);
        }
        let at = trace.host.local(call.truth);
        device.observe(&Callback { first: call.first, frames: call.frames, at });
        let (Some(room), Some(device)) = (room.map(at), device.map()) else { continue };
        let segment = alignment.advance(call.first, call.frames, &device, &room);
        if call.truth - LocalTime::ZERO > SETTLED && alignment.mode() == Some(AlignmentMode::Track) {
            errors.push(alignment.error_frames().abs());
            let truth = true_grid(callbacks.audio().truth(call.first));
            placed.push((segment.first.frames_since(truth) / f64::from(GRID_RATE) * 1e6).abs());
        }
    }
    [errors, placed]
}

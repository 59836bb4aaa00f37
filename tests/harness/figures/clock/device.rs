//! Figures of the device clock and of the alignment that rests on both clocks.

use lockstep_shared::clock::{Alignment, AlignmentMode, DeviceClock, RoomClock, Segment};
use lockstep_shared::time::{GRID_RATE, LocalTime, SampleRate, Span};

use super::trace::{Family, Sample, Trace, true_grid};
use super::{Length, at_most, percentile};
use crate::callbacks::{Blocks, Callbacks, Schedule};
use crate::clock::{AudioClock, Crystal, HostClock};
use crate::figures::Figure;
use crate::rng::Rng;

const SEEDS: core::ops::RangeInclusive<u64> = 1..=4;

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
    let ppm = if seed.is_multiple_of(2) { 80.0 } else { -80.0 };
    let start = LocalTime::ZERO + Span::from_millis(100);
    AudioClock::new(SampleRate::GRID, Crystal::thermal(ppm), start, rng.fork())
}

fn skew_error_ppm(blocks: Blocks, seed: u64) -> f64 {
    let mut rng = Rng::new(seed);
    let mut callbacks = Callbacks::new(audio(seed, &mut rng), blocks, Schedule::Late, rng.fork());
    let mut clock = DeviceClock::new(SampleRate::GRID);
    let end = LocalTime::ZERO + Span::from_millis(20_100);
    for call in callbacks.by_ref().take_while(|call| call.truth < end) {
        clock.observe(&call.callback(call.truth));
    }
    (clock.skew_ppm() - callbacks.audio().ppm(end)).abs()
}

/// After 20 s: how far the commitment is from the maps, in frames, and from the truth, in microseconds.
fn alignment_errors(family: Family, seed: u64, length: Span) -> [Vec<f64>; 2] {
    const SETTLED: Span = Span::from_millis(20_000);
    let trace = Trace::run(family, seed, length);
    let mut rng = Rng::new(seed + 100);
    let audio = audio(seed, &mut rng);
    let mut run = AlignmentRun::new(&trace, audio, Blocks::Fixed(128), Schedule::Late);
    let mut errors = Vec::new();
    let mut placed = Vec::new();
    while let Some((segment, truth)) = run.next_segment() {
        if truth - LocalTime::ZERO > SETTLED && run.alignment.mode() == Some(AlignmentMode::Track) {
            errors.push(run.alignment.error_frames().abs());
            let truth = true_grid(run.callbacks.audio().truth(segment.start));
            placed.push((segment.first.frames_since(truth) / f64::from(GRID_RATE) * 1e6).abs());
        }
    }
    [errors, placed]
}

/// A host with an audio device on the computer of a trace: both clocks, and the alignment that rests on them.
#[derive(Debug)]
pub struct AlignmentRun<'a> {
    samples: core::iter::Peekable<core::slice::Iter<'a, Sample>>,
    host: HostClock,
    callbacks: Callbacks,
    room: RoomClock,
    device: DeviceClock,
    alignment: Alignment,
}

impl<'a> AlignmentRun<'a> {
    /// Starts with the first callback.
    #[must_use]
    pub fn new(trace: &'a Trace, audio: AudioClock, blocks: Blocks, schedule: Schedule) -> Self {
        let rate = audio.rate();
        Self {
            samples: trace.samples.iter().peekable(),
            host: trace.host.clone(),
            callbacks: Callbacks::new(audio, blocks, schedule, Rng::new(77)),
            room: RoomClock::new(LocalTime::ZERO),
            device: DeviceClock::new(rate),
            alignment: Alignment::new(rate),
        }
    }

    /// The next block that has both maps, and the true time of its callback; `None` after the last exchange.
    pub fn next_segment(&mut self) -> Option<(Segment, LocalTime)> {
        loop {
            let call = self.callbacks.next()?;
            while let Some(sample) = self.samples.next_if(|sample| sample.truth <= call.truth) {
                self.room.observe(&sample.exchange);
            }
            self.samples.peek()?;
            let at = self.host.local(call.truth);
            self.device.observe(&call.callback(at));
            if let (Some(room), Some(device)) = (self.room.map(at), self.device.map()) {
                let segment = self.alignment.advance(call.first, call.frames, &device, &room);
                return Some((segment, call.truth));
            }
        }
    }
}

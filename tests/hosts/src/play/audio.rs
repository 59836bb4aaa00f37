//! The audio thread: wakes for each block by the simulated interface's clock and has the plugin process it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use lockstep_hosts::block::{Block, Input, Output, Stereo};
use lockstep_hosts::clap::Processor;
use lockstep_hosts::clock;
use lockstep_shared::time::{LocalTime, Span};

use super::beats::BeatsTap;
use super::daw::{Daw, clock_bytes};
use super::echo::Echo;
use super::recording::Tap;
use super::report::Durations;
use super::schedule::Schedule;
use super::source::Source;
use crate::shell::{allocations, priority};

/// Everything the audio thread owns beside the plugin's processor.
pub(crate) struct Session {
    pub(crate) source: Source,
    pub(crate) schedule: Schedule,
    pub(crate) input: Stereo,
    pub(crate) outputs: Vec<Output>,
    /// One for each of the first outputs.
    pub(crate) taps: Vec<Tap>,
    pub(crate) daw: Daw,
    pub(crate) beats: Option<BeatsTap>,
    /// Parameter values, handed over with the first block.
    pub(crate) settings: Vec<Input>,
    /// What the MIDI becomes that the plugin gives.
    pub(crate) echo: Echo,
    pub(crate) next_block: u64,
    pub(crate) blocks_total: u64,
    pub(crate) priority_wanted: PriorityWanted,
    pub(crate) priority: String,
    pub(crate) measured: Measured,
}

/// How the audio thread is to be scheduled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PriorityWanted {
    /// Like any thread.
    Normal,
    /// In real time, if permitted.
    RealTime,
}

/// What the audio thread measured.
pub(crate) struct Measured {
    pub(crate) process: Durations,
    pub(crate) lateness: Durations,
    pub(crate) blocks: u64,
    pub(crate) blocks_skipped: u64,
    pub(crate) process_errors: u64,
    pub(crate) first_block: allocations::Count,
    pub(crate) later_blocks: allocations::Count,
}

impl Measured {
    /// Room for `blocks` blocks.
    pub(crate) fn with_capacity(blocks: usize) -> Self {
        Self {
            process: Durations::with_capacity(blocks),
            lateness: Durations::with_capacity(blocks),
            blocks: 0,
            blocks_skipped: 0,
            process_errors: 0,
            first_block: allocations::Count::default(),
            later_blocks: allocations::Count::default(),
        }
    }
}

/// What the threads tell each other while the audio runs.
pub(crate) struct Live {
    /// To the audio thread: end, as a signal or the user asked.
    pub(crate) stop: Arc<AtomicBool>,
    /// To the audio thread: give the processor back, the plugin wants a restart.
    pub(crate) restart: AtomicBool,
    /// Blocks passed, processed or skipped.
    pub(crate) blocks: AtomicU64,
    /// Wake-ups late by more than half a block's time.
    pub(crate) wakes_late: AtomicU64,
    /// Blocks done after the next was due.
    pub(crate) deadlines_missed: AtomicU64,
    /// Largest input sample since the last look.
    pub(crate) input_peak: Peak,
    /// Largest sample of each recorded output since the last look.
    pub(crate) output_peaks: Vec<Peak>,
}

/// A peak level that one thread raises and another reads and resets.
#[derive(Default)]
pub(crate) struct Peak(AtomicU32);

impl Peak {
    /// Raises it to `level`. The bits of floats that are not negative sort like the floats.
    fn raise(&self, level: f32) {
        self.0.fetch_max(level.to_bits(), Ordering::Relaxed);
    }

    /// The peak since the last call.
    pub(crate) fn take(&self) -> f32 {
        f32::from_bits(self.0.swap(0, Ordering::Relaxed))
    }
}

/// Why the audio thread returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All blocks are done.
    Finished,
    /// It was told to stop.
    Interrupted,
    /// The plugin wants to be restarted.
    Restart,
}

/// Processes blocks until the end, and hands everything back.
pub(crate) fn run(
    mut processor: Processor,
    mut session: Session,
    live: &Live,
) -> (Processor, Session, Ending) {
    session.priority = match session.priority_wanted {
        PriorityWanted::Normal => "normal".to_owned(),
        PriorityWanted::RealTime => priority::claim_real_time(),
    };
    session.skip_what_has_passed(live);
    let ending = loop {
        if session.next_block >= session.blocks_total {
            break Ending::Finished;
        }
        if live.stop.load(Ordering::Relaxed) {
            break Ending::Interrupted;
        }
        if live.restart.swap(false, Ordering::AcqRel) {
            break Ending::Restart;
        }
        clock::sleep_until(session.schedule.due(session.next_block));
        session.process_block(&mut processor, live);
    };
    (processor, session, ending)
}

impl Session {
    fn process_block(&mut self, processor: &mut Processor, live: &Live) {
        let due = self.schedule.due(self.next_block);
        let frames = self.input.frames();
        let Stereo { left, right } = &mut self.input;
        self.source.fill([left, right]);
        let first = self.measured.blocks == 0;
        let mut block = Block::new([&self.input.left, &self.input.right], &mut self.outputs);
        block.inputs = if first { &self.settings } else { self.echo.inputs() };
        let frame = self.next_block * u64::try_from(frames).unwrap_or(0);
        let transport = self.daw.transport(frame);
        block.transport = Some(transport);

        let woken = clock::now();
        let (result, count) = allocations::counted(|| processor.process(&mut block));
        let done = clock::now();

        if result.is_err() {
            self.measured.process_errors += 1;
        }
        self.echo.hear(processor.sent());
        self.daw.hear(frame, processor.sent());
        if let Some(beats) = &mut self.beats {
            beats.transport(frame, &transport);
            for (at, [status, ..]) in clock_bytes(frame, processor.sent()) {
                beats.midi(at, status);
            }
        }
        self.note_memory(count);
        self.note_times(due, woken, done, live);
        for (index, (tap, output)) in self.taps.iter_mut().zip(&self.outputs).enumerate() {
            if let Some(stereo) = output.stereo() {
                tap.record(stereo, frames);
                if let Some(peak) = live.output_peaks.get(index) {
                    peak.raise(stereo.peak());
                }
            }
        }
        live.input_peak.raise(self.input.peak());
        self.measured.blocks += 1;
        self.advance(1, live);
    }

    /// After a restart, the blocks that were due meanwhile are gone: silence stands for them.
    fn skip_what_has_passed(&mut self, live: &Live) {
        if self.next_block == 0 {
            return;
        }
        let next = self.schedule.next_after(clock::now()).clamp(self.next_block, self.blocks_total);
        let frames = self.input.frames();
        for _ in self.next_block..next {
            self.source.skip(frames);
            for tap in &mut self.taps {
                tap.record_silence(frames);
            }
            self.measured.blocks_skipped += 1;
            self.advance(1, live);
        }
    }

    fn advance(&mut self, blocks: u64, live: &Live) {
        self.next_block += blocks;
        live.blocks.store(self.next_block, Ordering::Release);
    }

    const fn note_memory(&mut self, count: allocations::Count) {
        let total = if self.measured.blocks == 0 {
            &mut self.measured.first_block
        } else {
            &mut self.measured.later_blocks
        };
        total.allocations += count.allocations;
        total.frees += count.frees;
    }

    fn note_times(&mut self, due: LocalTime, woken: LocalTime, done: LocalTime, live: &Live) {
        let period = self.schedule.period();
        let lateness = woken - due;
        self.measured.process.keep(done - woken);
        self.measured.lateness.keep(lateness);
        if lateness.nanos() * 2 > period.nanos() {
            live.wakes_late.fetch_add(1, Ordering::Relaxed);
        }
        if done - due > period {
            live.deadlines_missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// How often the main thread looks after files and requests.
pub(crate) const HOUSEKEEPING: Span = Span::from_millis(20);

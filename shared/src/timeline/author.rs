//! The leader's hand: measures a DAW's transport and writes the timeline.
//!
//! A DAW says, once a block, where it is and how fast it goes, in its own device's time and only for the block's
//! first frame. The author keeps three things: the DAW's *course* (where it is going, as its last blocks show), the
//! *drift* of its device against the grid (learnt once, kept over stops and tempo changes), and the *script*, which
//! is the line as it was published. It publishes when the script departs from the course:
//!
//! | the DAW | the line |
//! |---|---|
//! | starts, seeks, jumps by more than half a tick | a new epoch at the block |
//! | stops | stands from the block |
//! | changes tempo inside a block | turns where old and new course meet, which is in the past of the block |
//! | ramps, as two strides have shown | a ramp segment of a second, renewed when it no longer fits |
//! | drifts away by [`ERROR_SECONDS_MAX`] | bends back within a second, and takes the pace measured since |
//! | loops | every wrap is a segment, written seconds before it happens |
//! | says what cannot be | the last thing that could be |
//!
//! Positions are believed before tempos: a tempo that two strides contradict is replaced by the measured pace.
//! Blocks are judged in strides of at least 10 ms, so that small blocks cost little and change little.

mod course;
mod drift;
mod reading;
mod script;

pub use reading::{Cycle, Reading};

use super::{AuthorId, Motion, Timeline};
use crate::time::{Beats, GRID_RATE, GridPosition, Tempo};
use course::{Course, SECOND};
use drift::Drift;
use reading::plausible;
use script::{HALF_TICK, Script};

/// The error between line and DAW that leads to a new revision, in seconds.
pub const ERROR_SECONDS_MAX: f64 = 50e-6;
/// The shortest time that is judged, in frames: 10 ms.
const STRIDE_FRAMES_MIN: f64 = SECOND / 100.0;
/// How well position and tempo agree in a DAW that keeps both: 30 us, and a device's error.
const AGREEMENT_SECONDS: f64 = 30e-6;
const AGREEMENT_RATIO: f64 = 200e-6;
/// How far back a line may be turned, in frames, and in strides.
const TURN_FRAMES: f64 = 0.06 * SECOND;
const TURN_STRIDES: f64 = 3.0;
/// How far ahead a ramp is compared, in frames: what does not fit is renewed before it is heard.
const RAMP_LOOK_FRAMES: f64 = 0.1 * SECOND;
/// Wraps within one block.
const WRAPS_PER_BLOCK_MAX: f64 = 256.0;
/// A grid that goes back by more than this, in frames, is another grid.
const RETURN_FRAMES: f64 = SECOND;
/// Quarter notes per frame of one quarter note a minute.
const PER_FRAME: f64 = 1.0 / (60.0 * GRID_RATE as f64);

/// Measures a leading DAW's transport and writes the room's timeline.
#[derive(Clone, Copy, Debug)]
pub struct Author {
    script: Script,
    drift: Drift,
    bpm: f64,
    last: Option<Last>,
    stride: Stride,
    /// The growth of the pace over the stride before, and how many strides contradicted the tempo.
    growth_seen: f64,
    doubts: u32,
}

/// The block before.
#[derive(Clone, Copy, Debug)]
struct Last {
    at: GridPosition,
    quarters: f64,
    motion: Motion,
}

/// Blocks that are judged together.
#[derive(Clone, Copy, Debug)]
struct Stride {
    at: GridPosition,
    bpm: f64,
    /// Quarter notes played since, loops unrolled.
    travelled: f64,
}

/// How the position moved over one block.
enum Step {
    /// By this many quarter notes, wraps unrolled.
    On {
        travelled: f64,
        wraps: f64,
    },
    Jump,
}

/// What a stride showed.
enum Verdict {
    /// Where the DAW goes.
    Course(Course),
    /// Position and tempo contradict each other: the next stride will tell.
    Doubtful,
}

impl Author {
    /// An author that writes on from `line`, which may be the room's present one.
    #[must_use]
    pub fn new(id: AuthorId, line: &Timeline) -> Self {
        let bpm = line.last().tempo.bpm();
        Self {
            script: Script::new(id, *line),
            drift: Drift::new(),
            bpm,
            last: None,
            stride: Stride { at: GridPosition::default(), bpm, travelled: 0.0 },
            growth_seen: 0.0,
            doubts: 0,
        }
    }

    /// What one block's transport changes: the next revision, when the published line no longer says what the DAW
    /// does.
    ///
    /// Real-time: yes. Bound: a few reads of the line; for a new revision 100 more, and copies of the line.
    pub fn observe(&mut self, reading: &Reading) -> Option<Timeline> {
        if let Some(last) = self.last {
            let frames = reading.start.frames_since(last.at);
            if frames < -RETURN_FRAMES {
                self.last = None;
            } else if frames < 1.0 {
                // A host that calls twice for one block says nothing new.
                return None;
            }
        }
        let bpm = Tempo::from_bpm(reading.bpm).map_or(self.bpm, |_| reading.bpm);
        self.count_bars(reading);
        let quarters = reading.quarters.filter(|quarters| plausible(*quarters));
        let was = self.last.map(|last| last.motion);
        match (was, reading.motion) {
            (None | Some(Motion::Stopped | Motion::Playing), Motion::Stopped) => {
                self.stand(reading, quarters, bpm)
            }
            (None | Some(Motion::Stopped), Motion::Playing) => Some(self.start(reading, quarters, bpm)),
            (Some(Motion::Playing), Motion::Playing) => self.go_on(reading, quarters, bpm),
        }
    }

    /// The line as it was last published.
    #[must_use]
    pub const fn line(&self) -> &Timeline {
        &self.script.line
    }

    /// How much faster the DAW's device runs than the grid, as measured so far: 0.0001 for 100 ppm.
    #[must_use]
    pub fn drift(&self) -> f64 {
        self.drift.slope()
    }

    fn stand(&mut self, reading: &Reading, quarters: Option<f64>, bpm: f64) -> Option<Timeline> {
        let at = reading.start;
        let place = self.script.line.place(at);
        let tempo = nearest_tempo(bpm);
        let beats = quarters.map_or(place.beats, Beats::from_quarters);
        let news = self.last.is_none_or(|last| last.motion == Motion::Playing)
            || (beats.micro() - place.beats.micro()).abs() > 1
            || tempo != place.tempo
            || !self.script.counts_bars_at(at);
        self.bpm = bpm;
        self.last = Some(Last { at, quarters: beats.quarters(), motion: Motion::Stopped });
        if !news {
            return None;
        }
        self.script.stand(at, beats, tempo);
        Some(self.script.publish(None, reading.cycle, at))
    }

    fn start(&mut self, reading: &Reading, quarters: Option<f64>, bpm: f64) -> Timeline {
        let at = reading.start;
        let quarters = quarters.unwrap_or_else(|| self.script.line.place(at).beats.quarters());
        self.drift.restart();
        self.jump(reading, quarters, bpm, at)
    }

    /// Opens an epoch at `at`, from where the DAW is at `quarters` when the block starts.
    fn jump(&mut self, reading: &Reading, quarters: f64, bpm: f64, at: GridPosition) -> Timeline {
        self.arrive(reading, quarters, bpm);
        self.begin_stride(reading, bpm);
        (self.growth_seen, self.doubts) = (0.0, 0);
        let course = self.course(reading.start, quarters, bpm);
        self.script.jump(&course, at);
        self.script.publish(Some(&course), reading.cycle, reading.start)
    }

    fn go_on(&mut self, reading: &Reading, quarters: Option<f64>, bpm: f64) -> Option<Timeline> {
        let last = self.last?;
        let step = self.step(&last, reading, quarters, bpm);
        let Step::On { travelled, wraps } = step else {
            self.drift.restart();
            return quarters.map(|quarters| self.jump(reading, quarters, bpm, reading.start));
        };
        let quarters = quarters.unwrap_or(last.quarters + travelled);
        self.arrive(reading, quarters, bpm);
        self.stride.travelled += travelled;
        let course = self.course(reading.start, quarters, bpm);
        if wraps > 0.0 && self.misses_half_a_tick(&course) {
            return Some(self.wrapped_unannounced(&last, reading, quarters, bpm));
        }
        if reading.start.frames_since(self.stride.at) < STRIDE_FRAMES_MIN {
            let due = self.script.wraps_are_due(reading.cycle, reading.start);
            return due.then(|| self.script.publish(Some(&course), reading.cycle, reading.start));
        }
        let stride = self.stride;
        self.begin_stride(reading, bpm);
        match self.judge(&stride, course, bpm) {
            Verdict::Course(course) => self.compare(&stride, &course, reading),
            Verdict::Doubtful => None,
        }
    }

    /// Publishes what the line does not say yet of `course`.
    fn compare(&mut self, stride: &Stride, course: &Course, reading: &Reading) -> Option<Timeline> {
        let at = course.at;
        // The line's own step, for the slowest tempos.
        let bound = ERROR_SECONDS_MAX.max(2e-6 / (course.pace * SECOND));
        let ramped = course.growth != 0.0;
        let block = reading.frames.clamp(0.0, SECOND);
        let ahead = if ramped { block.max(RAMP_LOOK_FRAMES) } else { block };
        let apart = self.script.worst_error_seconds(course, at, ahead) > bound;
        let renamed = !ramped && self.script.line.place(at).tempo != course.tempo;
        let recounted = !self.script.counts_bars_at(at);
        if apart || renamed || recounted {
            let back = TURN_FRAMES.max(TURN_STRIDES * at.frames_since(stride.at));
            self.script.follow(course, at.plus_f64(-back));
        } else if !self.script.wraps_are_due(reading.cycle, at) {
            return None;
        }
        Some(self.script.publish(Some(course), reading.cycle, at))
    }

    /// How the position moved since the block before: anything between both tempos is no jump, nor is a wrap of
    /// the loop.
    fn step(&self, last: &Last, reading: &Reading, quarters: Option<f64>, bpm: f64) -> Step {
        let frames = reading.start.frames_since(last.at);
        let [old, new] = [self.bpm, bpm].map(|bpm| self.pace(bpm) * frames);
        let expected = f64::midpoint(old, new);
        let Some(quarters) = quarters else { return Step::On { travelled: expected, wraps: 0.0 } };
        let allowed = (old - new).abs() / 2.0 + HALF_TICK;
        let travelled = quarters - last.quarters;
        if (travelled - expected).abs() <= allowed {
            return Step::On { travelled, wraps: 0.0 };
        }
        let Some(cycle) = reading.cycle else { return Step::Jump };
        let wraps = ((expected - travelled) / cycle.length()).round();
        let unrolled = travelled + wraps * cycle.length();
        let looped = (1.0..=WRAPS_PER_BLOCK_MAX).contains(&wraps) && quarters < cycle.end();
        if looped && (unrolled - expected).abs() <= allowed {
            return Step::On { travelled: unrolled, wraps };
        }
        Step::Jump
    }

    /// A wrap that the line did not foresee: the loop was drawn just before.
    fn wrapped_unannounced(&mut self, last: &Last, reading: &Reading, quarters: f64, bpm: f64) -> Timeline {
        let since = reading.cycle.map_or(0.0, |cycle| (quarters - cycle.start()).max(0.0));
        let at = reading.start.plus_f64(-since / self.pace(bpm));
        self.jump(reading, quarters, bpm, if at > last.at { at } else { reading.start })
    }

    /// What the blocks of `stride` say of the DAW, which is on `course` if its tempo is to be believed.
    fn judge(&mut self, stride: &Stride, course: Course, bpm: f64) -> Verdict {
        let frames = course.at.frames_since(stride.at);
        let [old, new] = [stride.bpm, bpm].map(|bpm| self.pace(bpm));
        let expected = f64::midpoint(old, new) * frames;
        let agreement = (AGREEMENT_SECONDS * SECOND + AGREEMENT_RATIO * frames) * new;
        let agrees = (stride.travelled - expected).abs() <= agreement;
        if (stride.bpm / bpm - 1.0).abs() > 1e-9 {
            let growth = (new - old) / frames;
            let goes_on = agrees && (0.5..=2.0).contains(&(growth / self.growth_seen));
            self.growth_seen = if agrees { growth } else { 0.0 };
            self.doubts = 0;
            self.drift.restart();
            return Verdict::Course(Course { growth: if goes_on { growth } else { 0.0 }, ..course });
        }
        self.growth_seen = 0.0;
        let nominal = bpm * PER_FRAME;
        if agrees {
            self.doubts = 0;
            self.drift.push(frames / SECOND, (stride.travelled / nominal - frames) / SECOND);
            let pace = self.pace(bpm);
            let quarters = course.quarters - self.drift.deviation() * SECOND * pace;
            return Verdict::Course(Course { quarters, pace, ..course });
        }
        self.doubts += 1;
        if self.doubts < 2 {
            self.drift.restart();
            return Verdict::Doubtful;
        }
        self.drift.restart_at(stride.travelled / (nominal * frames) - 1.0);
        Verdict::Course(Course { pace: self.pace(bpm), ..course })
    }

    fn count_bars(&mut self, reading: &Reading) {
        let signature = reading.signature.unwrap_or(self.script.signature);
        let origin = reading
            .bar_start
            .filter(|quarters| plausible(*quarters))
            .map_or(self.script.bar_origin, |quarters| signature.origin_of(Beats::from_quarters(quarters)));
        let bar = signature.bar_beats().micro();
        let apart = (origin.micro() - self.script.bar_origin.micro()).rem_euclid(bar);
        // A bar line that a DAW computes from frames is good to a hundredth of a tick.
        if signature != self.script.signature || apart.min(bar - apart) > 400 {
            self.script.signature = signature;
            self.script.bar_origin = origin;
        }
    }

    fn arrive(&mut self, reading: &Reading, quarters: f64, bpm: f64) {
        self.last = Some(Last { at: reading.start, quarters, motion: reading.motion });
        self.bpm = bpm;
    }

    const fn begin_stride(&mut self, reading: &Reading, bpm: f64) {
        self.stride = Stride { at: reading.start, bpm, travelled: 0.0 };
    }

    fn misses_half_a_tick(&self, course: &Course) -> bool {
        self.script.error_seconds(course, course.at).abs() * course.pace * SECOND > HALF_TICK
    }

    fn course(&self, at: GridPosition, quarters: f64, bpm: f64) -> Course {
        Course { at, quarters, pace: self.pace(bpm), growth: 0.0, tempo: nearest_tempo(bpm) }
    }

    /// Quarter notes per grid frame of a DAW that displays `bpm`, with what is known of its device.
    fn pace(&self, bpm: f64) -> f64 {
        bpm * PER_FRAME * (1.0 + self.drift.slope())
    }
}

fn nearest_tempo(bpm: f64) -> Tempo {
    Tempo::from_bpm(bpm).unwrap_or(Tempo::DEFAULT)
}

#[cfg(test)]
mod tests;

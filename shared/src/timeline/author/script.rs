//! The line as its author writes it.

use super::super::{AuthorId, Motion, Pace, Ramp, Segment, TimeSignature, Timeline};
use super::course::{Course, SECOND, bounded_pace};
use super::reading::Cycle;
use crate::time::convert::{f64_from_i64, i64_floor};
use crate::time::{Beats, GridPosition, Tempo};

/// Half a tick in quarter notes: a larger step of the position is a jump.
pub(super) const HALF_TICK: f64 = 1.0 / 48.0;
/// Lines this close meet.
const MEETING_SECONDS: f64 = 25e-6;
/// Samples of the stretch in which two lines may meet, and halvings of the one where they do.
const MEETING_SAMPLES: i32 = 24;
const MEETING_HALVINGS: usize = 30;
/// Over how long a small error is bent away, and how long a second of a large one takes (5 % of the pace).
const BEND_SECONDS: f64 = 1.0;
const BEND_SECONDS_MIN: f64 = 0.1;
const BEND_SECONDS_PER_SECOND: f64 = 20.0;
const SMALL_SECONDS: f64 = 200e-6;
/// Loop wraps are published this long before they happen at the latest (or, of short loops, when half of those
/// known are over), and those of this long at once.
const WRAP_LEAD_SECONDS: f64 = 2.0;
const WRAP_HORIZON_SECONDS: f64 = 8.0;
const WRAPS_MAX: usize = 16;
/// What ended longer ago is forgotten: longer than any sync delay.
const HISTORY_SECONDS: f64 = 10.0;

/// The published line, and what its author needs in order to write on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Script {
    pub(super) line: Timeline,
    pub(super) signature: TimeSignature,
    pub(super) bar_origin: Beats,
    author: AuthorId,
    /// The last epoch given out. None is given out twice, even for what was scheduled and never came.
    epoch: u32,
    /// Where the last bend is over.
    settled: GridPosition,
    /// When the loop wraps that are not in the line yet are to be written.
    wraps_due: Option<GridPosition>,
    cycle: Option<Cycle>,
}

impl Script {
    pub(super) fn new(author: AuthorId, line: Timeline) -> Self {
        let last = line.last();
        Self {
            line,
            signature: last.signature,
            bar_origin: last.bar_origin,
            author,
            epoch: line.segments().iter().map(|segment| segment.epoch).max().unwrap_or(0),
            settled: last.at,
            wraps_due: None,
            cycle: None,
        }
    }

    /// By how many seconds the DAW is ahead of the line at `at`.
    pub(super) fn error_seconds(&self, course: &Course, at: GridPosition) -> f64 {
        // In the middle of the micro-beat that the line says.
        let line = (f64_from_i64(self.line.place(at).beats.micro()) + 0.5) * 1e-6;
        (course.quarters_at(at) - line) / (course.pace * SECOND)
    }

    /// The largest error from `start` for `frames`, once the last bend is over; as far as no wrap lies between.
    pub(super) fn worst_error_seconds(&self, course: &Course, start: GridPosition, frames: f64) -> f64 {
        let epoch = self.line.place(start).epoch;
        let settled = self.settled.max(start);
        let from = if self.line.place(settled).epoch == epoch { settled } else { start };
        let end = from.plus_f64(frames);
        let to = if self.line.place(end).epoch == epoch { end } else { from };
        self.error_seconds(course, from).abs().max(self.error_seconds(course, to).abs())
    }

    /// Whether bars are counted at `at` as the DAW now does.
    pub(super) fn counts_bars_at(&self, at: GridPosition) -> bool {
        let place = self.line.place(at);
        (place.signature, place.bar_origin) == (self.signature, self.bar_origin)
    }

    /// Whether the loop of the DAW needs to be written before it wraps.
    pub(super) fn wraps_are_due(&self, cycle: Option<Cycle>, now: GridPosition) -> bool {
        cycle != self.cycle || self.wraps_due.is_some_and(|due| due <= now)
    }

    /// The line stands at `beats` from `at`.
    pub(super) fn stand(&mut self, at: GridPosition, beats: Beats, tempo: Tempo) {
        let far = (beats.quarters() - self.line.place(at).beats.quarters()).abs() > HALF_TICK;
        let moved =
            far || (self.line.place(at).motion == Motion::Stopped && beats != self.line.place(at).beats);
        let epoch = if moved { self.next_epoch() } else { self.line.active(at).epoch };
        let pace = Pace::from_tempo(tempo);
        self.write(Segment { beats, motion: Motion::Stopped, pace, tempo, epoch, ..Segment::stopped(at) });
        self.settled = at;
    }

    /// The line goes on along `course` from `at`, wherever it was before.
    pub(super) fn jump(&mut self, course: &Course, at: GridPosition) {
        let beats = Beats::from_quarters(course.quarters_at(at));
        let epoch = self.next_epoch();
        self.write(self.along(course, Segment { beats, epoch, ..Segment::stopped(at) }));
        self.settled = at;
    }

    /// The line joins `course` without a step: from where both meet, if that is at or after `from`, or along a
    /// bend from the course's own place on. What cannot be bent is a jump.
    pub(super) fn follow(&mut self, course: &Course, from: GridPosition) {
        let at = course.at;
        if let Some(meeting) = self.meeting(course, from) {
            let cut = self.line.active(meeting).cut_at(meeting);
            self.write(self.along(course, cut));
            self.settled = meeting;
            return;
        }
        let error = self.error_seconds(course, at);
        if error.abs() * course.pace * SECOND > HALF_TICK {
            self.jump(course, at);
            return;
        }
        // A ramp is not known well enough to be met a second later.
        let seconds = if error.abs() <= SMALL_SECONDS && course.growth == 0.0 {
            BEND_SECONDS
        } else {
            BEND_SECONDS_MIN.max(error.abs() * BEND_SECONDS_PER_SECOND)
        };
        let join = at.plus_f64(seconds * SECOND);
        let cut = self.line.active(at).cut_at(at);
        // Parallel to the course but for what is to be made good, so that a ramp keeps its curve.
        let frames = join.frames_since(cut.at);
        let behind = course.quarters_at(cut.at) - cut.beats.quarters();
        let correction = behind / frames;
        let corrected = |at| bounded_pace(course.quarters_per_frame_at(at) + correction);
        let ramp = || Ramp::new(corrected(join), u32::try_from(i64_floor(frames)).ok()?);
        let bend = Segment {
            pace: corrected(cut.at),
            ramp: if course.growth == 0.0 { None } else { ramp() },
            ..self.along(course, cut)
        };
        self.write(bend);
        self.write(self.along(course, bend.cut_at(join)));
        self.settled = join;
    }

    /// The next revision: the line with the wraps of `cycle` in it.
    pub(super) fn publish(
        &mut self,
        course: Option<&Course>,
        cycle: Option<Cycle>,
        now: GridPosition,
    ) -> Timeline {
        if cycle != self.cycle {
            self.forget_wraps(now);
        }
        self.cycle = cycle;
        self.wraps_due = None;
        if let (Some(cycle), Some(course)) = (cycle, course) {
            self.write_wraps(course, cycle, now);
        }
        self.line.prune(now.plus_f64(-HISTORY_SECONDS * SECOND));
        self.line = self.line.stamped(self.line.revision().saturating_add(1), self.author);
        self.line
    }

    fn write_wraps(&mut self, course: &Course, cycle: Cycle, now: GridPosition) {
        let horizon = now.plus_f64(WRAP_HORIZON_SECONDS * SECOND);
        let (start, end) = (Beats::from_quarters(cycle.start()), Beats::from_quarters(cycle.end()));
        let ahead = self.line.segments().iter().filter(|segment| segment.at > now).count();
        for wrap in ahead.. {
            let from = self.epoch_start(self.line.last()).max(now);
            if self.line.place(from).beats >= end {
                return;
            }
            let Some(at) = self.line.when(end, from) else { return };
            if wrap >= WRAPS_MAX || at > horizon {
                let frames = at.frames_since(now);
                self.wraps_due = Some(now.plus_f64((frames / 2.0).max(frames - WRAP_LEAD_SECONDS * SECOND)));
                return;
            }
            let epoch = self.next_epoch();
            let wrapped = self.along(course, Segment { beats: start, epoch, ..Segment::stopped(at) });
            self.write(wrapped);
        }
    }

    /// Drops scheduled wraps, but not the end of a bend.
    fn forget_wraps(&mut self, now: GridPosition) {
        let epoch = self.line.place(now).epoch;
        let wrap = self.line.segments().iter().find(|segment| segment.at > now && segment.epoch != epoch);
        if let Some(at) = wrap.map(|segment| segment.at) {
            self.line.truncate(at);
        }
    }

    fn write(&mut self, segment: Segment) {
        self.line.push(Segment { signature: self.signature, bar_origin: self.bar_origin, ..segment });
    }

    /// `segment`, running along `course`.
    fn along(&self, course: &Course, segment: Segment) -> Segment {
        Segment {
            motion: Motion::Playing,
            pace: course.pace_at(segment.at),
            tempo: course.tempo_at(segment.at),
            ramp: course.ramp_from(segment.at),
            ..segment
        }
    }

    fn next_epoch(&mut self) -> u32 {
        self.epoch = self.epoch.wrapping_add(1);
        self.epoch
    }

    fn epoch_start(&self, of: &Segment) -> GridPosition {
        self.line
            .segments()
            .iter()
            .find(|segment| segment.epoch == of.epoch)
            .map_or(of.at, |segment| segment.at)
    }

    /// The latest place from `from` to the course's own at which it and the line meet, within the line's epoch.
    fn meeting(&self, course: &Course, from: GridPosition) -> Option<GridPosition> {
        let error = |at| self.error_seconds(course, at);
        if error(course.at).abs() <= MEETING_SECONDS {
            return Some(course.at);
        }
        let from = from.max(self.epoch_start(self.line.active(course.at)));
        let step = course.at.frames_since(from) / f64::from(MEETING_SAMPLES);
        let (mut nearest, mut nearest_error) = (course.at, error(course.at).abs());
        let (mut late, mut late_error) = (course.at, error(course.at));
        for sample in 1..=MEETING_SAMPLES {
            let early = course.at.plus_f64(-step * f64::from(sample));
            let early_error = error(early);
            if (early_error < 0.0) != (late_error < 0.0) {
                return Some(halve(early, late, |at| (error(at) < 0.0) == (early_error < 0.0)));
            }
            if early_error.abs() < nearest_error {
                (nearest, nearest_error) = (early, early_error.abs());
            }
            (late, late_error) = (early, early_error);
        }
        // A ramp that ended touches its straight continuation: closest where the error stops shrinking.
        let shrinks = |at: GridPosition| error(at).abs() > error(at.plus_f64(1.0)).abs();
        let touch = halve(nearest.plus_f64(-step), nearest.plus_f64(step).min(course.at), shrinks).max(from);
        (error(touch).abs() <= MEETING_SECONDS).then_some(touch)
    }
}

/// The place between `early` and `late` up to which `holds`.
fn halve(early: GridPosition, late: GridPosition, holds: impl Fn(GridPosition) -> bool) -> GridPosition {
    let (mut early, mut late) = (early, late);
    for _ in 0..MEETING_HALVINGS {
        let middle = early.plus_f64(late.frames_since(early) / 2.0);
        if holds(middle) {
            early = middle;
        } else {
            late = middle;
        }
    }
    late
}

//! The MIDI clock of one endpoint, derived from the room's timeline.
//!
//! Ticks never cross the network: whoever holds the timeline computes them, by this one function. Tick *k* is due
//! where the line reaches beat *k* / 24. [`Ticker::poll`] is called with windows of the grid that follow each other and
//! says what is due in each, once and in order:
//!
//! ```text
//! line      stopped           | plays from beat 8                        | stops
//! emitted   F8   F8   F8   F2 F8  FB F8   F8   F8   F8   F8   F8   F8   FC   F8   F8
//!           ticks lead up to the start ^ ^ tick 192, the downbeat        ticks go on
//! ```
//!
//! - *Stopped*: ticks run at the line's tempo, so that followers lock before play; their spacing is bent a little so that
//!   they lead up to the downbeat when that is known.
//! - *Begin*: Start where the first tick is beat 0, else Song Position (while stopped) and Continue. They are sent
//!   1.25 ms before their tick. A line before beat 0 is waited for. A follower that comes late, or whose line
//!   jumped, enters where [`Joins`] says. A jump that is known ahead is stopped for one locate lead early, so that the
//!   follower is already there, at the very tick, when the line has jumped.
//! - *Running*: between Start or Continue and Stop there is one F8 for each tick that the line travels, none lost and
//!   none doubled, whatever revisions arrive, because ticks are counted. What a new revision has put into the past is
//!   sent at twice the tempo at most; what is more than a quarter note away is a jump.
//! - *Early or late*: [`ClockOffset`] and the closed loop's correction shift where the line is read, and glide there with at
//!   most 1 % of tempo.
//! - *The link is lost*: one Stop. Ticks go on at the last tempo, and only a line that was heard afresh
//!   ([`Ticker::regained`]) sets the follower going again, as one that comes late.
//!
//! Real-time: yes. Bound: [`EVENTS_MAX`] events a poll, each a few searches of the timeline; no allocation.

mod join;
mod run;
mod shift;

#[cfg(test)]
mod tests;

use super::{ClockOffset, Realtime};
use crate::time::convert::{f64_from_i64, i64_round};
use crate::time::{Beats, GRID_RATE, GridPosition};
use crate::timeline::{Pace, Timeline};
use join::{Begin, Join, Ready};
pub use join::{Joins, Settings, Starts};
use run::{Run, Tick};
use shift::Shift;

/// Events in a poll at most; what remains is due in the next.
pub const EVENTS_MAX: usize = 128;

/// A part of the grid, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first position.
    pub from: GridPosition,
    /// The position after the last.
    pub to: GridPosition,
}

/// The MIDI clock of one endpoint. See the module's page.
#[derive(Clone, Debug)]
pub struct Ticker {
    settings: Settings,
    offset: ClockOffset,
    correction_frames: f64,
    shift: Shift,
    link: LinkState,
    place: PlaceState,
    state: State,
    /// Up to where everything has been emitted.
    polled: Option<GridPosition>,
    last_clock: Option<GridPosition>,
    /// Of the line when it was last seen.
    pace: Pace,
}

/// Whether what [`Ticker::poll`] is given is to be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LinkState {
    Up,
    Lost,
}

/// Whether the follower is where the ticks sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PlaceState {
    Right,
    Wrong,
}

/// What the follower does.
#[derive(Clone, Copy, Debug)]
enum State {
    /// It stands, and may be about to begin.
    Stopped { next: Option<Next> },
    /// It was told to begin, and counts.
    Running { epoch: u32, next: Tick, origin: Tick, begun: GridPosition },
}

/// Where it will begin, and whether it has been told the place.
#[derive(Clone, Copy, Debug)]
struct Next {
    join: Join,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Place,
}

/// The next thing to do, and when.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: GridPosition,
    act: Act,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    FreeClock,
    Locate(Next),
    Begin(Join),
    Clock,
    Stop,
}

/// A millisecond: the least between Start or Continue and its tick.
const BEGIN_LEAST: f64 = 48.0;
/// How long before its tick Start or Continue is sent: what it must be, and a little for the output's own jitter. Less than
/// two thirds of a tick at 999 quarter notes a minute.
const BEGIN_LEAD: f64 = 60.0;
/// The least between two ticks that are caught up with, as a part of their usual distance.
const CATCH_UP: f64 = 0.5;
/// Further from where it should be than this, the count is not caught up with: a quarter note.
const JUMP_TICKS: i64 = 24;
/// A poll that begins this far before the end of the last one is on another grid.
const GRID_BACK: f64 = -48_000.0;
/// The furthest that a closed loop may correct, a quarter of a second.
const CORRECTION_MOST: f64 = 12_000.0;
const FRAMES_PER_MINUTE: f64 = 60.0 * GRID_RATE as f64;

impl Ticker {
    /// A clock for a follower of this kind.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            offset: ClockOffset::default(),
            correction_frames: 0.0,
            shift: Shift::default(),
            link: LinkState::Up,
            place: PlaceState::Right,
            state: State::Stopped { next: None },
            polled: None,
            last_clock: None,
            pace: Timeline::default().place(GridPosition::default()).pace,
        }
    }

    /// Moves the clock to this offset, gliding.
    pub fn set_offset(&mut self, offset: ClockOffset) {
        self.offset = offset;
        self.retarget();
    }

    /// Moves the clock by `frames` of the grid more than its offset, gliding: the closed loop's correction, positive
    /// is later, held within a quarter of a second. NaN is none.
    pub fn set_correction(&mut self, frames: f64) {
        let frames = if frames.is_nan() { 0.0 } else { frames };
        self.correction_frames = frames.clamp(-CORRECTION_MOST, CORRECTION_MOST);
        self.retarget();
    }

    /// Changes what the follower can do, from its next beginning on.
    pub const fn set_settings(&mut self, settings: Settings) {
        self.settings = settings;
    }

    /// The link has been lost: a follower that runs is stopped at the next poll, and stays so until
    /// [`Ticker::regained`].
    pub const fn lost(&mut self) {
        self.link = LinkState::Lost;
    }

    /// The timeline that will be polled with has been heard afresh.
    pub const fn regained(&mut self) {
        self.link = LinkState::Up;
    }

    /// Stops a follower that runs at the next poll, and has it begin again as one that comes late: its place was
    /// wrong.
    pub const fn relocate(&mut self) {
        self.place = PlaceState::Wrong;
    }

    /// Emits what is due in `window`, in order. The windows of successive polls follow each other; what a gap
    /// between them has left out is caught up with. The timeline must reach back as far as the offset is late,
    /// half a second at most.
    ///
    /// Real-time: yes. Bound: [`EVENTS_MAX`] events.
    pub fn poll(
        &mut self,
        timeline: Option<&Timeline>,
        window: Window,
        emit: &mut impl FnMut(GridPosition, Realtime),
    ) {
        let line = timeline.filter(|_| self.link == LinkState::Up);
        let mut cursor = self.enter(window.from);
        for _ in 0..EVENTS_MAX {
            self.settle(line, cursor);
            let due = match line {
                Some(line) => self.due(line, cursor),
                None => self.due_without_line(cursor),
            };
            let Some(due) = due.filter(|due| due.at < window.to) else {
                cursor = window.to.max(cursor);
                break;
            };
            cursor = due.at;
            self.perform(due, emit);
        }
        self.shift.advance(cursor);
        self.polled = Some(cursor);
    }

    /// Whether the follower was told to run.
    #[must_use]
    pub const fn is_running(&self) -> bool {
        matches!(self.state, State::Running { .. })
    }

    /// The room's beat at which the running follower is at its own beat 0: not 0 when it was set going by Start on a
    /// bar line, or when Song Position does not reach.
    #[must_use]
    pub const fn follower_origin(&self) -> Option<Beats> {
        match self.state {
            State::Running { origin, .. } => Some(origin.beats()),
            State::Stopped { .. } => None,
        }
    }

    /// What the follower can do.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The offset that was asked for.
    #[must_use]
    pub const fn offset(&self) -> ClockOffset {
        self.offset
    }

    /// By how many frames what is emitted at `at` is later than its line.
    #[must_use]
    pub fn shift_frames(&self, at: GridPosition) -> f64 {
        self.shift.at(at)
    }

    fn retarget(&mut self) {
        self.shift.set_target(self.offset.frames() + self.correction_frames);
    }

    /// The first position that may be emitted at.
    fn enter(&mut self, from: GridPosition) -> GridPosition {
        let Some(polled) = self.polled else {
            self.shift.advance(from);
            self.shift.jump();
            return from;
        };
        if from.frames_since(polled) < GRID_BACK {
            // Another grid: nothing that was counted on the old one holds on this one.
            self.shift = Shift::default();
            self.retarget();
            self.shift.advance(from);
            self.shift.jump();
            self.last_clock = None;
            return from;
        }
        polled.max(from)
    }

    /// Goes to a new offset at once while the follower stands, unless that would read the line on the other side of
    /// a start or stop.
    fn settle(&mut self, line: Option<&Timeline>, cursor: GridPosition) {
        let untold =
            matches!(self.state, State::Stopped { next: None | Some(Next { told: Told::Nothing, .. }) });
        if !untold || self.shift.is_settled() {
            return;
        }
        let run_at =
            |read| line.and_then(|line| Run::all(line).find(|run| run.holds(read))).map(|run| run.epoch);
        if run_at(self.shift.read(cursor)) == run_at(self.shift.read_at_target(cursor)) {
            self.shift.jump();
        }
    }

    fn perform(&mut self, due: Due, emit: &mut impl FnMut(GridPosition, Realtime)) {
        let event = match due.act {
            Act::FreeClock => {
                self.last_clock = Some(due.at);
                Realtime::Clock
            }
            Act::Clock => {
                self.last_clock = Some(due.at);
                if let State::Running { next, .. } = &mut self.state {
                    next.0 += 1;
                }
                Realtime::Clock
            }
            Act::Locate(next) => {
                self.state = State::Stopped { next: Some(Next { told: Told::Place, ..next }) };
                match next.join.begin {
                    Begin::Continue(position) => Realtime::SongPosition(position),
                    // Nothing to tell: the position is 0.
                    Begin::Start => return,
                }
            }
            Act::Begin(join) => {
                let Join { epoch, tick, begin } = join;
                self.state = State::Running { epoch, next: tick, origin: join.origin(), begun: due.at };
                begin.event()
            }
            Act::Stop => {
                self.state = State::Stopped { next: None };
                self.place = PlaceState::Right;
                Realtime::Stop
            }
        };
        emit(due.at, event);
    }

    fn due_without_line(&self, cursor: GridPosition) -> Option<Due> {
        if self.is_running() {
            return Some(Due { at: cursor, act: Act::Stop });
        }
        // Before any tick there is no tempo to go on at.
        self.last_clock.map(|_| self.free_clock(cursor))
    }

    fn due(&mut self, line: &Timeline, cursor: GridPosition) -> Option<Due> {
        self.pace = line.place(self.shift.read(cursor)).pace;
        match self.state {
            State::Running { epoch, next, begun, .. } => self.due_running(line, cursor, epoch, next, begun),
            State::Stopped { next } => Some(self.due_stopped(line, cursor, next)),
        }
    }

    fn due_running(
        &self,
        line: &Timeline,
        cursor: GridPosition,
        epoch: u32,
        next: Tick,
        begun: GridPosition,
    ) -> Option<Due> {
        let stop_now = Some(Due { at: cursor, act: Act::Stop });
        let Some(run) = Run::of_epoch(line, epoch) else { return stop_now };
        let wrong = self.place == PlaceState::Wrong;
        if wrong
            || (Tick::from(line_beats(line, &run, self.shift.read(cursor))).0 - next.0).abs() > JUMP_TICKS
        {
            return stop_now;
        }
        let stop = self.end_of(line, &run).map(|end| Due { at: end.max(cursor), act: Act::Stop });
        let clock = run.position_of(line, next).map(|position| {
            let due = self.shift.emitted(position);
            // The first tick is the downbeat: it does not wait for the ticks that led up to it.
            let last = self.last_clock.filter(|last| *last > begun);
            let after_clock = last.map_or(cursor, |last| {
                // Where the tempo steps between two ticks, either may be the shorter distance.
                let paces = [self.shift.read(last), position].map(|at| line.place(at).pace);
                let apart = paces.map(interval).into_iter().fold(f64::INFINITY, f64::min) * CATCH_UP;
                last.plus_f64(apart.max(BEGIN_LEAST))
            });
            let soonest = after_clock.max(begun.plus_f64(BEGIN_LEAST)).max(cursor);
            // Whether it comes before the stop is a matter of the line, not of when it is caught up with.
            (due, Due { at: due.max(soonest), act: Act::Clock })
        });
        match (clock, stop) {
            (Some((due, clock)), Some(stop)) if due < stop.at => Some(clock),
            (Some((_, clock)), None) => Some(clock),
            (_, stop) => stop,
        }
    }

    /// When a run's Stop is due: at its end, or earlier where the line is known to jump to a place that the
    /// follower can be sent to beforehand.
    fn end_of(&self, line: &Timeline, run: &Run) -> Option<GridPosition> {
        let until = run.until?;
        let end = self.shift.emitted(until);
        let jump = Run::all(line).find(|next| next.from == until).is_some_and(|next| {
            let ready = Ready { for_start: until, for_continue: until };
            Join::within(line, &next, &self.settings, ready)
                .is_some_and(|join| next.position_of(line, join.tick) == Some(until))
        });
        let early = self.settings.lead_frames() + BEGIN_LEAST;
        Some(if jump { end.plus_f64(-early) } else { end })
    }

    fn due_stopped(&mut self, line: &Timeline, cursor: GridPosition, next: Option<Next>) -> Due {
        let lead = self.settings.lead_frames().max(BEGIN_LEAD);
        let told = next.filter(|next| next.told == Told::Place).filter(|next| {
            // A line that now reaches the place much later may have a better one before it.
            self.downbeat_of(line, cursor, next)
                .is_some_and(|downbeat| downbeat.frames_since(cursor) <= 2.0 * lead)
        });
        let next = told.or_else(|| {
            // The place was chosen with a whole lead; rounding does not take it away when that time has come.
            let read = |frames| self.shift.read(cursor.plus_f64(frames - 1.0));
            let ready = Ready { for_start: read(BEGIN_LEAD), for_continue: read(lead) };
            let join = Join::choose(line, &self.settings, ready)?;
            Some(Next { join, told: Told::Nothing })
        });
        self.state = State::Stopped { next };
        let Some((next, downbeat)) =
            next.and_then(|next| Some((next, self.downbeat_of(line, cursor, &next)?)))
        else {
            return self.free_clock(cursor);
        };
        let act = match next.told {
            Told::Nothing => Act::Locate(next),
            Told::Place => Act::Begin(next.join),
        };
        let lead = match next.told {
            Told::Nothing => lead,
            Told::Place => BEGIN_LEAD,
        };
        let step = Due { at: downbeat.plus_f64(-lead).max(cursor), act };
        self.clock_before(cursor, downbeat).filter(|clock| clock.at < step.at).unwrap_or(step)
    }

    /// When the first tick of `next` is due, if the line still has it and there is time to begin.
    fn downbeat_of(&self, line: &Timeline, cursor: GridPosition, next: &Next) -> Option<GridPosition> {
        let run = Run::of_epoch(line, next.join.epoch)?;
        if next.join.tick < Tick::from(run.beats) {
            return None;
        }
        let position = run.position_of(line, next.join.tick)?;
        let downbeat = self.shift.emitted(position);
        (downbeat.frames_since(cursor) >= BEGIN_LEAST).then_some(downbeat)
    }

    /// The next tick that leads up to `downbeat`, if there is one before it.
    fn clock_before(&self, cursor: GridPosition, downbeat: GridPosition) -> Option<Due> {
        let free = self.free_clock(cursor);
        let Some(last) = self.last_clock.filter(|_| free.at > cursor) else {
            let near = downbeat.frames_since(free.at) < self.interval() * CATCH_UP;
            return (!near).then_some(free);
        };
        let left = downbeat.frames_since(last);
        let ticks = i64_round(left / self.interval());
        if ticks <= 1 {
            return None;
        }
        let apart = left / f64_from_i64(ticks);
        Some(Due { at: last.plus_f64(apart).max(cursor), act: Act::FreeClock })
    }

    fn free_clock(&self, cursor: GridPosition) -> Due {
        let at = self.last_clock.map_or(cursor, |last| last.plus_f64(self.interval()).max(cursor));
        Due { at, act: Act::FreeClock }
    }

    /// Frames from tick to tick.
    fn interval(&self) -> f64 {
        interval(self.pace)
    }
}

fn interval(pace: Pace) -> f64 {
    FRAMES_PER_MINUTE / (pace.bpm() * 24.0)
}

/// The beat of `run` at `at`: its first before it.
fn line_beats(line: &Timeline, run: &Run, at: GridPosition) -> Beats {
    if at <= run.from { run.beats } else { line.place(at).beats }
}

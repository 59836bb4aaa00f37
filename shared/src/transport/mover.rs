//! The state machine that decides what the host is asked, and when.

use super::latency::Latencies;
use super::pull::Pull;
use super::task::{Task, TaskKind};
use super::tempo::TempoTask;
use super::{Abilities, Ability, Command, MoverState, Nudge};
use crate::midi::{ClockOffset, Observation};
use crate::time::{Beats, GRID_RATE, GridPosition};
use crate::timeline::author::Reading;
use crate::timeline::{Motion, Place, Timeline};

/// Moves one DAW along the line. See the module's page.
#[derive(Clone, Debug)]
pub struct Mover {
    abilities: Abilities,
    offset: ClockOffset,
    state: MoverState,
    contact: Contact,
    /// Where on the line the DAW was sent; none while it does not run for the line.
    run: Option<Run>,
    task: Option<Task>,
    latencies: Latencies,
    /// Tries in a row that came to nothing.
    failures: u32,
    seen: Option<Observation>,
    pull: Pull,
    /// Smoothed, frames; positive is a DAW that is ahead.
    error: Option<f64>,
    course: Course,
    /// From which error on it is too far away to be pulled.
    far: f64,
    /// Whether it was near enough since it began to play or jumped.
    has_landed: bool,
    tempo: TempoTask,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    Heard,
    Lost,
}

/// The piece of the line that the DAW runs along.
#[derive(Clone, Copy, Debug)]
struct Run {
    epoch: u32,
    /// From where on it is to.
    from: GridPosition,
}

/// Where a DAW that runs is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Near enough to be pulled.
    Near,
    /// Too far away: it jumps on the next bar line.
    Far,
}

const SECOND: f64 = GRID_RATE as f64;
const MILLISECOND: f64 = SECOND / 1_000.0;
/// A DAW that is further out jumps, if it can be pulled otherwise: pulling takes four seconds for this.
const FAR_FROM_PULL: f64 = 40.0 * MILLISECOND;
/// The same at first for one that cannot be pulled. A jump that does not land within it doubles it, for hosts differ in how
/// evenly they answer.
const FAR_FROM_JUMP: f64 = 5.0 * MILLISECOND;
/// A DAW that is no further from a new piece of the line is on it already.
const ON_COURSE: f64 = 15.0 * MILLISECOND;
/// A line that began no longer ago is entered at once, and not on the next bar line.
const FRESH: f64 = SECOND;
/// So long after a bar line still counts as on it. What is asked then is a little further on.
const ON_BAR_LINE: f64 = 30.0 * MILLISECOND;
/// How long a host may take beyond twice what it usually takes.
const PATIENCE: f64 = 0.75 * SECOND;
/// A host that fails so often in a row is asked no more.
const TRIES: u32 = 3;
/// A transport that has not been seen for this long may be anywhere.
const SILENCE: f64 = SECOND;
/// The smoothing of the error that is shown.
const SMOOTH: f64 = 0.25 * SECOND;
impl Mover {
    /// One that has learned nothing yet, for a host that can do this.
    #[must_use]
    pub const fn new(abilities: Abilities) -> Self {
        Self {
            abilities,
            offset: ClockOffset::NONE,
            state: MoverState::Idle,
            contact: Contact::Heard,
            run: None,
            task: None,
            latencies: Latencies::UNKNOWN,
            failures: 0,
            seen: None,
            pull: Pull::new(),
            error: None,
            course: Course::Near,
            far: if abilities.has(Ability::Nudge) { FAR_FROM_PULL } else { FAR_FROM_JUMP },
            has_landed: false,
            tempo: TempoTask::new(),
        }
    }

    /// What the host can do.
    #[must_use]
    pub const fn abilities(&self) -> Abilities {
        self.abilities
    }

    /// How much later than the line the DAW is to be.
    pub const fn set_offset(&mut self, offset: ClockOffset) {
        self.offset = offset;
    }

    /// The line is heard no more: a DAW that runs is stopped at the next [`Mover::advance`].
    pub const fn lost(&mut self) {
        self.contact = Contact::Lost;
    }

    /// The line has been heard afresh.
    pub const fn regained(&mut self) {
        self.contact = Contact::Heard;
    }

    /// Works on another grid from here on.
    pub const fn forget_grid(&mut self) {
        self.seen = None;
        self.task = None;
        self.error = None;
        self.pull.end();
        if let Some(run) = &mut self.run {
            run.from = GridPosition::from_raw(i64::MIN);
        }
    }

    /// Takes what the DAW's transport says.
    pub fn observe(&mut self, reading: &Reading, line: &Timeline) {
        self.see_tempo(reading, line);
        let Some(seen) = Observation::of(reading) else { return };
        let before = self.seen.replace(seen);
        if self.see_task_done(before, seen, line) || self.task.is_some() {
            return;
        }
        match (self.run, seen.motion) {
            (Some(run), Motion::Playing) => self.compare(run, before, seen, line),
            // Nobody asked for this.
            (Some(_), Motion::Stopped) => self.release(),
            (None, Motion::Playing) if self.state == MoverState::Released => self.state = MoverState::Idle,
            (None, _) => {}
        }
    }

    /// Asks the host for what is due at `now`.
    pub fn advance(&mut self, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if self.contact == Contact::Lost {
            return self.leave(now, ask);
        }
        // A line that nobody has written says nothing.
        if line.revision() == 0 {
            return;
        }
        self.give_up_task(now);
        if self.seen.is_some_and(|seen| now.frames_since(seen.at) > SILENCE) {
            self.seen = None;
            self.error = None;
        }
        if matches!(self.state, MoverState::Released | MoverState::Lost) {
            self.restore(ask);
        } else {
            self.tell_tempo(line, now, ask);
        }
        if self.state == MoverState::Lost {
            return;
        }
        match (self.task, self.run) {
            (Some(_), _) => {}
            (None, None) => self.enter(line, now, ask),
            (None, Some(run)) => self.go_along(run, line, now, ask),
        }
    }

    /// Follows nothing from here on: a DAW that runs is stopped, the first time only. What was learned of it stays.
    pub fn rest(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        self.leave(now, ask);
        self.failures = 0;
        self.tempo.begin();
        self.state = MoverState::Idle;
    }

    /// How the DAW stands.
    #[must_use]
    pub const fn state(&self) -> MoverState {
        self.state
    }

    /// Whether the host has been told to run faster or slower than its tempo.
    #[must_use]
    pub fn is_bent(&self) -> bool {
        self.pull.nudge() != Nudge::NONE
    }

    /// By how many milliseconds the DAW is ahead of where it is meant to be, smoothed; none while it is not compared.
    #[must_use]
    pub fn error_ms(&self) -> Option<f64> {
        self.error.map(|frames| frames / MILLISECOND)
    }

    /// How many frames the host takes to start, as learned so far.
    #[must_use]
    pub const fn start_latency_frames(&self) -> f64 {
        self.latencies.start()
    }

    /// The place of the line at which the DAW is to be when `frames` have passed.
    fn ahead(&self, line: &Timeline, now: GridPosition, frames: f64) -> (GridPosition, Place) {
        let at = now.plus_f64(frames - self.offset.frames());
        (at, line.place(at))
    }

    /// The DAW does not run for the line: is it to?
    fn enter(&mut self, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        let plays = self.seen.is_some_and(|seen| seen.motion == Motion::Playing);
        let latency = if plays { self.latencies.jump() } else { self.latencies.start() };
        let (at, place) = self.ahead(line, now, latency);
        if place.motion == Motion::Stopped {
            if self.state != MoverState::WrongTempo {
                self.state = MoverState::Idle;
            }
            return;
        }
        if matches!(self.state, MoverState::Released | MoverState::WrongTempo) {
            return;
        }
        let away = self.seen.filter(|_| plays).map(|seen| self.away(seen, at, &place));
        let run = Some(Run { epoch: place.epoch, from: at });
        if away.is_some_and(|away| away.abs() < ON_COURSE) {
            self.run = run;
            return self.keep_course(now);
        }
        if !self.abilities.has(Ability::Tempo) {
            // Not before it is known to play in time.
            match self.tempo.shows(place.tempo) {
                None => return,
                Some(false) => {
                    self.state = MoverState::WrongTempo;
                    return;
                }
                Some(true) => {}
            }
        }
        let fresh = at.frames_since(line.active(at).at) < FRESH && self.failures == 0;
        if !fresh && !on_bar_line(&place) {
            return;
        }
        self.run = run;
        self.begin_task(away.map_or(TaskKind::Start, TaskKind::Jump), now, place.beats, ask);
    }

    /// The DAW runs for the line: does the line go on as it does?
    fn go_along(&mut self, run: Run, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        let (at, place) = self.ahead(line, now, self.latencies.stop());
        if place.motion == Motion::Stopped && at > run.from {
            return self.begin_task(TaskKind::Stop, now, place.beats, ask);
        }
        let (at, place) = self.ahead(line, now, self.latencies.jump());
        if place.motion == Motion::Stopped || at <= run.from {
            return;
        }
        let away = self.seen.map(|seen| self.away(seen, at, &place));
        if place.epoch != run.epoch {
            self.run = Some(Run { epoch: place.epoch, from: at });
            // A new epoch may be the old course under a new number.
            match away {
                Some(away) if away.abs() < ON_COURSE => self.keep_course(now),
                away => self.begin_task(TaskKind::Jump(away.unwrap_or(SECOND)), now, place.beats, ask),
            }
            return;
        }
        if self.course == Course::Far && on_bar_line(&place) {
            return self.begin_task(TaskKind::Jump(away.unwrap_or(SECOND)), now, place.beats, ask);
        }
        if let Some(mean) = self.pull.take_mean()
            && self.abilities.has(Ability::Nudge)
            && let Some(nudge) = self.pull.correct(now, mean, self.latencies.jump())
        {
            ask(Command::Nudge(nudge));
        }
    }

    /// How far the DAW will be ahead at `at` if it goes on as it does, in frames.
    fn away(&self, seen: Observation, at: GridPosition, place: &Place) -> f64 {
        let pace = place.pace.quarters_per_frame();
        let passed = at.plus_f64(self.offset.frames()).frames_since(seen.at);
        (seen.quarters - place.beats.quarters()) / pace + passed
    }

    /// The DAW is where it should be, or can be pulled there.
    fn keep_course(&mut self, now: GridPosition) {
        self.pull.begin(now, self.latencies.jump());
        self.course = Course::Near;
        self.state = MoverState::Track;
    }

    /// Asks the host for this.
    fn begin_task(&mut self, kind: TaskKind, now: GridPosition, beats: Beats, ask: &mut impl FnMut(Command)) {
        match kind {
            TaskKind::Start | TaskKind::Jump(_) => self.level(now, ask),
            TaskKind::Stop => {
                self.restore(ask);
                self.run = None;
            }
        }
        ask(kind.command(beats));
        self.task = Some(Task::new(kind, now, beats));
        self.course = Course::Near;
        self.has_landed = false;
        self.error = None;
        self.state = MoverState::Moving;
        self.pull.begin(now, 0.0);
    }

    /// Has a DAW that can be nudged keep step by its clock alone.
    fn level(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if self.abilities.has(Ability::Nudge)
            && let Some(nudge) = self.pull.level(now, self.latencies.jump())
        {
            ask(Command::Nudge(nudge));
        }
    }

    /// Takes back what the host was nudged by.
    fn restore(&mut self, ask: &mut impl FnMut(Command)) {
        if self.is_bent() {
            ask(Command::Nudge(Nudge::NONE));
        }
        self.pull.end();
    }

    /// Lets go of the DAW; one that runs for the line is stopped.
    fn leave(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if self.run.is_some() && self.state != MoverState::Lost {
            self.begin_task(TaskKind::Stop, now, Beats::default(), ask);
        } else {
            self.restore(ask);
        }
        self.run = None;
        self.task = None;
        self.error = None;
        self.course = Course::Near;
        if self.state != MoverState::Lost {
            self.state = MoverState::Idle;
        }
    }

    /// Somebody has stopped the DAW by hand.
    fn release(&mut self) {
        self.run = None;
        self.error = None;
        self.course = Course::Near;
        self.state = MoverState::Released;
    }

    /// Whether the task has been done between two observations; learns how long it took.
    fn see_task_done(&mut self, before: Option<Observation>, seen: Observation, line: &Timeline) -> bool {
        let Some(task) = self.task else { return false };
        let pace = line.place(seen.at).pace.quarters_per_frame();
        let Some(took) = task.done(before, seen, pace) else { return false };
        self.task = None;
        self.latencies.learn(task.kind, took);
        self.state = match task.kind {
            TaskKind::Start | TaskKind::Jump(_) => MoverState::Track,
            TaskKind::Stop => MoverState::Idle,
        };
        self.pull.begin(seen.at, self.latencies.jump());
        true
    }

    /// A host that has had its time has failed.
    fn give_up_task(&mut self, now: GridPosition) {
        let Some(task) = self.task else { return };
        if now.frames_since(task.asked) < 2.0 * self.latencies.of(task.kind) + PATIENCE {
            return;
        }
        self.task = None;
        match task.kind {
            // Said once; whoever plays on does so by themselves.
            TaskKind::Stop => self.state = MoverState::Idle,
            TaskKind::Start => {
                self.run = None;
                self.fail(MoverState::Idle);
            }
            TaskKind::Jump(_) => {
                self.course = Course::Far;
                self.fail(MoverState::Track);
            }
        }
    }

    fn fail(&mut self, otherwise: MoverState) {
        self.failures += 1;
        self.state = if self.failures >= TRIES { MoverState::Lost } else { otherwise };
    }

    /// Compares a DAW that runs with the line.
    fn compare(&mut self, run: Run, before: Option<Observation>, seen: Observation, line: &Timeline) {
        let meant = line.place(seen.at.plus_f64(-self.offset.frames()));
        if meant.motion == Motion::Stopped || meant.epoch != run.epoch {
            return;
        }
        let error = (seen.quarters - meant.beats.quarters()) / meant.pace.quarters_per_frame();
        if !error.is_finite() || self.state == MoverState::WrongTempo {
            return;
        }
        let passed = before.map_or(0.0, |before| seen.at.frames_since(before.at)).clamp(0.0, SMOOTH);
        let smooth = self.error.map_or(error, |smooth| smooth + (error - smooth) * passed / SMOOTH);
        self.error = Some(smooth);
        if let Some(mean) = self.pull.observe(seen.at, error) {
            self.judge(mean);
        }
    }

    fn judge(&mut self, mean: f64) {
        if mean.abs() > self.far {
            if self.course == Course::Near {
                self.course = Course::Far;
                if !self.has_landed {
                    self.far = (2.0 * self.far).min(FAR_FROM_PULL);
                }
                if mean.abs() > FAR_FROM_PULL {
                    self.fail(MoverState::Track);
                } else {
                    self.state = MoverState::Track;
                }
            }
            return;
        }
        self.has_landed = true;
        self.failures = 0;
        self.course = Course::Near;
        self.state = if self.pull.holds() { MoverState::Hold } else { MoverState::Track };
    }

    /// Tells the host the line's tempo, if it can be told and does not have it.
    fn tell_tempo(&mut self, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if !self.abilities.has(Ability::Tempo) || self.state == MoverState::Released {
            return;
        }
        let (_, place) = self.ahead(line, now, self.latencies.jump());
        if self.tempo.tell(place.tempo, now) {
            ask(Command::Tempo(place.tempo));
            self.pull.begin(now, self.latencies.jump());
        }
    }

    /// Sees whether the DAW has the line's tempo.
    fn see_tempo(&mut self, reading: &Reading, line: &Timeline) {
        if !self.tempo.see(reading.bpm, reading.start) {
            self.state = MoverState::Lost;
        }
        if self.abilities.has(Ability::Tempo) || line.revision() == 0 {
            return;
        }
        let place = line.place(reading.start.plus_f64(-self.offset.frames()));
        let has_tempo = self.tempo.shows(place.tempo).unwrap_or(true);
        match self.state {
            MoverState::Idle | MoverState::Track | MoverState::Hold if !has_tempo => {
                self.state = MoverState::WrongTempo;
            }
            MoverState::WrongTempo if has_tempo => {
                self.state = if self.run.is_some() { MoverState::Track } else { MoverState::Idle };
                self.course = Course::Near;
            }
            MoverState::Idle
            | MoverState::Moving
            | MoverState::Track
            | MoverState::Hold
            | MoverState::Released
            | MoverState::WrongTempo
            | MoverState::Lost => {}
        }
    }
}

/// Whether a place of the line is on a bar line, or has just passed it.
fn on_bar_line(place: &Place) -> bool {
    let into = place.bar_and_beat().beats.quarters() / place.pace.quarters_per_frame();
    into < ON_BAR_LINE
}

//! The state machine that decides what the host is asked, and when.

use super::pull::Pull;
use super::{Abilities, Ability, Command, Latency};
use crate::midi::{ClockOffset, Observation};
use crate::time::{Beats, GRID_RATE, GridPosition, Tempo};
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
    starts: Latency,
    jumps: Latency,
    stops: Latency,
    /// Tries in a row that came to nothing.
    failures: u32,
    seen: Option<Observation>,
    /// The tempo that it shows, whatever it is.
    bpm: Option<f64>,
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

/// How a DAW that is moved stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MoverState {
    /// Nothing is to be done: the line stands, or is not heard.
    #[default]
    Idle,
    /// It has been asked to start, stop or jump and has not done so yet.
    Moving,
    /// It runs, and is being pulled to its place.
    Track,
    /// It runs in its place, to within a millisecond.
    Hold,
    /// Somebody stopped it by hand; it is left alone until they start it again, or the line has stood.
    Released,
    /// Its tempo is another one, and it cannot be told.
    WrongTempo,
    /// It did not do what it was asked, and is asked no more.
    Lost,
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

/// What the host was asked and has not done yet.
#[derive(Clone, Copy, Debug)]
struct Task {
    kind: TaskKind,
    asked: GridPosition,
    /// Where it is to begin.
    quarters: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum TaskKind {
    Start,
    /// By so many frames.
    Jump(f64),
    Stop,
}

/// The tempo that the host was told.
#[derive(Clone, Copy, Debug, Default)]
struct TempoTask {
    told: Option<(Tempo, GridPosition)>,
    failures: u32,
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
/// Between two tempos that the host is told, as in a ramp.
const TEMPO_EVERY: f64 = 0.1 * SECOND;
/// By when the transport must show the tempo that it was told.
const TEMPO_WITHIN: f64 = SECOND;
/// A tempo that is off by no more is the same: beyond the most that a nudge makes of it.
const TEMPO_SAME: f64 = 0.015;

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
            starts: Latency::UNKNOWN,
            jumps: Latency::UNKNOWN,
            stops: Latency::UNKNOWN,
            failures: 0,
            seen: None,
            bpm: None,
            pull: Pull::new(),
            error: None,
            course: Course::Near,
            far: if abilities.has(Ability::Nudge) { FAR_FROM_PULL } else { FAR_FROM_JUMP },
            has_landed: false,
            tempo: TempoTask { told: None, failures: 0 },
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
        self.bpm = Some(reading.bpm);
        self.check_tempo(reading, line);
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
        self.tempo = TempoTask::default();
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
        self.pull.nudge() != super::Nudge::NONE
    }

    /// By how many milliseconds the DAW is ahead of where it is meant to be, smoothed; none while it is not compared.
    #[must_use]
    pub fn error_ms(&self) -> Option<f64> {
        self.error.map(|frames| frames / MILLISECOND)
    }

    /// How long the host takes to start, as learned so far.
    #[must_use]
    pub const fn start_latency(&self) -> Latency {
        self.starts
    }

    /// The place of the line at which the DAW is to be when `frames` have passed.
    fn ahead(&self, line: &Timeline, now: GridPosition, frames: f64) -> (GridPosition, Place) {
        let at = now.plus_f64(frames - self.offset.frames());
        (at, line.place(at))
    }

    /// The DAW does not run for the line: is it to?
    fn enter(&mut self, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        let plays = self.seen.is_some_and(|seen| seen.motion == Motion::Playing);
        let latency = if plays { self.jumps.frames() } else { self.starts.frames() };
        let (at, place) = self.ahead(line, now, latency);
        if place.motion == Motion::Stopped {
            self.state = match self.state {
                MoverState::WrongTempo => MoverState::WrongTempo,
                MoverState::Idle
                | MoverState::Moving
                | MoverState::Track
                | MoverState::Hold
                | MoverState::Released
                | MoverState::Lost => MoverState::Idle,
            };
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
            let Some(bpm) = self.bpm else { return };
            if differs(bpm, place.tempo) {
                self.state = MoverState::WrongTempo;
                return;
            }
        }
        let fresh = at.frames_since(line.active(at).at) < FRESH && self.failures == 0;
        if !fresh && !on_bar_line(&place) {
            return;
        }
        self.run = run;
        match away {
            Some(away) => self.jump(now, &place, away, ask),
            None => self.start(now, &place, ask),
        }
    }

    /// The DAW runs for the line: does the line go on as it does?
    fn go_along(&mut self, run: Run, line: &Timeline, now: GridPosition, ask: &mut impl FnMut(Command)) {
        let (at, place) = self.ahead(line, now, self.stops.frames());
        if place.motion == Motion::Stopped && at > run.from {
            return self.stop(now, ask);
        }
        let (at, place) = self.ahead(line, now, self.jumps.frames());
        if place.motion == Motion::Stopped || at <= run.from {
            return;
        }
        let away = self.seen.map(|seen| self.away(seen, at, &place));
        if place.epoch != run.epoch {
            self.run = Some(Run { epoch: place.epoch, from: at });
            // A new epoch may be the old course under a new number.
            match away {
                Some(away) if away.abs() < ON_COURSE => self.keep_course(now),
                away => self.jump(now, &place, away.unwrap_or(SECOND), ask),
            }
            return;
        }
        if self.course == Course::Far && on_bar_line(&place) {
            return self.jump(now, &place, away.unwrap_or(SECOND), ask);
        }
        if let Some(mean) = self.pull.take_mean()
            && self.abilities.has(Ability::Nudge)
            && let Some(nudge) = self.pull.correct(now, mean, self.jumps.frames())
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
        self.pull.begin(now, self.jumps.frames());
        self.course = Course::Near;
        self.state = MoverState::Track;
    }

    fn start(&mut self, now: GridPosition, place: &Place, ask: &mut impl FnMut(Command)) {
        self.level(now, ask);
        ask(Command::Start(place.beats));
        self.begin_task(now, TaskKind::Start, place.beats);
    }

    fn jump(&mut self, now: GridPosition, place: &Place, away: f64, ask: &mut impl FnMut(Command)) {
        self.level(now, ask);
        ask(Command::Jump(place.beats));
        self.begin_task(now, TaskKind::Jump(away), place.beats);
    }

    fn stop(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        self.restore(ask);
        ask(Command::Stop);
        self.run = None;
        self.begin_task(now, TaskKind::Stop, Beats::default());
    }

    fn begin_task(&mut self, now: GridPosition, kind: TaskKind, beats: Beats) {
        self.task = Some(Task { kind, asked: now, quarters: beats.quarters() });
        self.course = Course::Near;
        self.has_landed = false;
        self.error = None;
        self.state = MoverState::Moving;
        self.pull.begin(now, 0.0);
    }

    /// Has a DAW that can be nudged keep step by its clock alone.
    fn level(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if self.abilities.has(Ability::Nudge)
            && let Some(nudge) = self.pull.level(now, self.jumps.frames())
        {
            ask(Command::Nudge(nudge));
        }
    }

    /// Takes back what the host was nudged by.
    fn restore(&mut self, ask: &mut impl FnMut(Command)) {
        if self.is_bent() {
            ask(Command::Nudge(super::Nudge::NONE));
        }
        self.pull.end();
    }

    /// Lets go of the DAW; one that runs for the line is stopped.
    fn leave(&mut self, now: GridPosition, ask: &mut impl FnMut(Command)) {
        if self.run.is_some() && self.state != MoverState::Lost {
            self.stop(now, ask);
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
        let Some(task) = self.task.filter(|task| seen.at > task.asked) else { return false };
        let pace = line.place(seen.at).pace.quarters_per_frame();
        let began = seen.at.plus_f64((task.quarters - seen.quarters) / pace);
        let took = began.frames_since(task.asked);
        let latency = match (task.kind, seen.motion) {
            (TaskKind::Start, Motion::Playing) => {
                self.starts.learn(took);
                self.jumps.guess(self.starts);
                self.starts.frames()
            }
            (TaskKind::Jump(away), Motion::Playing) => {
                if before.is_some_and(|before| !turned(before, seen, pace, away)) {
                    return false;
                }
                self.jumps.learn(took);
                self.starts.guess(self.jumps);
                self.jumps.frames()
            }
            (TaskKind::Stop, Motion::Stopped) => {
                self.stops.learn(seen.at.frames_since(task.asked));
                self.task = None;
                self.state = MoverState::Idle;
                return true;
            }
            (TaskKind::Start | TaskKind::Jump(_), Motion::Stopped) | (TaskKind::Stop, Motion::Playing) => {
                return false;
            }
        };
        self.task = None;
        self.state = MoverState::Track;
        self.pull.begin(seen.at, latency);
        true
    }

    /// A host that has had its time has failed.
    fn give_up_task(&mut self, now: GridPosition) {
        let Some(task) = self.task else { return };
        let usual = match task.kind {
            TaskKind::Start => self.starts,
            TaskKind::Jump(_) => self.jumps,
            TaskKind::Stop => self.stops,
        };
        if now.frames_since(task.asked) < 2.0 * usual.frames() + PATIENCE {
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
        let (_, place) = self.ahead(line, now, self.jumps.frames());
        let waits = self
            .tempo
            .told
            .is_some_and(|(tempo, at)| tempo == place.tempo || now.frames_since(at) < TEMPO_EVERY);
        if !waits {
            ask(Command::Tempo(place.tempo));
            self.tempo.told = Some((place.tempo, now));
            self.pull.begin(now, self.jumps.frames());
        }
    }

    /// Sees whether the DAW has the line's tempo.
    fn check_tempo(&mut self, reading: &Reading, line: &Timeline) {
        if self.abilities.has(Ability::Tempo) {
            let Some((tempo, told)) = self.tempo.told else { return };
            if reading.start.frames_since(told) < TEMPO_WITHIN {
                return;
            }
            if !differs(reading.bpm, tempo) {
                self.tempo.failures = 0;
                return;
            }
            self.tempo = TempoTask { told: None, failures: self.tempo.failures + 1 };
            if self.tempo.failures >= TRIES {
                self.state = MoverState::Lost;
            }
            return;
        }
        let place = line.place(reading.start.plus_f64(-self.offset.frames()));
        match (self.state, differs(reading.bpm, place.tempo)) {
            (MoverState::Idle | MoverState::Track | MoverState::Hold, true) if line.revision() > 0 => {
                self.state = MoverState::WrongTempo;
            }
            (MoverState::WrongTempo, false) => {
                self.state = if self.run.is_some() { MoverState::Track } else { MoverState::Idle };
                self.course = Course::Near;
            }
            (
                MoverState::Idle
                | MoverState::Moving
                | MoverState::Track
                | MoverState::Hold
                | MoverState::Released
                | MoverState::WrongTempo
                | MoverState::Lost,
                _,
            ) => {}
        }
    }
}

/// Whether a tempo that a DAW shows, if it shows any, is another one.
fn differs(bpm: f64, tempo: Tempo) -> bool {
    (bpm / tempo.bpm() - 1.0).abs() > TEMPO_SAME
}

/// Whether a place of the line is on a bar line, or has just passed it.
fn on_bar_line(place: &Place) -> bool {
    let into = place.bar_and_beat().beats.quarters() / place.pace.quarters_per_frame();
    into < ON_BAR_LINE
}

/// Whether the transport has left its course between two observations, towards where it was to jump by `-away` frames.
fn turned(before: Observation, seen: Observation, pace: f64, away: f64) -> bool {
    let expected = before.quarters + seen.at.frames_since(before.at) * pace;
    let turn = (seen.quarters - expected) / pace;
    before.motion == Motion::Stopped || (turn + away).abs() < turn.abs().max(away.abs() / 2.0)
}

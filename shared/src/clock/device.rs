//! The audio interface's clock, measured by the callbacks of the host.
//!
//! A host can call for a block only after the device has delivered its last frame, so a callback shows the time of
//! that frame, late by scheduling: some tens of microseconds as a rule, tens of milliseconds when the machine stalls,
//! after which the missed callbacks follow at once. The earliest callback of a window is nearly free of all that, at
//! any block size and when sizes change. A filter follows offset and rate through those.
//!
//! What does not fit that picture has a name: frames that the device lost ([`Discontinuity`]), and a host that computes
//! ahead in bursts ([`HostPace::AheadOfTime`]).

use super::filter::Filter;
use super::map::DeviceMap;
use super::pace::{HostPace, PaceWatch};
use super::run::Run;
use crate::time::{DeviceFrame, Frames, LocalTime, SampleRate, Span};

/// One call of the host for a block of audio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Callback {
    /// The block's first frame.
    pub first: DeviceFrame,
    /// How many frames it has.
    pub frames: Frames,
    /// When the call began.
    pub at: LocalTime,
}

/// The device's frames came later (positive) or earlier than its clock explains, and stay so: it dropped frames, was
/// restarted, or the host skipped blocks. The map followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Discontinuity {
    /// By how much the local time of every frame moved.
    pub by: Span,
}

/// Measures the audio device against the local clock.
#[derive(Clone, Debug)]
pub struct DeviceClock {
    rate: SampleRate,
    line: Option<DeviceMap>,
    filter: Filter<2>,
    line_at: DeviceFrame,
    window: Option<Window>,
    variance: f64,
    previous: Option<f64>,
    differences: u32,
    run: Run,
    unexplained: u32,
    windows: u32,
    pace_watch: PaceWatch,
}

const OFFSET: usize = 0;
const SKEW_START_PPM: f64 = 100.0;
const SKEW_WANDER_PPM: f64 = 0.01;

const SPREAD_START_US: f64 = 30.0;
const SPREAD_FLOOR_US: f64 = 0.5;
const SPREAD_WINDOWS: u32 = 40;

/// An earliest callback within so many standard deviations, and this much, fits the line.
const GATE_SPREADS: f64 = 6.0;
const GATE_LOWEST_US: f64 = 100.0;
/// Windows in a row that agree with each other and not with the line.
const RUN_LATE: u32 = 3;
const RUN_FAR: u32 = 2;
/// Beyond this, lateness is no explanation.
const FAR_US: f64 = 100_000.0;
/// A run is steady within this.
const STEADY_US: f64 = 1_000.0;
/// A machine that is late, unsteadily, for so many windows has a new normal.
const UNEXPLAINED_MAX: u32 = 20;
/// Smaller movements are corrections, not discontinuities.
const REPORTED_US: f64 = 1_000.0;
/// What the earliest callback of a burst is worth when the host runs ahead.
const AHEAD_SPREAD_US: f64 = 3_000.0;
const AHEAD_GATE_US: f64 = 300_000.0;

impl DeviceClock {
    /// A clock for a device that is said to run at `rate`. Make a new one when the host changes the rate.
    #[must_use]
    pub const fn new(rate: SampleRate) -> Self {
        Self {
            rate,
            line: None,
            filter: Filter::new([[0.0; 2]; 2]),
            line_at: DeviceFrame(0),
            window: None,
            variance: SPREAD_START_US * SPREAD_START_US,
            previous: None,
            differences: 0,
            run: Run::new(),
            unexplained: 0,
            windows: 0,
            pace_watch: PaceWatch::new(),
        }
    }

    /// Takes a callback. The map exists from the first one on.
    ///
    /// Real-time: yes. Bound: constant.
    pub fn observe(&mut self, callback: &Callback) -> Option<Discontinuity> {
        let delivered = callback.first + callback.frames;
        let Some(line) = self.line else {
            self.begin(delivered, callback.at);
            return None;
        };
        let late = (callback.at - line.local(delivered)).secs_f64() * 1e6;
        self.pace_watch.note(late, callback.at);
        if self.windows == 0 && late < 0.0 {
            // Nothing has been averaged yet, and earlier is nearer to the truth.
            self.begin(delivered, callback.at);
            return None;
        }
        let window = self.window.get_or_insert_with(|| Window::begin(late, delivered, callback.at));
        window.note(late, delivered, callback.at);
        if !window.is_over(self.pace_watch.pace) {
            return None;
        }
        let earliest = window.earliest;
        self.window = None;
        self.windows = self.windows.saturating_add(1);
        self.close_window(earliest, delivered)
    }

    /// The best line; `None` before the first callback.
    ///
    /// Real-time: yes. Bound: constant.
    #[must_use]
    pub const fn map(&self) -> Option<DeviceMap> {
        self.line
    }

    /// How much faster the device runs than its nominal rate, by the local clock, in parts in a million.
    #[must_use]
    pub fn skew_ppm(&self) -> f64 {
        self.line.map_or(0.0, |line| line.skew_ppm())
    }

    /// The standard deviation of the map's error, in microseconds, as the filter believes it. The usual lateness of
    /// the earliest callbacks is not in it.
    #[must_use]
    pub fn error_us(&self) -> f64 {
        self.filter.variance(OFFSET).sqrt()
    }

    /// How the host spreads its callbacks, judged over the last seconds.
    #[must_use]
    pub const fn pace(&self) -> HostPace {
        self.pace_watch.pace
    }

    fn begin(&mut self, delivered: DeviceFrame, at: LocalTime) {
        self.line = Some(DeviceMap::new(delivered, at, self.rate, 0.0));
        self.line_at = delivered;
        self.filter = Filter::new([[1e12, 0.0], [0.0, SKEW_START_PPM * SKEW_START_PPM]]);
    }

    fn close_window(&mut self, earliest: Earliest, now: DeviceFrame) -> Option<Discontinuity> {
        let line = self.line?;
        let seconds = (now - self.line_at).f64() / self.rate.hz_f64();
        self.filter.predict(seconds.max(0.0), SKEW_WANDER_PPM);
        self.line_at = now;
        let age = (now - earliest.frame).f64() / self.rate.hz_f64();
        let row = [1.0, -age];
        let doubt = self.filter.variance_of(&row);
        let gate = match self.pace() {
            HostPace::Steady => GATE_LOWEST_US.max(GATE_SPREADS * (self.variance() + doubt).sqrt()),
            HostPace::AheadOfTime => AHEAD_GATE_US,
        };
        if earliest.late_us.abs() <= gate {
            self.run.clear();
            self.unexplained = 0;
            self.learn_spread(earliest.late_us);
            let [by, turn] = self.filter.correct(&row, earliest.late_us, self.variance());
            self.line = Some(line.corrected(now, by, turn));
            return None;
        }
        self.line = Some(line.corrected(now, 0.0, 0.0));
        self.suspect_device(earliest.late_us)
    }

    /// Late windows that agree with each other are frames lost; others are a machine under load, and wait.
    fn suspect_device(&mut self, late_us: f64) -> Option<Discontinuity> {
        let needed = if (0.0..=FAR_US).contains(&late_us) { RUN_LATE } else { RUN_FAR };
        self.unexplained += 1;
        self.run.push(late_us);
        if self.run.spread() > STEADY_US {
            self.run.clear();
            self.run.push(late_us);
        }
        if self.run.count() < needed && self.unexplained < UNEXPLAINED_MAX {
            return None;
        }
        let by_us = self.run.lowest();
        self.run.clear();
        self.unexplained = 0;
        self.filter.doubt(OFFSET, OFFSET, STEADY_US * STEADY_US);
        self.previous = None;
        self.line = self.line.map(|line| line.corrected(self.line_at, by_us, 0.0));
        (by_us.abs() >= REPORTED_US).then(|| Discontinuity { by: Span::from_secs_f64(by_us * 1e-6) })
    }

    fn learn_spread(&mut self, late_us: f64) {
        if let Some(previous) = self.previous.replace(late_us) {
            let difference = late_us - previous;
            self.differences = (self.differences + 1).min(SPREAD_WINDOWS);
            let weight = 1.0 / f64::from(self.differences + 1);
            self.variance += (difference * difference / 2.0 - self.variance) * weight;
        }
    }

    fn variance(&self) -> f64 {
        let floor = match self.pace() {
            HostPace::Steady => SPREAD_FLOOR_US,
            HostPace::AheadOfTime => AHEAD_SPREAD_US,
        };
        self.variance.max(floor * floor)
    }
}

/// The earliest callback of a window: how late against the line, and for which delivered frame.
#[derive(Clone, Copy, Debug)]
struct Earliest {
    late_us: f64,
    frame: DeviceFrame,
}

/// The callbacks of a quarter of a second.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: LocalTime,
    last: LocalTime,
    callbacks: u32,
    earliest: Earliest,
}

impl Window {
    const LENGTH: Span = Span::from_millis(250);
    /// Long enough to hold whole bursts of a host that runs ahead.
    const LENGTH_AHEAD: Span = Span::from_millis(2_000);
    const CALLBACKS_MIN: u32 = 8;

    const fn begin(late_us: f64, frame: DeviceFrame, at: LocalTime) -> Self {
        Self { began: at, last: at, callbacks: 0, earliest: Earliest { late_us, frame } }
    }

    fn note(&mut self, late_us: f64, frame: DeviceFrame, at: LocalTime) {
        self.last = at;
        self.callbacks = self.callbacks.saturating_add(1);
        if late_us < self.earliest.late_us {
            self.earliest = Earliest { late_us, frame };
        }
    }

    fn is_over(&self, pace: HostPace) -> bool {
        let length = match pace {
            HostPace::Steady => Self::LENGTH,
            HostPace::AheadOfTime => Self::LENGTH_AHEAD,
        };
        self.last - self.began >= length && self.callbacks >= Self::CALLBACKS_MIN
    }
}

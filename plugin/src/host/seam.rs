//! What the shim, the adapter and the editor of one instance share.
//!
//! | field | written by | read by |
//! |---|---|---|
//! | callback's number, start, outputs | shim, audio thread | adapter, same thread, same call |
//! | clock's events | adapter, audio thread | CLAP shim, same thread, same call |
//! | [MIDI](MidiExchange) | shim and adapter, audio thread | each other, same thread, same call |
//! | condition | adapter, any thread | editor |
//! | marker | shim, main thread | editor |
//! | remote | link's thread | shim, main thread |
//!
//! The shim makes the seam, then has nice-plug make the plugin, which finds the seam in [`Seam::adopt`]: nice-plug's
//! constructor takes no argument, so it is handed over through the thread that runs it.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lockstep_shared::midi::Realtime;
use lockstep_shared::time::LocalTime;

use super::midi::MidiExchange;
use crate::engine::{ClockEvent, STRIP_OUTPUTS};
use crate::wiring::Remote;

thread_local! {
    static OFFERED: RefCell<Option<Arc<Seam>>> = const { RefCell::new(None) };
}

/// The seam of one instance.
#[derive(Default)]
pub(crate) struct Seam {
    callback: AtomicU32,
    started: AtomicI64,
    outputs: AtomicU32,
    /// Only ever tried, never waited for: all of one callback is on one thread.
    clock: Mutex<ClockOutbox>,
    /// Likewise.
    midi: Mutex<MidiExchange>,
    condition: AtomicU8,
    marker: Mutex<Option<Marker>>,
    host_name: Mutex<String>,
    remote: Arc<Remote>,
    keepsake: Mutex<Option<Box<dyn Any + Send>>>,
}

/// One host callback, which nice-plug may hand to the adapter in several pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Callback {
    /// Counts the host's callbacks; equal for the pieces of one.
    pub(super) number: u32,
    /// When it began.
    pub(super) started: LocalTime,
    /// What the host connected.
    pub(super) outputs: Outputs,
}

/// Which output ports have the host's memory behind them: bit 0 is the main output, bit 1 the first strip's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outputs(u32);

/// Events of the MIDI clock in one callback at most: blocks of 4,096 frames at the fastest tempo hold 40.
const CLOCK_EVENTS_MAX: usize = 256;

/// The events of the MIDI clock of one callback, by its frames, on their way to the shim.
pub(super) struct ClockOutbox {
    events: [ClockEvent; CLOCK_EVENTS_MAX],
    count: usize,
    taken: usize,
}

/// How the adapter stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Condition {
    /// The engine does what it is told.
    #[default]
    Sound,
    /// The host runs at a rate that the engine does not.
    RateUnsupported,
    /// The engine panicked and was shut off.
    Stopped,
}

/// Tells the host that the project has changed.
type Marker = Box<dyn Fn() + Send>;

impl Seam {
    /// Runs `create`, which makes a plugin on this thread, and lets that plugin adopt `seam`.
    pub(super) fn offer<T>(seam: &Arc<Self>, create: impl FnOnce() -> T) -> T {
        OFFERED.set(Some(Arc::clone(seam)));
        let created = create();
        OFFERED.set(None);
        created
    }

    /// The seam that the shim offers on this thread, or a new one that leads nowhere.
    pub(super) fn adopt() -> Arc<Self> {
        OFFERED.take().unwrap_or_default()
    }

    /// The shim's first act in the host's audio callback.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn begin_callback(&self, now: LocalTime, outputs: Outputs) {
        self.started.store(now.nanos(), Ordering::Relaxed);
        self.outputs.store(outputs.0, Ordering::Relaxed);
        self.callback.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut clock) = self.clock.try_lock() {
            (clock.count, clock.taken) = (0, 0);
        }
        if let Some(mut midi) = self.midi() {
            midi.begin();
        }
    }

    /// Hands the MIDI clock's events of a piece, which begins `offset` frames into the callback, to the shim.
    ///
    /// Real-time: yes. Bound: proportional to the events.
    pub(super) fn send_clock(&self, offset: usize, events: &[ClockEvent]) {
        let Ok(mut clock) = self.clock.try_lock() else { return };
        for event in events {
            clock.push(ClockEvent { frame: offset + event.frame, ..*event });
        }
    }

    /// The next event of the MIDI clock before frame `end` of the callback.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn take_clock(&self, end: usize) -> Option<ClockEvent> {
        self.clock.try_lock().ok()?.take_before(end)
    }

    /// The MIDI of the callback.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn midi(&self) -> Option<MutexGuard<'_, MidiExchange>> {
        self.midi.try_lock().ok()
    }

    /// The callback under way.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn callback(&self) -> Callback {
        Callback {
            number: self.callback.load(Ordering::Relaxed),
            started: LocalTime::from_nanos(self.started.load(Ordering::Relaxed)),
            outputs: Outputs(self.outputs.load(Ordering::Relaxed)),
        }
    }

    /// Says how the adapter stands.
    ///
    /// Real-time: yes. Bound: constant.
    pub(super) fn set_condition(&self, condition: Condition) {
        self.condition.store(condition.code(), Ordering::Relaxed);
    }

    /// How the adapter stands.
    pub(crate) fn condition(&self) -> Condition {
        Condition::from_code(self.condition.load(Ordering::Relaxed))
    }

    /// Sets, or with `None` takes away, the way to tell the host that the project has changed.
    pub(super) fn set_marker(&self, marker: Option<Marker>) {
        *lock(&self.marker) = marker;
    }

    /// Tells the host that settings outside the parameters have changed, so that it offers to save them.
    pub(crate) fn mark_project_changed(&self) {
        if let Some(marker) = lock(&self.marker).as_ref() {
            marker();
        }
    }

    /// The way from the link's thread to the host's transport.
    pub(super) const fn remote(&self) -> &Arc<Remote> {
        &self.remote
    }

    /// Keeps `memory` until the plugin is gone: the plugin holds the last reference to its seam. What is kept must
    /// not hold the seam in turn, but a [`std::sync::Weak`] of it.
    pub(super) fn keep(&self, memory: Box<dyn Any + Send>) {
        *lock(&self.keepsake) = Some(memory);
    }

    /// Notes what the host calls itself.
    pub(super) fn set_host_name(&self, name: String) {
        *lock(&self.host_name) = name;
    }

    /// What the host calls itself, empty if it has not said.
    pub(crate) fn host_name(&self) -> String {
        lock(&self.host_name).clone()
    }
}

impl Default for ClockOutbox {
    fn default() -> Self {
        let event = ClockEvent { frame: 0, event: Realtime::Clock };
        Self { events: [event; CLOCK_EVENTS_MAX], count: 0, taken: 0 }
    }
}

impl ClockOutbox {
    fn push(&mut self, event: ClockEvent) {
        if let Some(place) = self.events.get_mut(self.count) {
            *place = event;
            self.count += 1;
        }
    }

    fn take_before(&mut self, end: usize) -> Option<ClockEvent> {
        let next = self.events[..self.count].get(self.taken).filter(|event| event.frame < end)?;
        self.taken += 1;
        Some(*next)
    }
}

impl Outputs {
    /// Notes that the host connected output `port`.
    pub(super) const fn connect(&mut self, port: usize) {
        assert!(port <= STRIP_OUTPUTS);
        self.0 |= 1 << port;
    }

    /// Whether the host connected output `port`.
    pub(super) const fn has(self, port: usize) -> bool {
        self.0 & (1 << port) != 0
    }

    /// Whether the host connected nothing.
    pub(super) const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl Condition {
    /// What the editor says about it.
    pub(crate) const fn sentence(self) -> Option<&'static str> {
        match self {
            Self::Sound => None,
            Self::RateUnsupported => Some(
                "This project's sample rate is outside 44.1 to 192 kHz: your track passes through, and nothing is \
                 sent or received. Choose another rate in the audio settings.",
            ),
            Self::Stopped => Some(
                "Lockstep met an internal fault and went silent. Switch the plugin off and on in the track to start \
                 it again, and please report it.",
            ),
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Sound => 0,
            Self::RateUnsupported => 1,
            Self::Stopped => 2,
        }
    }

    const fn from_code(code: u8) -> Self {
        match code {
            1 => Self::RateUnsupported,
            2 => Self::Stopped,
            _ => Self::Sound,
        }
    }
}

/// None of what these locks guard can be left half-written, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugin_adopts_the_seam_that_its_shim_offers_and_no_other() {
        let seam = Arc::new(Seam::default());
        let adopted = Seam::offer(&seam, Seam::adopt);
        assert!(Arc::ptr_eq(&seam, &adopted));
        assert!(!Arc::ptr_eq(&seam, &Seam::adopt()), "an offer does not outlast its call");
    }

    #[test]
    fn a_callback_carries_what_the_shim_saw() {
        let seam = Seam::default();
        let mut outputs = Outputs::default();
        assert!(outputs.is_empty());
        outputs.connect(0);
        outputs.connect(STRIP_OUTPUTS);
        seam.begin_callback(LocalTime::from_nanos(7), outputs);
        let first = seam.callback();
        assert_eq!(first.started, LocalTime::from_nanos(7));
        assert!(first.outputs.has(0) && first.outputs.has(STRIP_OUTPUTS) && !first.outputs.has(1));
        seam.begin_callback(LocalTime::from_nanos(7), outputs);
        assert_ne!(seam.callback().number, first.number, "two callbacks at one time are two");
    }

    #[test]
    fn conditions_survive_the_way_through_the_atomic() {
        let seam = Seam::default();
        for condition in [Condition::Stopped, Condition::RateUnsupported, Condition::Sound] {
            seam.set_condition(condition);
            assert_eq!(seam.condition(), condition);
        }
    }

    #[test]
    fn nobody_is_told_once_the_marker_is_gone() {
        let seam = Seam::default();
        let told = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&told);
        seam.set_marker(Some(Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
        })));
        seam.mark_project_changed();
        seam.set_marker(None);
        seam.mark_project_changed();
        assert_eq!(told.load(Ordering::Relaxed), 1);
    }
}

//! The MIDI clock that leaves this process, so that its DAW can follow the room.
//!
//! ```text
//! Link::poll_clock -> ClockOutput, one for each link's thread -> Port, one for the process -> ClockSink
//! ```
//!
//! A DAW listens to one clock. So all links share one port, "Lockstep Clock", and only one speaks at a time: the first
//! whose instance follows. The port is opened by the link's thread when that first happens, and closed when the last
//! link that has used it ends. A system that gives no port is asked again every ten seconds, and the status says why.
//!
//! Whoever stops speaking stops the DAW first, if it runs: what counts is what was sent, not what was meant to be.

mod system;
#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use lockstep_shared::midi::Realtime;
use lockstep_shared::time::{LocalTime, Span};

/// How often a system that gave no port is asked again.
const RETRY_OPEN: Span = Span::from_millis(10_000);
/// Nobody speaks through the port.
const NOBODY: u64 = 0;

static PORT: Mutex<Weak<Port>> = Mutex::new(Weak::new());
static NEXT_SPEAKER: AtomicU64 = AtomicU64::new(NOBODY + 1);

/// Where the bytes of a MIDI clock go: a port of the system, or a recording for measurements.
pub trait ClockSink: Send {
    /// Sends one whole message at once; `due` is when it should have left.
    fn send(&mut self, due: LocalTime, message: &[u8]) -> Result<(), Unsent>;
}

/// A message did not reach everybody who listens. Sent again it would reach the others twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a MIDI message did not reach everybody who listens")]
pub struct Unsent;

/// While it lives, the clock of this process goes to its sink, and the system is not asked for a port.
#[derive(Debug)]
pub struct ClockRedirection {
    _port: Arc<Port>,
}

/// Sends the clock of this process to `sink` instead of a port of the system: for measurements and tests.
#[must_use]
pub fn redirect_clock(sink: Box<dyn ClockSink>) -> ClockRedirection {
    let port = Arc::new(Port::new(sink));
    *PORT.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&port);
    ClockRedirection { _port: port }
}

/// The open port of this process.
struct Port {
    sink: Mutex<Box<dyn ClockSink>>,
    /// The one [`ClockOutput`] that sends.
    speaker: AtomicU64,
}

/// What a link's thread does with its clock.
#[derive(Debug)]
pub(super) struct ClockOutput {
    number: u64,
    open: Opener,
    port: Option<Arc<Port>>,
    voice: Voice,
    follower: Follower,
    try_at: LocalTime,
    /// Why there is no port.
    refusal: Option<String>,
    unsent: u64,
}

type Opener = fn() -> Result<Box<dyn ClockSink>, String>;

/// Whether this link sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Voice {
    /// It does not want to.
    Silent,
    /// It has no port.
    NoPort,
    /// Another link of this process does.
    Waiting,
    Speaking,
}

/// What the DAW was last told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Follower {
    Stopped,
    Running,
}

/// Whether what has been sent so far is what the clock has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// As before.
    Unchanged,
    /// From here on; what went before was not heard.
    FromNowOn,
}

impl ClockOutput {
    pub(super) fn new() -> Self {
        Self::with_opener(system::open)
    }

    fn with_opener(open: Opener) -> Self {
        Self {
            number: NEXT_SPEAKER.fetch_add(1, Ordering::Relaxed),
            open,
            port: None,
            voice: Voice::Silent,
            follower: Follower::Stopped,
            try_at: LocalTime::ZERO,
            refusal: None,
            unsent: 0,
        }
    }

    /// This process's DAW follows: takes the port, and the word, if it is time to ask for them.
    pub(super) fn follow(&mut self, now: LocalTime) -> Heard {
        if self.voice == Voice::Speaking {
            return Heard::Unchanged;
        }
        if self.port.is_none() && now >= self.try_at {
            self.try_at = now + RETRY_OPEN;
            match shared_port(self.open) {
                Ok(port) => (self.port, self.refusal) = (Some(port), None),
                Err(sentence) => self.refusal = Some(sentence),
            }
        }
        let Some(port) = &self.port else {
            self.voice = Voice::NoPort;
            return Heard::Unchanged;
        };
        let taken =
            port.speaker.compare_exchange(NOBODY, self.number, Ordering::AcqRel, Ordering::Relaxed).is_ok();
        self.voice = if taken { Voice::Speaking } else { Voice::Waiting };
        if taken { Heard::FromNowOn } else { Heard::Unchanged }
    }

    /// This process's DAW does not follow: it is stopped if it runs, and another link may speak.
    pub(super) fn rest(&mut self, now: LocalTime) {
        if self.follower == Follower::Running {
            self.send(now, Realtime::Stop);
        }
        if self.voice == Voice::Speaking
            && let Some(port) = &self.port
        {
            port.speaker.store(NOBODY, Ordering::Release);
        }
        self.voice = Voice::Silent;
    }

    /// Sends an event that is due; what nobody listens to is lost.
    pub(super) fn send(&mut self, due: LocalTime, event: Realtime) {
        let Some(port) = self.port.as_ref().filter(|_| self.voice == Voice::Speaking) else { return };
        self.follower = match event {
            Realtime::Start | Realtime::Continue => Follower::Running,
            Realtime::Stop => Follower::Stopped,
            Realtime::Clock | Realtime::SongPosition(_) => self.follower,
        };
        if port.send(due, event).is_err() {
            self.unsent += 1;
        }
    }

    /// What the user should know.
    pub(super) fn notice(&self) -> Option<String> {
        match self.voice {
            Voice::Silent => None,
            Voice::NoPort => self.refusal.clone(),
            Voice::Waiting => Some(format!(
                "This DAW already follows another room: {:?} carries one clock. Set Transport Role to Off there.",
                system::PORT_NAME
            )),
            Voice::Speaking if self.unsent == 0 => None,
            Voice::Speaking => Some(format!(
                "{} messages of the MIDI clock did not reach every program that listens to {:?}: one of them reads too slowly.",
                self.unsent,
                system::PORT_NAME
            )),
        }
    }
}

impl Drop for ClockOutput {
    fn drop(&mut self) {
        self.rest(super::clock::now());
    }
}

impl Port {
    fn new(sink: Box<dyn ClockSink>) -> Self {
        Self { sink: Mutex::new(sink), speaker: AtomicU64::new(NOBODY) }
    }

    fn send(&self, due: LocalTime, event: Realtime) -> Result<(), Unsent> {
        // Never waited for: only the speaker comes here.
        self.sink.lock().unwrap_or_else(PoisonError::into_inner).send(due, event.encode().as_slice())
    }
}

impl core::fmt::Debug for Port {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Port").field("speaker", &self.speaker).finish_non_exhaustive()
    }
}

/// The process's port, opened by `open` if no link has it.
fn shared_port(open: Opener) -> Result<Arc<Port>, String> {
    let mut shared = PORT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(port) = shared.upgrade() {
        return Ok(port);
    }
    let port = Arc::new(Port::new(open()?));
    *shared = Arc::downgrade(&port);
    Ok(port)
}

//! ALSA's sequencer: the MIDI ports of this machine.
//!
//! ```text
//!  whoever holds Sequencer --commands--> thread "sequencer" --events--> Receiver<Event>
//!                                            |     ^
//!                                   kernel queue   announcements, messages
//!                                            v     |
//!                                  client "Lockstep", a port for each that was opened
//! ```
//!
//! One thread owns ALSA's handle and does all: it waits for commands and for input in one place. What is sent has a time
//! and leaves at it by the kernel's timer, not by ours: the thread hands it to a kernel queue up to [`AHEAD`] before. A
//! message whose time has come leaves at once.
//!
//! It never waits for a slow receiver. The sequencer refuses a message of which one subscriber's pool is full, though
//! the others have it: nothing is ever sent twice, and refusals are counted. When *our* input overflows, the kernel
//! throws away all that waited: [`Event::Overrun`] says that nobody's held notes are known any more. Long exclusive
//! messages leave in pieces of 256 bytes, 1 ms apart, which fit the pools that receivers have when they care for nothing,
//! and are put together again when they come in.
//!
//! Ports and connections come as the sequencer announces them, never by asking around: first what is there, then what
//! changes. Kernels before 6.12 announce no renaming, so that new names are looked at once more a little later.
//!
//! Where the system has no sequencer, [`Sequencer::open`] says in one sentence what is missing and what brings it.

mod unavailable;

#[cfg(target_os = "linux")]
mod graph;
#[cfg(target_os = "linux")]
mod outbox;
#[cfg(target_os = "linux")]
mod queue;
#[cfg(target_os = "linux")]
mod translate;
#[cfg(target_os = "linux")]
mod worker;

#[cfg(target_os = "linux")]
mod handle;
#[cfg(not(target_os = "linux"))]
#[path = "handle_elsewhere.rs"]
mod handle;

use lockstep_shared::midi::message::Message;
use lockstep_shared::time::{LocalTime, Span};
use thiserror::Error;

use crate::bridge::patch::{Address, Connection, Port};

pub use handle::Sequencer;
pub use unavailable::{Cause, Unavailable};

/// The client's name.
pub const CLIENT: &str = "Lockstep";
/// How long before its time a message is handed to the kernel. It cannot be taken back then.
pub const AHEAD: Span = Span::from_millis(50);

/// A port of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PortId(u32);

/// What the sequencer tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A message for one of our ports.
    Received {
        /// Which.
        port: PortId,
        /// Who sent it.
        from: Address,
        /// When it was read.
        at: LocalTime,
        /// What.
        message: Message,
    },
    /// Messages were lost: what any sender holds is unknown.
    Overrun,
    /// One of our ports is open.
    Opened {
        /// Which.
        port: PortId,
        /// Where.
        address: Address,
    },
    /// One of our ports cannot be opened.
    Failed {
        /// Which.
        port: PortId,
        /// Why: the system's number of the error.
        errno: i32,
    },
    /// A port is there, a new one or with another name; ours too, without a room.
    Appeared {
        /// Where.
        address: Address,
        /// What it is.
        port: Port,
    },
    /// A port is gone, even one that never appeared as it may not be connected. Its connections were told to be gone
    /// before.
    Vanished {
        /// Where it was.
        address: Address,
    },
    /// Two ports are connected, whoever did it. Where ours receives, the other may be one that never appeared.
    Subscribed(Connection),
    /// Two ports are no longer connected.
    Unsubscribed(Connection),
    /// A connection that we asked for is made.
    Made(Connection),
    /// What we asked for with this connection was refused.
    Refused(Connection),
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Messages that came in, whole.
    pub received: u64,
    /// Events handed to the kernel: messages, and pieces of exclusive ones.
    pub sent: u64,
    /// Events that it did not take from us, or that one of the receivers had no room for.
    pub refused: u64,
    /// Messages whose time had passed by more than [`AHEAD`] when they came to the thread.
    pub late: u64,
    /// Messages for which there was no room to wait, or whose port was closed.
    pub dropped: u64,
    /// Times that our input overflowed.
    pub overruns: u64,
    /// Messages for which nobody made room in the channel of events.
    pub unread: u64,
    /// Events that are no MIDI message, or a broken one.
    pub unknown: u64,
}

/// The sequencer's thread is behind, or has ended; the command is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the sequencer's thread is behind")]
pub struct Busy;

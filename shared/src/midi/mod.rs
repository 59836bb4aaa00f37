//! MIDI: the room's timeline as ticks for DAWs and hardware, and back; and every other message.
//!
//! Ticks never cross the network. [`ClockIn`] measures a clock that arrives at one endpoint and the leader publishes
//! it as timeline. [`ClosedLoop`] is for a DAW that follows: the plugin inside it sees how late
//! it is.
//!
//! [`message`] has all of MIDI 1.0 for those that play notes as well.
//!
//! Reading order: [`Realtime`] is the events and their bytes; [`ClockOffset`] the user's shift;
//! [`Ticker`] derives the clock of one follower; [`Endpoint`] puts ticker and loop together, for wherever events leave.

mod clock_in;
#[cfg(test)]
mod clock_in_tests;
mod closed_loop;
#[cfg(test)]
mod closed_loop_tests;
mod endpoint;
pub mod message;
mod offset;
mod realtime;
mod ticker;
mod watch;

pub use clock_in::{ClockIn, Counters, Reading};
pub use closed_loop::{ClosedLoop, LoopState, Observation};
pub use endpoint::Endpoint;
pub use offset::ClockOffset;
pub use realtime::{Decoder, Encoded, Realtime, SongPosition};
pub use ticker::{EVENTS_MAX, Joins, Settings, Slew, Starts, Ticker, Window};

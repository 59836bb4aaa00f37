//! A room's MIDI: what one participant plays reaches all others.
//!
//! ```text
//! RTP-MIDI peers <-> session, streams <-> Hub <-> members' flows, the sequencer's ports, the multicast group
//!                          clocks <- the room's line        a peer's clock -> a line of its own
//! ```
//!
//! Reading order: [`Hub`] takes messages in and passes them on, and knows what each source holds; [`Bridge`] puts it
//! together with the RTP-MIDI session and the clocks; [`Gateway`] is MIDI by multicast; [`patch`] is the wiring of
//! the sequencer on this machine: rules say which ports belong together.

#[expect(clippy::module_inception, reason = "the value is named as its folder is")]
mod bridge;
mod clock;
mod hub;
mod lead;
mod multicast;
pub mod patch;
mod peer;
mod status;
#[cfg(test)]
mod tests;

pub use bridge::{Bridge, BridgeEvent, BridgeSettings, CLOCK_FROM_SEQUENCER};
pub use hub::{Hub, HubCounters, Passed, Source};
pub use lead::Proposal;
pub use multicast::{Gateway, datagrams};

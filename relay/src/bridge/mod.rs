//! A room's MIDI: what one participant plays reaches all others.
//!
//! Reading order: [`Hub`] takes messages in and passes them on, and knows what each source holds.

mod clock;
mod hub;
mod lead;
mod multicast;

pub use hub::{Hub, HubCounters, Passed, Source};
pub use multicast::{Gateway, datagrams};

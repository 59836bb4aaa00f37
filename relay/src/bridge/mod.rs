//! A room's MIDI: what one participant plays reaches all others.
//!
//! Reading order: [`Hub`] takes messages in and passes them on, and knows what each source holds.

mod hub;

pub use hub::{Hub, HubCounters, Passed, Source};

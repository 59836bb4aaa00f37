//! The automatic sync delay: how late a remote strip is played so that its beats fall where they should.
//!
//! Audio carries the beat of its sender's DAW (D4). At one output frame the local DAW is at one beat and the remote
//! audio that sounds is at another: the difference is seen, not estimated. It needs no clock, and holds through what
//! no clock sees: jitter buffers, codecs, asymmetric paths. [`SyncDelay`] turns it into a delay, in three modes:
//!
//! | mode | what sounds together | delay |
//! |---|---|---|
//! | [`SyncMode::Tight`] | nothing is arranged | the least that the network allows |
//! | [`SyncMode::Room`] | everybody's same beat, at the same moment at everybody's | the room's largest least |
//! | [`SyncMode::Grid`] | remote beat k - n with local beat k | the smallest whole unit that is not below the least |
//!
//! The least delay is a lower bound in all three, so the jitter target and the sync delay never fight over it.

mod delay;
#[cfg(test)]
mod delay_tests;
mod landing;
mod stamps;
mod unit;

pub use delay::{BeatLine, Sight, Steering, SyncDelay, SyncState};
pub use stamps::StampRing;
pub use unit::{GridUnit, SyncMode};

//! One direction of MIDI between two peers: messages into packets at the [`Sender`], packets into messages at the
//! [`Receiver`], in time and whole whatever the network does.
//!
//! ```text
//! push -> gather (2 ms) -> packet + journal -> network -> order -> journal's repairs -> playout by timestamp -> event
//!           guard packets after a burst                     loss, late, duplicate        adaptive delay
//! ```
//!
//! What a channel is told is played in the order in which it was told: each channel, the clock, and everything else of
//! the system is a lane, and stamps within a lane never go back. The journal speaks of lanes in that order.
//!
//! Reading order: [`Sender`]; [`Receiver`], and of its parts the order of packets, the assembly of exclusive messages,
//! the placement of stamps in our time, and the playout.

mod assembly;
mod counters;
mod feedback;
mod guard;
mod lane;
mod lateness;
#[cfg(test)]
mod model_tests;
mod order;
mod outgoing;
mod placement;
mod playout;
mod receiver;
#[cfg(test)]
mod receiver_tests;
mod sender;
#[cfg(test)]
mod sender_tests;

pub use counters::{Jitter, ReceiverCounters};
pub use placement::Delay;
pub use playout::{Origin, Played};
pub use receiver::{Backlog, Receiver, ReceiverSettings};
pub use sender::{Interleaving, Refused, Sender, SenderCounters, SenderSettings};

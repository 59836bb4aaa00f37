//! Copies of what was sent before, so that what one datagram loses another brings.
//!
//! ```text
//!   receiver:  counters of datagrams --> LossMeter --> Protection --document--> sender
//!   sender:    each audio element --> Sent --> copies of earlier ones, in the same datagram
//! ```
//!
//! Each hop protects itself: a member asks the relay for copies on its way down, the relay asks the member for copies on its
//! way up, and one bad link costs nobody else a byte. The relay hands on what a copy brought once ([`Seen`]).
//!
//! A copy does not buy delay, it buys loss, and only where the delay is long enough to wait for it: that is what
//! [`Protection::wanted`] weighs. The jitter target sees a chunk that came as a copy come late, and so decides by the same
//! price whether to wait for copies.

mod loss;
mod protection;
mod seen;
mod sent;

pub use loss::LossMeter;
pub use protection::{Asked, COPIES_MAX, OFFSET_MAX, Patience, Protection};
pub use seen::Seen;
pub use sent::Sent;

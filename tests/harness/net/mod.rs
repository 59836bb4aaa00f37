//! Network paths: what one direction does to datagrams, on true time.
//!
//! ```text
//!  delay = base + detours that are open + what is queued + jitter
//! ```
//!
//! Other traffic fills the queue in bursts (Poisson arrivals of exponential work) and spikes (Pareto work), and it
//! empties in real time. Loss is independent plus two-state bursts (Gilbert-Elliott). A [`PathPlan`] says all that, a
//! [`Path`] does it: a seed, a time and a size give the times of delivery, and nothing else is asked. The simulator's
//! world and the impairment proxy between real processes ([`crate::shell::impairment`]) use the same one. The presets of
//! [`families`] are those on which the project's figures stand.

pub mod families;
mod path;
mod plan;
#[cfg(test)]
mod tests;

pub use path::{Counts, Deliveries, Path};
pub use plan::{Bottleneck, Bursts, Detour, Interval, Jitter, Loss, Order, PathPlan, Spikes};

/// What IPv4 and UDP add to a datagram's payload on the way: 20 + 8 bytes.
pub const HEADER_BYTES: usize = 28;

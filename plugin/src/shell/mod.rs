//! Where the operating system is: a clock, a socket, a thread, entropy, and the machine-local file of invites.

pub mod clock;
mod clock_output;
mod invites;
mod journal;
mod member;
mod priority;
mod process;
mod resolve;
mod thread;
mod wait;

pub use clock_output::{ClockRedirection, ClockSink, Unsent, redirect_clock};
pub(crate) use invites::Invites;
pub use process::{Seat, take_seat};
#[cfg(feature = "host")]
pub(crate) use resolve::wait_for_all as wait_for_resolvers;

//! Where the operating system is: a clock, a socket, a thread, entropy, and the machine-local file of invites.

pub mod clock;
mod invites;
mod journal;
mod member;
mod priority;
mod process;
mod thread;
mod wait;

pub(crate) use invites::Invites;
pub(crate) use process::{Seat, take_seat};

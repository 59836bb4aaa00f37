//! A DAW that follows by being moved: the plugin inside it works its transport through the host's own functions.
//!
//! Some hosts let a plugin press their buttons. Then nothing has to be set up, and no tick is sent: the [`Mover`] tells the
//! host where to be and when, and sees in its transport, block by block, what became of it.
//!
//! ```text
//! timeline -> Mover -> Command .. queue .. host's main thread -> DAW -> its transport, each block
//!               ^                                                              |
//!               '---------------------------- Reading <------------------------'
//! ```
//!
//! A command takes effect late, by what the queue, the main thread and the host's audio take together, and by a little more
//! or less each time. So the mover works in two steps. It *asks ahead*: by the latency that it has learned from what it asked
//! before, the first time by a guess. And it *pulls*: what is left is taken in by running a little faster or
//! slower for a while ([`Nudge`], one percent at most), where the host can; far away it jumps again, on a bar line.
//!
//! It does not fight. Whoever stops the DAW by hand has stopped it. A host that does not do what it is asked three times in a
//! row is left alone. When the line is heard no more, the DAW is stopped, once.
//!
//! Reading order: [`Command`] and [`Abilities`], what a host is asked and can do; [`Mover`]; then its parts.

mod command;
mod latency;
mod mover;
#[cfg(test)]
mod mover_tests;
mod pull;
mod state;
mod task;
mod tempo;

pub use command::{Abilities, Ability, Command, Nudge};
pub use mover::Mover;
pub use state::MoverState;

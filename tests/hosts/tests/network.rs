//! The built plugin in hosts that play in a room of the real relay, over the loopback and in real time.
//!
//! ```text
//! test -> a process of its own, in which the test's body runs          another process for each other member
//!           hosts with instances of one member, driven by a `Pace`       `lockstep-host play`
//!                                          \                            /
//!                                           the relay, a third process
//! ```
//!
//! A process is one member whatever it holds, and finds its invites in the user's settings folder; so each test has a
//! process and a settings folder of its own ([`alone`]). A room is joined as a project does it: by a state that names
//! the room.
//!
//! Nothing here asserts tight timing: the machine may be busy. What is heard is found by likeness to what was sent.

mod alone;
mod beats;
mod formats;
mod midi;
mod moved;
mod other;
mod pace;
mod piece;
mod player;
mod project;
mod relay;
mod room;
mod studio;
mod trouble;

use alone::alone;
use other::Other;
use pace::Pace;
use piece::Piece;
use player::{Outlets, Player};
use relay::Relay;
use studio::Studio;

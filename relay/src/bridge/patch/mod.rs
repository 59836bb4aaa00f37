//! Which ports of the sequencer are connected with which: rules in a text, and the value that keeps to them.
//!
//! ```text
//!  rules.txt --Rules::parse--> Rules --wanted(ports)--> connections
//!                                |
//!  port appeared, vanished, subscribed ... --> Patch --> connect, disconnect
//! ```
//!
//! A rule is two lines: the pattern of an output, and below it that of the inputs it goes to. It is the grammar of
//! `jack-matchmaker`, a program that does the same for JACK ports, so that its pattern files serve here too:
//!
//! ```text
//! # a comment; blank lines and the space around a line mean nothing
//! Keystation.*:.*
//!     Lockstep:studio$
//!
//! # what a named group matched is put in where the second pattern names it
//! Fader (?P<number>\d+):out
//!     Mixer:in_{number}$
//! ```
//!
//! A port's name is `Client:Port`. A pattern is a regular expression that must match from the name's beginning on;
//! `$` pins the end. After a line `@exact` lines are names, and regular expressions stand between slashes. `@patterns`
//! is the way back. A line `@suffixes` is a rule by itself: inside one room (which for other programs is one client), a
//! port whose name ends in `Out` or `Sen` is connected to those that end in `In` or `Rec`.
//!
//! As in `jack-matchmaker`, a first pattern that matches a port with an input only means those that are connected to
//! it: they go to the inputs of the second pattern too. A port that has both is taken for the output that it is.
//!
//! It differs in three ways. What a group matched is put in as plain text, never as a pattern. Look-around and
//! references back are refused, because with them a pattern can take for ever. And what a rule connected is
//! disconnected when no rule asks for it any more; connections that others made are never touched.
//!
//! Reading order: [`Port`]; [`Rules`]; [`Patch`].

mod error;
mod lines;
mod pattern;
mod port;
mod rules;
mod wiring;

pub use error::{RuleError, Wrong};
pub use port::{Address, Connection, Directions, Port, Ports};
pub use rules::{PATTERN_BYTES_MAX, RULES_MAX, Rules};
pub use wiring::{Command, Patch};

#[cfg(test)]
mod tests;

//! Tests of the session: a pair of sessions over a simulated network, and peers that follow a script.

mod flood;
mod invited;
mod network;
mod pair;
mod quirks;
mod script;

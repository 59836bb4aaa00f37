//! Lockstep's pure core.
//!
//! Everything here is a value that takes `now` and bytes and returns bytes, deadlines and events. There is no
//! clock, socket, thread, file or entropy in this crate: time and seeds are arguments, and `cargo xtask tidy`
//! checks it. The same types run in the plugin, in the relay, and in the simulator.
//!
//! Reading order: [`time`] names the three clocks and the grid; [`clock`] measures the maps between them;
//! [`timeline`] is the room's musical time on the grid, [`midi`] gives it to DAWs and hardware, [`transport`] moves a DAW
//! that lets itself be moved, [`rtpmidi`] is the protocol of foreign MIDI peers; [`wire`] is what crosses the network,
//! [`codec`] makes audio shorter on the way, [`redundancy`] sends again what a hop loses; [`session`] joins a member to a
//! relay; [`jitter`] holds what arrived, [`conceal`] makes up what did not; [`dsp`] turns it
//! into sound.

pub mod clock;
pub mod codec;
pub mod conceal;
pub mod dsp;
pub mod jitter;
pub mod midi;
pub mod redundancy;
pub mod rtpmidi;
pub mod session;
pub mod sync;
pub mod time;
pub mod timeline;
pub mod transport;
pub mod wire;

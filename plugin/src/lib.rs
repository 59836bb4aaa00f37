//! The Lockstep plugin.
//!
//! `host/` translates between nice-plug and [`engine::Engine`], which is all that runs on the audio thread;
//! [`link::Link`] is the network side as one value with five verbs; [`wiring`] is every ring between the two;
//! `shell/` gives the link a socket, a clock and a thread; [`instance::Instance`] is one plugin instance's place in
//! the process.

pub mod engine;
pub mod instance;
pub mod link;
pub mod shell;
pub mod status;
pub mod wiring;

#[cfg(feature = "host")]
mod editor;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod params;

#[cfg(feature = "host")]
pub use host::{GetPluginFactory, clap_entry};

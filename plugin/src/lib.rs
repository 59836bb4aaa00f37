//! The Lockstep plugin.
//!
//! `host/` translates between nice-plug and [`engine::Engine`]; `engine/` is all that runs on the audio thread;
//! [`instance::Instance`] is one plugin instance's place in the process.

pub mod engine;
pub mod instance;
pub mod status;

#[cfg(feature = "host")]
mod editor;
#[cfg(feature = "host")]
mod host;
#[cfg(feature = "host")]
mod params;

#[cfg(feature = "host")]
pub use host::{GetPluginFactory, clap_entry};

//! Small real hosts that load the built plugin: [`clap`] drives the .clap, [`vst3`] the .vst3.
//!
//! Both speak the vocabulary of [`block`]: stereo ports, events at frame offsets, the DAW's transport. A test, the
//! real-time host process `lockstep-host` and the sanitizer run are written against them, so what a DAW may do to a
//! plugin is written once: leave ports out, hand over null buffers, change the block's length, call it offline.

pub mod block;
pub mod clap;
pub mod clock;
pub mod console;
pub mod location;
pub mod reaper;
pub mod vst3;

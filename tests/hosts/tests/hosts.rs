//! The built plugin in real hosts: everything that a DAW, careful or careless, may do to it, without a
//! network and, in `network`, with one.
//!
//! The tests load the library that `cargo build -p lockstep-plugin` makes, or the file in `LOCKSTEP_PLUGIN`; those with a
//! network run the relay that `cargo build -p lockstep-relay` makes.
#![expect(clippy::unwrap_used, reason = "what fails in a test's own function fails the test")]

mod clap_audio;
mod clap_life;
mod clap_parameters;
mod clap_state;
mod network;
mod play;
mod scan;
mod support;
mod vst3_audio;
mod vst3_life;
mod vst3_parameters;
mod wav;

//! Models that the simulator and the test hosts share. The simulator carries the plugin and the relay with it; a host
//! that loads the built plugin must not, so these lie beside both.
//!
//! [`rng`] is where every accident comes from, on [`arithmetic`] that is the same everywhere; [`followers`] are DAWs that
//! a MIDI clock drives.

pub mod arithmetic;
pub mod followers;
pub mod rng;

//! The deterministic simulator: a shell around the production types, on virtual time and one seed.
//!
//! Reading order: [`rng`] is where every accident comes from; [`net`], [`clock`] and [`callbacks`] model what
//! networks, computers and hosts do to time; [`daw`] models hosts and [`song`] their transports, [`followers`] those
//! that a MIDI clock drives (that and [`rng`] are shared with the test hosts);
//! [`world`] puts relay, members and paths together; [`oracle`] recognises in what is heard what was sent,
//! [`alignment`] where it is heard; [`plan`] draws a whole run from a seed, [`run`] carries it out, [`checks`] say
//! what must hold in any, and [`listening`] lets one be heard; [`jam`] is the simulated twin of `cargo xtask jam`; [`figures`] compare
//! what is reached with its goals; [`peers`] are programs of others that we play with; [`shell`] is where benches
//! and the impairment proxy meet the real clock, sockets and the relay's process.

pub mod alignment;
pub mod callbacks;
pub mod checks;
pub mod clock;
pub mod contenders;
pub mod daw;
pub mod figures;
pub mod fuzz;
pub mod jam;
pub mod listening;
pub mod midi;
pub mod net;
pub mod oracle;
pub mod peers;
pub mod plan;
pub mod run;
pub mod shell;
pub mod song;
pub mod world;

pub use lockstep_models::{arithmetic, followers, rng};

//! The deterministic simulator: a shell around the production types, on virtual time and one seed.
//!
//! Reading order: [`rng`] is where every accident comes from; [`net`], [`clock`] and [`callbacks`] model what networks,
//! computers and hosts do to time; [`figures`] run production types over them and compare what they reach with their goals.

pub mod arithmetic;
pub mod callbacks;
pub mod clock;
pub mod figures;
pub mod net;
pub mod rng;

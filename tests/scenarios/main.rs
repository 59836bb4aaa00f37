//! Named behaviours, each run in the simulator with production types.

#![expect(clippy::unwrap_used, reason = "a scenario fails by panicking")]

mod clock;
mod conceal;
mod drift;
mod faults;
mod following;
mod midi;
mod mix;
mod oracle;
mod redundancy;
mod rtpmidi;
mod swarm;
mod ticks;
mod together;

//! Named behaviours, each run in the simulator with production types.

mod clock;
mod drift;
mod faults;
mod mix;
mod oracle;

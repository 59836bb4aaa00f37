//! Where benches meet the operating system: the clock, real sockets, the relay's process, CPU counters.

pub mod clock;
pub mod conductor;
pub mod impairment;
pub mod load;
pub mod midi_player;
pub mod priority;
pub mod relay_process;
pub mod runner;

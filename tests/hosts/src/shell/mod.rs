//! Where the operating system is: the clock, the audio thread's priority, the count of its allocations.

pub(crate) mod allocations;
pub(crate) mod clock;
pub(crate) mod priority;

//! Where the operating system is: the audio thread's priority, the count of its allocations.

pub(crate) mod allocations;
pub(crate) mod priority;

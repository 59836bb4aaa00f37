//! Kernels over planar `f32`: interpolation, mixing, metering.
//!
//! Nothing here knows where audio comes from. [`sinc`] reads a signal between its frames, which is all the
//! resampling that the system does; [`mix`] sums a room and takes each listener out again; [`gain`] and
//! [`meter`] are what stands before and after. What is built allocates; what runs a block does not.
//!
//! Values that feed back into themselves (a falling meter, a gain on its way down) end at exact zero and never
//! linger in denormal numbers, which cost some processors a hundred times the work.

pub mod figures;
pub mod gain;
pub mod meter;
pub mod mix;
pub mod planar;
pub mod sinc;

pub use gain::Gain;
pub use meter::{Level, Meter};
pub use mix::{Listener, Strip, Total};
pub use planar::{ChunkFrames, SILENT_CHUNK};
pub use sinc::Sinc;

//! Units. Three clocks are three types, and nothing here converts between them: only the maps in
//! [`crate::clock`] do.
//!
//! | clock | type | who reads it |
//! |---|---|---|
//! | the process's monotonic clock | [`LocalTime`] | one line in each shell |
//! | the audio interface | [`DeviceFrame`] | the engine counts blocks |
//! | the room | [`GridFrame`], [`GridPosition`] | nobody; it is computed |
//!
//! The grid runs at [`GRID_RATE`] and is cut into chunks of [`CHUNK_FRAMES`]; a [`ChunkIndex`] is the only
//! identity audio has.

pub mod convert;
mod device;
mod grid;
mod local;
mod music;

pub use device::{DeviceFrame, SampleRate};
pub use grid::{CHUNK_FRAMES, ChunkIndex, Frames, GRID_RATE, GridFrame, GridPosition};
pub use local::{LocalTime, Span};
pub use music::{Beats, MusicalStamp, Tempo};

//! What has arrived of a strip, addressed by grid index, and the one read pointer into it.
//!
//! ```text
//!   datagrams --insert--> ChunkWindow --gather--> ReadPointer --> a block of the device
//!        |                                             ^
//!        +--lateness--> JitterTarget --frames of delay-+
//! ```
//!
//! There is no queue. A [`ChunkWindow`] is a stretch of the grid with its audio in it; chunks fall into their
//! places in whatever order they come, and a [`ReadPointer`] reads at the place where the room is now, less a
//! delay. Jitter, clock drift and the sync delay are all that one delay. [`JitterTarget`] says how much of it
//! the network needs.

pub mod figures;
mod histogram;
mod motion;
mod pointer;
mod target;
mod urgency;
mod window;

pub use histogram::LatenessHistogram;
pub use motion::{FADE_FRAMES, GLIDE_SLOPE, Move, Tap, Taps};
pub use pointer::ReadPointer;
pub use target::{JitterPreset, JitterTarget, Reason};
pub use urgency::Urgency;
pub use window::{ChunkWindow, Insertion, Presence};

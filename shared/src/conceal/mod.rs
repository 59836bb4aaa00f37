//! What is played where a chunk is missing.
//!
//! ```text
//!   present             missing             present
//!  ~~~~~~~~~~~~~~~~~|- - - - - - - - - -|~~~~~~~~~~~~~~~~
//!   512 frames: Burg's model             up to 256 frames
//!        '--------> a continuation, while nothing after the gap is known
//!        '--------> a bridge <----------'  once something is
//! ```
//!
//! Music is predictable: over 10 ms a tone goes on as it was. A [`Model`] says how a frame follows from the 32 before
//! it; Burg's method (J. P. Burg, *Maximum entropy spectral analysis*, 1975) finds it in the 512 frames before a gap.
//! Two things are made of it:
//!
//! - A [`Continuation`] is what a model is to the reader that runs into a gap: a [`Run`] goes on from what was heard
//!   last, frame by frame, for 1 ms as loud as it was and then down to silence, which is reached after 10 ms.
//! - A [`bridge`] fills a gap of at most four chunks whose other side has arrived: of all ways across, the one that is
//!   least surprising to the model, on both sides at once. It is 8 to 12 dB nearer to the truth than a continuation.
//!
//! **Ahead of need.** [`Foresight`] keeps what lately arrived of a strip and works both out before anybody runs into the
//! gap: the continuation of whatever is newest, always, because a gap cannot be told from a chunk that is yet to come;
//! and a bridge when a chunk arrives beyond a hole. Both lie in the [window](crate::jitter::ChunkWindow) where the
//! missing chunk would, and a chunk that comes after all displaces them.
//!
//! **Never worse than silence.** What a model predicts of noise is not there to be predicted: Burg's method finds, by
//! chance, about as much in 512 frames of noise as it has coefficients. Each model knows how much it should be believed
//! ([`Model::kept`]), and what is played is that much of it. Nothing is louder than the history's peak.

mod bridge;
mod burg;
mod continuation;
mod foresight;
mod model;

pub use bridge::{BRIDGE_CHUNKS_MAX, bridge};
pub use continuation::{CROSSFADE_FRAMES, Continuation, FADE_FRAMES, HOLD_FRAMES, Run};
pub use foresight::{Foreseen, Foresight};
pub use model::{Model, ORDER};

/// Frames before a gap that a model is made of: 10.7 ms.
pub const HISTORY_FRAMES: usize = 512;
/// Frames after a gap that a model is made of, at most.
pub const FUTURE_FRAMES: usize = 256;

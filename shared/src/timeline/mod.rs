//! The room's musical time: which beat every place of the grid is.
//!
//! A [`Timeline`] is a short list of [`Segment`]s, each a beat, a pace and a motion from one grid position on.
//! It is state, not a message: whoever holds it knows every past and future tick, start, stop and loop wrap that
//! has been decided, computes them by itself, and computes the same as everybody else, to the last bit. Ticks
//! never cross the network; a lost datagram cannot lose one, and a late one cannot move one.
//!
//! ```text
//! beats                          /            epoch 3: back to the loop's start, scheduled ahead
//!   |                 ,---------'    ,-
//!   |             ,--'  new tempo   /
//!   |   ________,' start, epoch 2  /
//!   +----------------------------------------- grid
//! ```
//!
//! - *Read* it with [`Timeline::place`] (grid to beats) and [`Timeline::when`] (beats to grid): exact integers,
//!   each other's inverse, on every machine alike.
//! - *Change* it with [`Timeline::with_intent`], ahead of time: [`lead_time`] is how far ahead a change must lie
//!   so that everybody has heard of it, even if the first copies are lost.
//! - *Merge* it with [`Timeline::merge`]: the later revision stays, in whatever order revisions arrive.
//!
//! Within an epoch the line is continuous. Starts, seeks, jumps and loop wraps open a new epoch, and only there
//! may a beat come twice or never.

mod intent;
mod map;
mod pace;
mod segment;
mod signature;

pub use intent::{Intent, lead_time};
pub use map::{AuthorId, Place, SEGMENTS_MAX, Timeline};
pub use pace::Pace;
pub use segment::{Motion, Ramp, Segment};
pub use signature::{BarBeat, TimeSignature};

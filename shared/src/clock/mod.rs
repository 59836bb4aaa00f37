//! The maps between the three clocks, and the filters that measure them.
//!
//! ```text
//!  audio callbacks ──> DeviceClock ──> DeviceMap   (device <-> local)  ┐
//!                                                                      ├─> Alignment ──> Segment (device <-> grid)
//!  exchanges with the relay ──> RoomClock ──> RoomMap (local <-> grid) ┘
//! ```
//!
//! A *clock* here is a filter that takes observations, and a *map* is the small `Copy` value that it publishes. Only
//! maps convert. [`RoomClock`] runs wherever datagrams arrive; [`DeviceClock`] and [`Alignment`] run on the audio
//! thread and do constant work without allocating.
//!
//! Both filters rest on one fact: lateness has one sign. A datagram can be slower than the path, and a callback later
//! than the device, but never quicker. So each takes the *minimum* of a short window, which is nearly free of queues
//! and wake-ups, and lets a Kalman filter follow offset and rate (microseconds and ppm) through the minima.
//!
//! What no two-way exchange can see is a constant asymmetry of the path: half of it stays in the map.

mod alignment;
mod device;
mod direction;
mod filter;
mod map;
mod pace;
mod room;
mod run;
mod tracking;

pub use alignment::{Alignment, AlignmentEvent, AlignmentMode, Segment};
pub use device::{Callback, DeviceClock, Discontinuity};
pub use direction::{Direction, DirectionState, Trust};
pub use map::{DeviceMap, RoomMap};
pub use pace::HostPace;
pub use room::{Exchange, RoomClock, RoomEvent};

//! Where the operating system is: sockets, the media thread, signals, files, logs.

pub mod clock;
pub mod file;
pub mod logs;
pub mod media;
pub mod run;
mod signals;
pub mod state;
mod stats;
mod udp;

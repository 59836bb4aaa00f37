//! The bodies of the fuzz targets: for every input they assert what must hold, never only that nothing crashes.
//!
//! They are ordinary functions on the stable toolchain. `tests/fuzz` hands them to libFuzzer for discovery,
//! `tests/corpora` replays what discovery kept (`docs/fuzzing.md` has the commands and what was found).
//!
//! Reading order: [`decoders`] are the pure ones, from bytes to a value; [`window`] is a structure against a model of
//! it; [`session`] and [`relay`] are whole machines on virtual time, for which the input is a list of things that
//! happen ([`input`]).

mod decoders;
mod input;
mod relay;
mod session;
mod window;

pub use decoders::{config, documents, elements, handshake, invite};
pub use relay::relay;
pub use session::{client, server};
pub use window::window;

/// A target.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, which is the name of its corpus too.
    pub name: &'static str,
    /// What it asserts.
    pub body: fn(&[u8]),
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "elements", body: elements },
    Target { name: "handshake", body: handshake },
    Target { name: "documents", body: documents },
    Target { name: "invite", body: invite },
    Target { name: "server", body: server },
    Target { name: "client", body: client },
    Target { name: "window", body: window },
    Target { name: "config", body: config },
    Target { name: "relay", body: relay },
];

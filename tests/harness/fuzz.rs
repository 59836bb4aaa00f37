//! The bodies of the fuzz targets: for every input they assert what must hold, never only that nothing crashes.
//!
//! They are ordinary functions on the stable toolchain. `tests/fuzz` hands them to libFuzzer for discovery,
//! `tests/corpora` replays what discovery kept (`docs/fuzzing.md` has the commands and what was found).
//!
//! Reading order: [`decoders`] are the pure ones, from bytes to a value; [`lossless`](mod@lossless) is there and back; [`window`] is a structure against a model of
//! it; [`session`] and [`relay`] are whole machines on virtual time, for which the input is a list of things that
//! happen ([`input`]); [`midi`] is both for what speaks MIDI.

mod decoders;
mod input;
mod lossless;
mod midi;
mod relay;
mod session;
mod window;

pub use decoders::{config, documents, elements, handshake, invite};
pub use lossless::lossless;
pub use midi::{
    midi_control, midi_history, midi_journal, midi_packet, midi_receiver, midi_repair, midi_rules,
    midi_session, midi_stream,
};
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
pub const TARGETS: [Target; 19] = [
    Target { name: "elements", body: elements },
    Target { name: "handshake", body: handshake },
    Target { name: "documents", body: documents },
    Target { name: "invite", body: invite },
    Target { name: "server", body: server },
    Target { name: "client", body: client },
    Target { name: "window", body: window },
    Target { name: "config", body: config },
    Target { name: "relay", body: relay },
    Target { name: "midi_control", body: midi_control },
    Target { name: "midi_session", body: midi_session },
    Target { name: "midi_packet", body: midi_packet },
    Target { name: "midi_receiver", body: midi_receiver },
    Target { name: "midi_journal", body: midi_journal },
    Target { name: "midi_repair", body: midi_repair },
    Target { name: "midi_history", body: midi_history },
    Target { name: "midi_stream", body: midi_stream },
    Target { name: "midi_rules", body: midi_rules },
    Target { name: "lossless", body: lossless },
];

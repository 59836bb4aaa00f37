//! What the wire adds to the audio.

use lockstep_shared::time::convert::f64_from_usize;
use lockstep_shared::wire::handshake::{
    COOKIE_BYTES, HELLO_BYTES, Handshake, Hello, NOISE_BYTES, ROOM_TAG_BYTES,
};
use lockstep_shared::wire::{
    AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, Element, Format, PLAIN_BYTES_MAX,
    SEALED_HEADER_BYTES, SEALED_TAG_BYTES, StripId, WIRE_VERSION, WireChunk, Writer,
};

use super::{Figure, Holds};

/// Framing, headers and the amplification of an answer to a stranger.
#[must_use]
pub fn wire_figures() -> Vec<Figure> {
    let head = AudioHead {
        strip: StripId(0),
        first: WireChunk(0),
        format: Format::Pcm16,
        channels: Channels::Stereo,
        chunks: ChunksPerDatagram::One,
        stamp: None,
    };
    let mut buffer = [0; PLAIN_BYTES_MAX];
    let mut out = Writer::new(&mut buffer);
    // A chunk of stereo PCM16 fits four times.
    let _ = Element::encode_audio(&head, &[[[0.0; 64]; 2]], &mut out);
    let samples = AudioHead::sample_bytes(head.format, head.channels, head.chunks);
    let audio_header = out.length() - samples;
    let hello = length_of(Handshake::Hello(Hello {
        version: WIRE_VERSION,
        hello_id: 0,
        room_tag: [0; ROOM_TAG_BYTES],
        cookie: [0; COOKIE_BYTES],
        noise: [0; NOISE_BYTES],
    }));
    let retry = length_of(Handshake::Retry { hello_id: 0, cookie: [0; COOKIE_BYTES] });
    let row = |name: &str, note: &str, goal, measured, unit| Figure {
        name: format!("wire.{name}"),
        note: note.into(),
        goal,
        measured,
        holds: Holds::AtMost,
        unit,
    };
    vec![
        row(
            "framing_and_security",
            "beyond the audio's own",
            24.0,
            f64_from_usize(SEALED_HEADER_BYTES + SEALED_TAG_BYTES),
            "bytes",
        ),
        row("audio_header", "12 more with a beat", 20.0, f64_from_usize(audio_header), "bytes"),
        row("amplification", "of an unproven address", 1.0, retry / hello, "x"),
        row("longest_datagram", "", 1_200.0, f64_from_usize(DATAGRAM_BYTES_MAX), "bytes"),
    ]
}

fn length_of(packet: Handshake) -> f64 {
    let mut buffer = [0; HELLO_BYTES];
    let mut out = Writer::new(&mut buffer);
    // Every packet in the clear fits a hello's length.
    let _ = packet.encode(&mut out);
    f64_from_usize(out.length())
}

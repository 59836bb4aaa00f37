//! Bytes from anywhere, decoded.

use lockstep_relay::config::{Config, FileConfig, Listen, MEMBERS_MAX_LIMIT, Overrides};
use lockstep_shared::dsp::SILENT_CHUNK;
use lockstep_shared::redundancy::Asked;
use lockstep_shared::session::{DEFAULT_PORT, Invite, RelayPublicKey, RoomSecret};
use lockstep_shared::wire::handshake::{HELLO_BYTES, Handshake, Hello};
use lockstep_shared::wire::{
    DecodeError, Element, Elements, Full, Gains, Lead, PLAIN_BYTES_MAX, Profile, RoomDelay, RoomTimeline,
    Roster, Writer,
};

/// The elements of any packet encode to the bytes they came from, up to the first that cannot be read; every chunk
/// of their audio that can be read has finite samples.
pub fn elements(bytes: &[u8]) {
    let bytes = &bytes[..bytes.len().min(PLAIN_BYTES_MAX)];
    let mut buffer = [0; PLAIN_BYTES_MAX];
    let mut out = Writer::new(&mut buffer);
    let mut decoded = Elements::new(bytes);
    for element in decoded.by_ref().map_while(Result::ok) {
        if let Element::Audio(audio) = &element {
            let mut frames = SILENT_CHUNK;
            for number in 0..audio.head.chunks.count() {
                frames.as_flattened_mut().fill(f32::NAN);
                let is_whole = audio.chunk_into(number, &mut frames).is_ok();
                assert!(
                    !is_whole || frames.as_flattened().iter().all(|sample| sample.is_finite()),
                    "a sample is not finite"
                );
            }
        }
        element.encode(&mut out).expect("what came in one packet fits into one");
    }
    assert!(decoded.next().is_none(), "nothing follows what could not be read");
    assert_eq!(out.written(), &bytes[..out.length()]);
}

/// A packet in the clear encodes to itself and decodes again; what answers a hello is never longer than one.
pub fn handshake(bytes: &[u8]) {
    let Ok(packet) = Handshake::decode(bytes) else { return };
    assert!(Handshake::is_handshake(bytes), "what decodes is recognised by its first byte");
    let mut buffer = [0; HELLO_BYTES];
    let mut out = Writer::new(&mut buffer);
    packet.encode(&mut out).expect("nothing in the clear is longer than a hello");
    assert_eq!(Handshake::decode(out.written()), Ok(packet));
    match packet {
        // Its zeros are not looked at, and more may follow in a later version.
        Handshake::Hello(Hello { .. }) => {
            assert_eq!(out.length(), HELLO_BYTES);
            assert!(bytes.len() >= HELLO_BYTES, "a short hello would be answered at greater length");
        }
        Handshake::Retry { .. } | Handshake::Welcome { .. } | Handshake::Refused { .. } => {
            assert_eq!(out.written(), bytes);
            assert!(out.length() < HELLO_BYTES);
        }
    }
}

/// Every document has one spelling: what decodes encodes to the same bytes, and decodes to the same again.
pub fn documents(bytes: &[u8]) {
    spelling(bytes, Profile::decode, Profile::encode);
    spelling(bytes, Gains::decode, Gains::encode);
    spelling(bytes, Roster::decode, Roster::encode);
    spelling(bytes, RoomTimeline::decode, RoomTimeline::encode);
    spelling(bytes, Lead::decode, Lead::encode);
    spelling(bytes, RoomDelay::decode, |delay, out| delay.encode(out));
    spelling(bytes, Asked::decode, |asked, out| asked.encode(out));
}

fn spelling<D: PartialEq + core::fmt::Debug>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<D, DecodeError>,
    encode: impl Fn(&D, &mut Writer<'_>) -> Result<(), Full>,
) {
    let Ok(document) = decode(bytes) else { return };
    let mut buffer = vec![0; bytes.len()];
    let mut out = Writer::new(&mut buffer);
    encode(&document, &mut out).expect("a document needs the room that it came in");
    assert_eq!(out.written(), bytes);
    assert_eq!(decode(out.written()), Ok(document));
}

/// An invite that reads is the same when it is printed and read again.
pub fn invite(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(invite) = Invite::parse(text) {
        assert!(Invite::is_room_name(&invite.room));
        assert_eq!(Invite::parse(&invite.to_string()), Ok(invite));
    }
}

/// A configuration is refused in one line that has words for it, or it keeps its own rules, and its host and rooms can
/// stand in an invite.
pub fn config(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    let decided = FileConfig::parse("relay.toml", text)
        .and_then(|file| Config::resolve(Some(file), Overrides::default()));
    let config = match decided {
        Ok(config) => config,
        Err(error) => {
            let words = error.to_string();
            assert!(!words.is_empty() && !words.contains('\n'), "an error of several lines: {words:?}");
            return;
        }
    };
    assert!(!config.rooms.is_empty());
    for (number, room) in config.rooms.iter().enumerate() {
        assert!((1..=MEMBERS_MAX_LIMIT).contains(&room.members_max));
        assert!(config.rooms[..number].iter().all(|other| other.name != room.name));
        let invite = Invite {
            host: config.public_host.clone().unwrap_or_else(|| "relay.example".into()),
            port: DEFAULT_PORT,
            room: room.name.clone(),
            relay_key: RelayPublicKey([1; 32]),
            secret: RoomSecret([2; 16]),
        };
        assert_eq!(Invite::parse(&invite.to_string()), Ok(invite));
    }
    match &config.listen {
        Listen::Everywhere { .. } => {}
        Listen::Only(addresses) => assert!(!addresses.is_empty()),
    }
}

//! Noise NKpsk0, with its ephemeral keys from our entropy.

use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, Error, HandshakeState};

use super::Entropy;
use crate::wire::WIRE_VERSION;
use crate::wire::handshake::{NOISE_BYTES, NOISE_PAYLOAD_BYTES, ROOM_TAG_BYTES};

const PATTERN: &str = "Noise_NKpsk0_25519_ChaChaPoly_BLAKE2s";

/// The two directions' transport keys.
pub(super) struct TransportKeys {
    pub(super) to_relay: [u8; 32],
    pub(super) to_member: [u8; 32],
}

/// One handshake in progress.
pub(super) struct Noise(HandshakeState);

/// What one side says inside a handshake message.
pub(super) type Payload = [u8; NOISE_PAYLOAD_BYTES];

impl Noise {
    /// The member's side.
    pub(super) fn member(
        relay_public: &[u8; 32],
        psk: &[u8; 32],
        room_tag: &[u8; ROOM_TAG_BYTES],
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        builder(entropy)
            .remote_public_key(relay_public)?
            .psk(0, psk)?
            .prologue(&prologue(room_tag))?
            .build_initiator()
            .map(Self)
    }

    /// The relay's side.
    pub(super) fn relay(
        relay_private: &[u8; 32],
        psk: &[u8; 32],
        room_tag: &[u8; ROOM_TAG_BYTES],
        entropy: &mut Entropy,
    ) -> Result<Self, Error> {
        builder(entropy)
            .local_private_key(relay_private)?
            .psk(0, psk)?
            .prologue(&prologue(room_tag))?
            .build_responder()
            .map(Self)
    }

    pub(super) fn write(&mut self, payload: &Payload) -> Result<[u8; NOISE_BYTES], Error> {
        let mut message = [0; NOISE_BYTES];
        self.0.write_message(payload, &mut message)?;
        Ok(message)
    }

    pub(super) fn read(&mut self, message: &[u8; NOISE_BYTES]) -> Result<Payload, Error> {
        let mut payload = [0; NOISE_PAYLOAD_BYTES];
        self.0.read_message(message, &mut payload)?;
        Ok(payload)
    }

    /// The keys, once both messages have passed.
    pub(super) fn finish(mut self) -> TransportKeys {
        let (to_relay, to_member) = self.0.dangerously_get_raw_split();
        TransportKeys { to_relay, to_member }
    }
}

/// Both sides must mean the same version and room.
fn prologue(room_tag: &[u8; ROOM_TAG_BYTES]) -> [u8; 2 + ROOM_TAG_BYTES] {
    let mut prologue = [0; 2 + ROOM_TAG_BYTES];
    prologue[..2].copy_from_slice(&WIRE_VERSION.to_le_bytes());
    prologue[2..].copy_from_slice(room_tag);
    prologue
}

fn builder<'a>(entropy: &mut Entropy) -> Builder<'a> {
    let params = PATTERN.parse().expect("the pattern is well-formed");
    Builder::with_resolver(params, Box::new(Seeded(entropy.bytes32())))
}

struct Seeded([u8; 32]);

struct SeededRandom(Entropy);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        for part in dest.chunks_mut(32) {
            let bytes = self.0.bytes32();
            part.copy_from_slice(&bytes[..part.len()]);
        }
        Ok(())
    }
}

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(Entropy::new(&self.0))))
    }

    fn resolve_dh(&self, choice: &DHChoice) -> Option<Box<dyn Dh>> {
        DefaultResolver.resolve_dh(choice)
    }

    fn resolve_hash(&self, choice: &HashChoice) -> Option<Box<dyn Hash>> {
        DefaultResolver.resolve_hash(choice)
    }

    fn resolve_cipher(&self, choice: &CipherChoice) -> Option<Box<dyn Cipher>> {
        DefaultResolver.resolve_cipher(choice)
    }
}

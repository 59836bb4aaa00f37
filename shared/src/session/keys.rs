//! Keys and secrets, and what is derived from them.

use core::fmt;

use ring::hmac;
use snow::resolvers::{CryptoResolver, DefaultResolver};

use super::Entropy;
use crate::wire::handshake::ROOM_TAG_BYTES;

/// A relay's static X25519 key pair: what its invites name it by.
#[derive(Clone)]
pub struct RelayKey {
    private: [u8; 32],
    public: RelayPublicKey,
}

/// The public half of a [`RelayKey`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RelayPublicKey(pub [u8; 32]);

/// What a member must know to enter a room.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RoomSecret(pub [u8; 16]);

/// What a member is known by while its process lives: it returns as the same member.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey(pub [u8; 16]);

impl RelayKey {
    /// The pair of this private key.
    #[must_use]
    pub fn from_private(private: [u8; 32]) -> Self {
        let mut dh = DefaultResolver
            .resolve_dh(&snow::params::DHChoice::Curve25519)
            .expect("the default resolver is built with Curve25519");
        dh.set(&private);
        let mut public = [0; 32];
        public.copy_from_slice(dh.pubkey());
        Self { private, public: RelayPublicKey(public) }
    }

    /// A new pair.
    #[must_use]
    pub fn generate(entropy: &mut Entropy) -> Self {
        Self::from_private(entropy.bytes32())
    }

    /// The private half, to be kept in a file that only the relay reads.
    #[must_use]
    pub const fn private(&self) -> &[u8; 32] {
        &self.private
    }

    /// The public half.
    #[must_use]
    pub const fn public(&self) -> RelayPublicKey {
        self.public
    }
}

impl RoomSecret {
    /// The Noise pre-shared key of the room.
    pub(super) fn psk(&self) -> [u8; 32] {
        self.derive(b"lockstep 1 psk")
    }

    /// The public tag by which a relay finds the room; tells nothing of the secret.
    pub(super) fn tag(&self) -> [u8; ROOM_TAG_BYTES] {
        let mut tag = [0; ROOM_TAG_BYTES];
        tag.copy_from_slice(&self.derive(b"lockstep 1 room tag")[..ROOM_TAG_BYTES]);
        tag
    }

    fn derive(&self, purpose: &[u8]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &self.0), purpose);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(tag.as_ref());
        bytes
    }
}

impl MemberKey {
    /// A new member.
    #[must_use]
    pub fn generate(entropy: &mut Entropy) -> Self {
        let mut key = [0; 16];
        key.copy_from_slice(&entropy.bytes32()[..16]);
        Self(key)
    }
}

/// Secrets never reach a log.
macro_rules! opaque {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
opaque!(RelayKey, RelayPublicKey, RoomSecret, MemberKey);

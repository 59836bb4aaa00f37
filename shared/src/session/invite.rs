//! Invites: one line that holds all a member needs.

use core::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use thiserror::Error;

use super::{RelayPublicKey, RoomSecret};

/// The UDP port of a relay whose invite names none.
pub const DEFAULT_PORT: u16 = 48_064;
/// The longest room name, in bytes.
const ROOM_BYTES_MAX: usize = 32;
/// The longest host name (RFC 1035 section 2.3.4).
const HOST_BYTES_MAX: usize = 253;
const SCHEME: &str = "lockstep://";
const FRAGMENT_BYTES: usize = 32 + 16;

/// `lockstep://HOST[:PORT]/ROOM#SECRET`: where a relay is, how it is recognised, and a room's secret.
///
/// The secret stands behind `#`, which no program that understands addresses sends or logs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Invite {
    /// The relay's name or address; IPv6 without its brackets.
    pub host: String,
    /// The relay's UDP port.
    pub port: u16,
    /// The room.
    pub room: String,
    /// What the relay is recognised by.
    pub relay_key: RelayPublicKey,
    /// What opens the room.
    pub secret: RoomSecret,
}

/// Why a text is not an invite, in words for the person who pasted it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum InviteError {
    /// It does not start like one.
    #[error("an invite starts with lockstep:// - ask the relay's owner for the whole line")]
    Scheme,
    /// No host.
    #[error("the invite names no relay: after lockstep:// comes a host name or address")]
    Host,
    /// The port is not a number from 1 to 65535.
    #[error("the invite's port is not a number from 1 to 65535: {0}")]
    Port(String),
    /// The room's name is missing or malformed.
    #[error("the invite's room name must be 1 to 32 of a-z, 0-9, - and _: {0:?}")]
    Room(String),
    /// Nothing behind `#`.
    #[error("the invite has lost its secret, the part behind # - copy the whole line")]
    NoSecret,
    /// The part behind `#` is damaged.
    #[error(
        "the invite's secret is damaged (it has 64 letters, digits, - and _) - copy the whole line again"
    )]
    Secret,
}

impl Invite {
    /// Reads an invite; surrounding white space does not matter.
    pub fn parse(text: &str) -> Result<Self, InviteError> {
        let rest = text.trim().strip_prefix(SCHEME).ok_or(InviteError::Scheme)?;
        let (place, secret) = match rest.split_once('#') {
            Some((place, secret)) if !secret.is_empty() => (place, secret),
            _ => return Err(InviteError::NoSecret),
        };
        let (authority, room) = place.split_once('/').ok_or_else(|| InviteError::Room(String::new()))?;
        if !Self::is_room_name(room) {
            return Err(InviteError::Room(room.to_owned()));
        }
        let (host, port) = split_authority(authority)?;
        let mut fragment = [0; FRAGMENT_BYTES];
        // The decoder wants room for a whole last group; a longer text is refused by its length.
        match URL_SAFE_NO_PAD.decode(secret) {
            Ok(bytes) if bytes.len() == FRAGMENT_BYTES => fragment.copy_from_slice(&bytes),
            _ => return Err(InviteError::Secret),
        }
        let (mut relay_key, mut room_secret) = ([0; 32], [0; 16]);
        relay_key.copy_from_slice(&fragment[..32]);
        room_secret.copy_from_slice(&fragment[32..]);
        Ok(Self {
            host,
            port,
            room: room.to_owned(),
            relay_key: RelayPublicKey(relay_key),
            secret: RoomSecret(room_secret),
        })
    }

    /// Whether `name` may name a room.
    #[must_use]
    pub fn is_room_name(name: &str) -> bool {
        (1..=ROOM_BYTES_MAX).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    }

    /// `HOST[:PORT]/ROOM`, the part that is no secret and may be saved in a project.
    #[must_use]
    pub fn place(&self) -> String {
        let bracketed = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == DEFAULT_PORT {
            format!("{bracketed}/{}", self.room)
        } else {
            format!("{bracketed}:{}/{}", self.port, self.room)
        }
    }
}

impl fmt::Display for Invite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fragment = [0; FRAGMENT_BYTES];
        fragment[..32].copy_from_slice(&self.relay_key.0);
        fragment[32..].copy_from_slice(&self.secret.0);
        write!(f, "{SCHEME}{}#{}", self.place(), URL_SAFE_NO_PAD.encode(fragment))
    }
}

fn split_authority(authority: &str) -> Result<(String, u16), InviteError> {
    let (host, port) = if let Some(bracketed) = authority.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(InviteError::Host)?;
        match after.strip_prefix(':') {
            Some(port) => (host, Some(port)),
            None if after.is_empty() => (host, None),
            None => return Err(InviteError::Host),
        }
    } else {
        match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        }
    };
    let is_host_byte =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':' | b'_' | b'%');
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.bytes().all(is_host_byte) {
        return Err(InviteError::Host);
    }
    let port = match port {
        None => DEFAULT_PORT,
        Some(text) => match text.parse() {
            Ok(port) if port != 0 => port,
            _ => return Err(InviteError::Port(text.to_owned())),
        },
    };
    Ok((host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn invite(host: &str, port: u16) -> Invite {
        Invite {
            host: host.into(),
            port,
            room: "studio".into(),
            relay_key: RelayPublicKey([7; 32]),
            secret: RoomSecret([9; 16]),
        }
    }

    #[test]
    fn an_invite_reads_back_as_it_was_printed() {
        for invite in [invite("relay.example", DEFAULT_PORT), invite("127.0.0.1", 9), invite("::1", 48_065)] {
            assert_eq!(Invite::parse(&format!("  {invite}\n")), Ok(invite));
        }
    }

    #[test]
    fn each_way_to_break_an_invite_has_its_own_sentence() {
        let good = invite("relay.example", 9).to_string();
        let secret = good.split_once('#').unwrap().1;
        for (text, error) in [
            ("http://x/studio#abc".to_owned(), InviteError::Scheme),
            (good.replace("relay.example", ""), InviteError::Host),
            (good.replace(":9/", ":99999/"), InviteError::Port("99999".into())),
            (good.replace("studio", "Studio!"), InviteError::Room("Studio!".into())),
            (good.split_once('#').unwrap().0.to_owned(), InviteError::NoSecret),
            (good.replace(secret, &secret[1..]), InviteError::Secret),
        ] {
            assert_eq!(Invite::parse(&text), Err(error), "{text}");
        }
    }
}

//! Which values are allowed, one rule a function.

use core::net::{Ipv6Addr, SocketAddr};

use lockstep_shared::session::Invite;

use super::{MEMBERS_MAX_LIMIT, Problem, RoomConfig};

/// A name that an invite can carry and that none of `others` has.
pub(super) fn room_name(name: &str, others: &[RoomConfig]) -> Result<(), Problem> {
    if !Invite::is_room_name(name) {
        return Err(Problem::RoomName(name.to_owned()));
    }
    if others.iter().any(|other| other.name == name) {
        return Err(Problem::RoomTwice(name.to_owned()));
    }
    Ok(())
}

/// From 1 to [`MEMBERS_MAX_LIMIT`].
pub(super) fn members_max(count: usize) -> Result<(), Problem> {
    if (1..=MEMBERS_MAX_LIMIT).contains(&count) { Ok(()) } else { Err(Problem::MembersMax(count)) }
}

/// An address in numbers with a port; port 0 lets the system choose, which tests use.
pub(super) fn listen_address(text: &str) -> Result<SocketAddr, Problem> {
    text.trim().parse().map_err(|_| Problem::ListenAddress(text.to_owned()))
}

/// A host name or address that an invite can carry; IPv6 with or without brackets.
pub(super) fn host(text: &str) -> Result<String, Problem> {
    let refused = || Problem::PublicHost(text.to_owned());
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    if bare.contains(':') {
        return if bare.parse::<Ipv6Addr>().is_ok() { Ok(bare.to_owned()) } else { Err(refused()) };
    }
    // RFC 1035 section 2.3.4 for the length; the letters are those that an invite reads back.
    let is_host_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=253).contains(&bare.len()) && bare.len() == text.len() && bare.bytes().all(is_host_byte) {
        Ok(bare.to_owned())
    } else {
        Err(refused())
    }
}

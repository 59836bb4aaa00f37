//! Opening the sockets.

use core::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::io;

use socket2::{Domain, Protocol, Type};
use thiserror::Error;

use super::{Family, Socket, Udp};
use crate::config::Listen;

/// What is asked of the system for each direction: a fifth of a second of 40 members with 64-frame datagrams. It
/// gives what its own limit allows (on Linux `net.core.rmem_max` and `wmem_max`).
const SOCKET_BUFFER_BYTES: usize = 4 << 20;

/// Why a socket cannot be opened, and what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody else has the port.
    #[error(
        "UDP {address} is in use, perhaps by a relay that already runs; stop that one, or choose another port with \
         --listen ADDRESS:PORT"
    )]
    InUse {
        /// Where.
        address: SocketAddr,
    },
    /// This machine has no such address.
    #[error(
        "this machine has no address {address}; listen on one of its own, or leave --listen out for all of them"
    )]
    NotHere {
        /// Where.
        address: SocketAddr,
    },
    /// Something else.
    #[error(
        "cannot listen on UDP {address}: {reason}; choose another address or port with --listen ADDRESS:PORT"
    )]
    Refused {
        /// Where.
        address: SocketAddr,
        /// What the system said.
        reason: io::Error,
    },
}

/// Opens every socket that `listen` asks for.
///
/// # Errors
/// One of them cannot be opened; none stays open then.
pub fn open(listen: &Listen) -> Result<Udp, ListenError> {
    match listen {
        Listen::Everywhere { port } => open_everywhere(*port),
        Listen::Only(addresses) => addresses
            .iter()
            .map(|&address| bind(address, family(address, addresses)))
            .collect::<Result<_, _>>()
            .map(Udp::new),
    }
}

/// One socket for both families, or two, or one for the family that this machine has.
fn open_everywhere(port: u16) -> Result<Udp, ListenError> {
    let v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
    let v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    match bind(v6, Family::Both) {
        Ok(both) => Ok(Udp::new(vec![both])),
        Err(error @ ListenError::InUse { .. }) => Err(error),
        // No IPv6 here, or a system that keeps the families apart.
        Err(ListenError::NotHere { .. } | ListenError::Refused { .. }) => {
            let first = bind(v4, Family::V4)?;
            Ok(Udp::new([Some(first), bind(v6, Family::V6).ok()].into_iter().flatten().collect()))
        }
    }
}

/// `[::]` takes IPv4 too, unless the admin gave that port of IPv4 an address of its own.
fn family(address: SocketAddr, all: &[SocketAddr]) -> Family {
    let v4_apart = all.iter().any(|other| other.is_ipv4() && other.port() == address.port());
    if address.is_ipv4() {
        Family::V4
    } else if address.ip().is_unspecified() && !v4_apart {
        Family::Both
    } else {
        Family::V6
    }
}

fn bind(address: SocketAddr, family: Family) -> Result<Socket, ListenError> {
    let open = || -> io::Result<Socket> {
        let socket = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        match family {
            Family::V4 => {}
            Family::V6 => socket.set_only_v6(true)?,
            Family::Both => socket.set_only_v6(false)?,
        }
        // Both are wishes: a smaller buffer works until the machine is late.
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES);
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER_BYTES);
        #[cfg(target_os = "linux")]
        super::linux::note_arrivals(&socket);
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let udp = std::net::UdpSocket::from(socket);
        Ok(Socket { address: udp.local_addr()?, udp, family })
    };
    open().map_err(|reason| {
        let is = |kind| reason.kind() == kind;
        if is(io::ErrorKind::AddrInUse) {
            ListenError::InUse { address }
        } else if is(io::ErrorKind::AddrNotAvailable) {
            ListenError::NotHere { address }
        } else {
            ListenError::Refused { address, reason }
        }
    })
}

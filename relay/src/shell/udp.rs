//! UDP: sockets, and datagrams in and out in batches.
//!
//! By default one IPv6 socket takes IPv4 too (RFC 3493 section 5.3); the core never sees that, for it an IPv4 peer
//! has an IPv4 address. An answer leaves through the socket that its peer was last heard on, since a peer behind a
//! NAT accepts answers from nowhere else.

mod batch;
#[cfg(target_os = "linux")]
mod linux;
mod open;
#[cfg(any(not(target_os = "linux"), test))]
mod portable;
mod routes;
mod wait;

pub use batch::{Inbox, Outbox};
pub use open::{ListenError, open};
pub use wait::Interrupts;

use core::net::SocketAddr;
use core::time::Duration;
use std::io;
use std::net::UdpSocket;

use routes::Routes;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use portable as system;

/// The relay's sockets, none of which ever blocks.
#[derive(Debug)]
pub struct Udp {
    sockets: Vec<Socket>,
    routes: Routes,
}

/// One bound socket.
#[derive(Debug)]
pub struct Socket {
    udp: UdpSocket,
    address: SocketAddr,
    family: Family,
}

/// Which addresses a socket takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
    /// IPv6, and IPv4 as mapped addresses.
    Both,
}

/// What became of the datagrams of one flush.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Handed to the system.
    pub sent: u64,
    /// Refused by the system: its buffer is full, or the address cannot be reached. Audio is never sent late, so
    /// they are gone.
    pub refused: u64,
}

impl Udp {
    fn new(sockets: Vec<Socket>) -> Self {
        let routes = Routes::new(&sockets);
        Self { sockets, routes }
    }

    /// The addresses that are bound, with the ports the system chose.
    pub fn addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.sockets.iter().map(|socket| socket.address)
    }

    /// How many sockets there are.
    #[must_use]
    pub const fn socket_count(&self) -> usize {
        self.sockets.len()
    }

    /// Fills `inbox` with what has arrived at the socket `index`, at most one batch, without waiting.
    ///
    /// # Errors
    /// What the system says, other than that nothing has arrived.
    pub fn receive(&mut self, index: usize, inbox: &mut Inbox) -> io::Result<()> {
        inbox.clear();
        let Some(socket) = self.sockets.get(index) else { return Ok(()) };
        match system::receive(&socket.udp, inbox) {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.routes.learn(index, inbox);
        Ok(())
    }

    /// Sends all that `outbox` holds, and empties it.
    pub fn send(&mut self, outbox: &mut Outbox) -> Sent {
        let mut total = Sent::default();
        let mut start = 0;
        while let Some(first) = outbox.target(start) {
            let index = self.routes.socket_towards(first);
            let mut end = start + 1;
            while outbox.target(end).is_some_and(|next| self.routes.socket_towards(next) == index) {
                end += 1;
            }
            let Some(socket) = index.and_then(|index| self.sockets.get(index)) else {
                total.refused += 1;
                start += 1;
                continue;
            };
            outbox.map_addresses(start..end, |target| socket.family.reaches(target));
            while start < end {
                match system::send(&socket.udp, outbox, start..end) {
                    Ok(count) if count > 0 => {
                        total.sent += u64::try_from(count).unwrap_or(0);
                        start += count;
                    }
                    // The first one is the one that was refused.
                    Ok(_) | Err(_) => {
                        total.refused += 1;
                        start += 1;
                    }
                }
            }
        }
        outbox.clear();
        total
    }

    /// Sends one datagram at once; false if the system does not take it.
    pub fn send_one(&mut self, to: SocketAddr, bytes: &[u8]) -> bool {
        let socket = self.routes.socket_towards(to).and_then(|index| self.sockets.get(index));
        socket.is_some_and(|socket| socket.udp.send_to(bytes, socket.family.reaches(to)).is_ok())
    }
}

/// Returns when a datagram has arrived at one of these, `time` has passed, or there is an interrupt.
pub fn wait<'a>(
    all: impl Iterator<Item = &'a Udp>,
    others: impl Iterator<Item = &'a UdpSocket>,
    time: Duration,
    interrupts: &Interrupts,
) {
    wait::wait(all.flat_map(|udp| &udp.sockets).map(|socket| &socket.udp).chain(others), time, interrupts);
}

/// Returns when `time` has passed or there is an interrupt, whatever arrives.
pub fn pause(time: Duration, interrupts: &Interrupts) {
    wait::wait(core::iter::empty(), time, interrupts);
}

impl Family {
    const fn takes(self, address: SocketAddr) -> bool {
        match self {
            Self::V4 => address.is_ipv4(),
            Self::V6 => address.is_ipv6(),
            Self::Both => true,
        }
    }

    /// `target` as a socket of this family writes it.
    fn reaches(self, target: SocketAddr) -> SocketAddr {
        match (self, target) {
            (Self::Both, SocketAddr::V4(v4)) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
            (Self::V4 | Self::V6 | Self::Both, target) => target,
        }
    }
}

#[cfg(test)]
mod tests;

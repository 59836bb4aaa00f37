//! A multicast group on the loopback, as `QmidiNet` and ipMIDI use it.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::net::UdpSocket;

use anyhow::Result;

/// A group that is nobody's, so that what is played here is heard nowhere else.
pub const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 21);

/// Plays into a group.
#[derive(Debug)]
pub struct Speaker {
    socket: UdpSocket,
    group: SocketAddr,
}

impl Speaker {
    /// One that speaks on the loopback.
    ///
    /// # Errors
    /// The system has no loopback.
    pub fn new(port: u16) -> Result<Self> {
        // Bound to the loopback, datagrams for a group leave there.
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_multicast_loop_v4(true)?;
        Ok(Self { socket, group: SocketAddrV4::new(GROUP, port).into() })
    }

    /// Says the bytes of messages.
    ///
    /// # Errors
    /// The system does not take them.
    pub fn say(&self, bytes: &[u8]) -> Result<()> {
        self.socket.send_to(bytes, self.group)?;
        Ok(())
    }
}

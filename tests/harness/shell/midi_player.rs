//! An RTP-MIDI participant on real sockets.

use std::net::UdpSocket;

use anyhow::{Result, bail};
use core::net::SocketAddr;
use lockstep_shared::rtpmidi::session::Port;

use super::clock;
use crate::midi::MidiPeer;

/// See the module's page; it lives as long as it is given turns.
#[derive(Debug)]
pub struct MidiPlayer {
    /// What it runs.
    pub peer: MidiPeer,
    sockets: [UdpSocket; 2],
}

impl MidiPlayer {
    /// A participant called `name` that invites the room at the control port `room`.
    ///
    /// # Errors
    /// No ports are free.
    pub fn new(name: &str, room: SocketAddr, seed: u8) -> Result<Self> {
        let sockets = pair()?;
        Ok(Self { peer: MidiPeer::new(clock::now(), name, room, seed), sockets })
    }

    /// Takes what has come, does what is due, and sends what is to be sent.
    pub fn turn(&mut self) {
        let mut buffer = [0; 2_048];
        for (socket, port) in self.sockets.iter().zip([Port::Control, Port::Data]) {
            while let Ok((length, from)) = socket.recv_from(&mut buffer) {
                self.peer.handle_datagram(clock::now(), port, from, &buffer[..length]);
            }
        }
        let now = clock::now();
        if self.peer.poll_timeout() <= now {
            self.peer.handle_timeout(now);
        }
        let mut out = Vec::new();
        while let Some((port, to)) = self.peer.poll_transmit(clock::now(), &mut out) {
            // A loopback that is full loses what a network may lose.
            let _ = self.sockets[usize::from(port == Port::Data)].send_to(&out, to);
        }
    }
}

/// Two neighbouring ports of the loopback that are free now; the first is even.
///
/// # Errors
/// There are none.
pub fn free_ports() -> Result<u16> {
    let [control, _] = pair()?;
    Ok(control.local_addr()?.port())
}

/// Two neighbouring ports, as the protocol has them.
fn pair() -> Result<[UdpSocket; 2]> {
    for _ in 0..200 {
        let control = UdpSocket::bind("127.0.0.1:0")?;
        let port = control.local_addr()?.port();
        if port % 2 == 0
            && let Ok(data) = UdpSocket::bind(("127.0.0.1", port + 1))
        {
            control.set_nonblocking(true)?;
            data.set_nonblocking(true)?;
            return Ok([control, data]);
        }
    }
    bail!("no two neighbouring ports are free")
}

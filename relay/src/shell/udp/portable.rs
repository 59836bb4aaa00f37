//! One datagram a system call, for systems without batched ones.

use core::net::SocketAddr;
use core::ops::Range;
use std::io;
use std::net::UdpSocket;

use crate::shell::clock;

use super::batch::{Arrival, INBOX_DATAGRAMS, Inbox, Outbox};

/// Appends what has arrived, at most a batch.
pub(super) fn receive(socket: &UdpSocket, inbox: &mut Inbox) -> io::Result<()> {
    while inbox.arrivals.len() < INBOX_DATAGRAMS {
        match socket.recv_from(&mut inbox.buffers[inbox.arrivals.len()]) {
            Ok((length, from)) => {
                let ip = from.ip().to_canonical();
                // The scope of a link-local address is part of where it is.
                let from = if ip == from.ip() { from } else { SocketAddr::new(ip, from.port()) };
                inbox.arrivals.push(Arrival { from, length, at: clock::now() });
            }
            Err(_) if !inbox.arrivals.is_empty() => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Sends the first departure of `range`; returns how many the system took.
pub(super) fn send(socket: &UdpSocket, outbox: &mut Outbox, range: Range<usize>) -> io::Result<usize> {
    let (Some(buffer), Some(departure)) =
        (outbox.buffers.get(range.start), outbox.departures.get(range.start))
    else {
        return Ok(0);
    };
    socket.send_to(&buffer[..departure.length], departure.address).map(|_| 1)
}

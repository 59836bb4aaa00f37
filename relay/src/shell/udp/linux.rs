//! A whole batch in one system call: recvmmsg(2) and sendmmsg(2).

use core::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use core::ops::Range;
use core::time::Duration;
use std::io::{self, IoSlice, IoSliceMut};
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd as _};

use lockstep_shared::time::Span;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, MultiHeaders, RecvMsg, SockaddrStorage, recvmmsg, sendmmsg, setsockopt,
    sockopt,
};

use crate::shell::clock;

use super::batch::{Arrival, Inbox, OUTBOX_DATAGRAMS, Outbox};

/// Where nothing comes from and nothing goes.
const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// The system's message headers, made once.
pub(super) type Headers = MultiHeaders<SockaddrStorage>;

/// For datagrams that come, each with the note of when.
pub(super) fn receiving(count: usize) -> Headers {
    MultiHeaders::preallocate(count, Some(nix::cmsg_space!(nix::sys::time::TimeSpec)))
}

/// For datagrams that leave.
pub(super) fn sending(count: usize) -> Headers {
    MultiHeaders::preallocate(count, None)
}

/// Asks the system to note when each datagram arrives. Where it will not, they are as old as when they are read.
pub(super) fn note_arrivals(socket: &impl AsFd) {
    let _ = setsockopt(socket, sockopt::ReceiveTimestampns, &true);
}

/// Appends what has arrived, at most a batch.
pub(super) fn receive(socket: &UdpSocket, inbox: &mut Inbox) -> io::Result<()> {
    let Inbox { buffers, arrivals, headers } = inbox;
    let mut slices = buffers.each_mut().map(|buffer| [IoSliceMut::new(buffer)]);
    let messages = recvmmsg(socket.as_raw_fd(), headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None)?;
    let now = clock::now();
    for message in messages {
        // A sender without an address cannot be answered; length zero is dropped by whoever reads it.
        let from = message.address.and_then(socket_address);
        let (from, length) = from.map_or((NOWHERE, 0), |from| (from, message.bytes));
        arrivals.push(Arrival { from, length, at: now - age_of(&message) });
    }
    Ok(())
}

/// How long ago a datagram arrived, as far as the system says.
fn age_of(message: &RecvMsg<'_, '_, SockaddrStorage>) -> Span {
    let stamp = message.cmsgs().ok().and_then(|mut notes| {
        notes.find_map(|note| {
            if let ControlMessageOwned::ScmTimestampns(at) = note { Some(Duration::from(at)) } else { None }
        })
    });
    stamp.and_then(clock::age_of).unwrap_or(Span::ZERO)
}

/// Sends the departures of `range` in order; returns how many the system took.
pub(super) fn send(socket: &UdpSocket, outbox: &mut Outbox, range: Range<usize>) -> io::Result<usize> {
    let Outbox { buffers, departures, headers } = outbox;
    let (Some(buffers), Some(departures)) = (buffers.get(range.clone()), departures.get(range)) else {
        return Ok(0);
    };
    let mut slices = [[IoSlice::new(&[])]; OUTBOX_DATAGRAMS];
    let mut addresses = [None; OUTBOX_DATAGRAMS];
    for (index, (departure, buffer)) in departures.iter().zip(buffers).enumerate() {
        slices[index] = [IoSlice::new(&buffer[..departure.length])];
        addresses[index] = Some(SockaddrStorage::from(departure.address));
    }
    let count = departures.len();
    let sent = sendmmsg(
        socket.as_raw_fd(),
        headers,
        &slices[..count],
        &addresses[..count],
        [],
        MsgFlags::MSG_DONTWAIT,
    )?;
    Ok(sent.count())
}

fn socket_address(address: SockaddrStorage) -> Option<SocketAddr> {
    if let Some(&v4) = address.as_sockaddr_in() {
        return Some(v4.into());
    }
    let v6 = SocketAddrV6::from(*address.as_sockaddr_in6()?);
    Some(v6.ip().to_ipv4_mapped().map_or(SocketAddr::V6(v6), |v4| SocketAddr::from((v4, v6.port()))))
}

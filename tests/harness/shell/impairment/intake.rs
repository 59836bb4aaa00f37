//! A socket that says when a datagram came.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use lockstep_shared::time::LocalTime;

use super::super::clock;

/// A socket that does not block.
#[derive(Debug)]
pub(super) struct Intake {
    socket: UdpSocket,
}

impl Intake {
    pub(super) fn new(socket: UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        ask_for_stamps(&socket)?;
        Ok(Self { socket })
    }

    pub(super) const fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// A datagram's length, where it came from, and when; none if there is none.
    pub(super) fn take(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr, LocalTime)> {
        loop {
            match receive(&self.socket, buffer) {
                Ok(taken) => return Some(taken),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // An ICMP answer to an earlier datagram: what comes after it is still there.
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                Err(_) => return None,
            }
        }
    }
}

/// The kernel stamps what it takes (socket(7), `SO_TIMESTAMPNS`).
#[cfg(target_os = "linux")]
fn ask_for_stamps(socket: &UdpSocket) -> io::Result<()> {
    nix::sys::socket::setsockopt(socket, nix::sys::socket::sockopt::ReceiveTimestampns, &true)?;
    Ok(())
}

#[cfg(target_os = "linux")]
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, LocalTime)> {
    use std::io::IoSliceMut;
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg};
    use nix::sys::time::TimeSpec;

    let mut control = nix::cmsg_space!(TimeSpec);
    let mut slices = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        socket.as_raw_fd(),
        &mut slices,
        Some(&mut control),
        MsgFlags::MSG_DONTWAIT,
    )?;
    // Nothing else was asked for.
    let stamp = message.cmsgs()?.find_map(|control| {
        if let ControlMessageOwned::ScmTimestampns(stamp) = control { Some(stamp) } else { None }
    });
    let from = message.address.as_ref().and_then(|address| {
        let four = address.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
        four.or_else(|| address.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
    });
    let from = from.ok_or_else(|| io::Error::other("a datagram from no address"))?;
    let now = clock::now();
    let at = stamp.map_or(now, |stamp| now - clock::age(std::time::Duration::from(stamp)));
    Ok((message.bytes, from, at))
}

/// Elsewhere a datagram's time is when it is read.
#[cfg(not(target_os = "linux"))]
fn ask_for_stamps(_socket: &UdpSocket) -> io::Result<()> {
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr, LocalTime)> {
    let (length, from) = socket.recv_from(buffer)?;
    Ok((length, from, clock::now()))
}

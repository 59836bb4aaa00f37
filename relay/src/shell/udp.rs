//! The relay's sockets, read and written in batches: one system call for many datagrams.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use lockstep_shared::wire::DATAGRAM_BYTES_MAX;
use socket2::{Domain, Protocol, Socket, Type};

/// Datagrams of one system call.
pub(super) const BATCH: usize = 64;
/// Longer datagrams than the protocol's are not read whole; this much of them tells that they are.
const BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + 1;
/// What the kernel keeps for us while the relay is away: 40 members' datagrams of half a second.
const KERNEL_BUFFER_BYTES: usize = 8 << 20;

/// One buffer for each datagram of a batch.
type Buffers = Box<[[u8; BUFFER_BYTES]]>;

/// Opens a socket. An IPv6 wildcard address takes IPv4 too.
pub(super) fn bind(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    socket.set_nonblocking(true)?;
    // The system may grant less than asked.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER_BYTES);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER_BYTES);
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Datagrams received at once.
#[derive(Debug)]
pub(super) struct Inbox {
    buffers: Buffers,
    heads: Vec<(usize, SocketAddr)>,
    #[cfg(target_os = "linux")]
    headers: linux::Headers,
}

/// Datagrams to be sent at once.
#[derive(Debug)]
pub(super) struct Outbox {
    buffers: Buffers,
    heads: Vec<(usize, SocketAddr)>,
    #[cfg(target_os = "linux")]
    headers: linux::Headers,
    /// Datagrams that the system did not take.
    pub(super) unsent: u64,
}

impl Inbox {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; BUFFER_BYTES]; BATCH].into_boxed_slice(),
            heads: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            headers: linux::Headers::new(),
        }
    }

    /// Takes what has arrived, up to a batch; returns how many.
    pub(super) fn receive(&mut self, socket: &UdpSocket) -> usize {
        self.heads.clear();
        #[cfg(target_os = "linux")]
        self.headers.receive(socket, &mut self.buffers, &mut self.heads);
        #[cfg(not(target_os = "linux"))]
        for buffer in &mut self.buffers {
            // An error here is an ICMP answer to a datagram that was sent, or that nothing is there.
            let Ok((length, from)) = socket.recv_from(buffer) else { break };
            self.heads.push((length, from));
        }
        self.heads.len()
    }

    /// The datagrams received last, but for those that are longer than the protocol's.
    pub(super) fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        let heads = self.heads.iter().zip(&mut self.buffers);
        heads
            .filter(|((length, _), _)| *length <= DATAGRAM_BYTES_MAX)
            .map(|((length, from), buffer)| (*from, &mut buffer[..*length]))
    }
}

impl Outbox {
    pub(super) fn new() -> Self {
        Self {
            buffers: vec![[0; BUFFER_BYTES]; BATCH].into_boxed_slice(),
            heads: Vec::with_capacity(BATCH),
            #[cfg(target_os = "linux")]
            headers: linux::Headers::new(),
            unsent: 0,
        }
    }

    /// Lets `write` fill the next buffer, sending first if all are full. Returns where the datagram goes; none when
    /// `write` had nothing.
    pub(super) fn fill(
        &mut self,
        socket: &UdpSocket,
        write: impl FnOnce(&mut [u8]) -> Option<(SocketAddr, usize)>,
    ) -> Option<SocketAddr> {
        if self.heads.len() == BATCH {
            self.flush(socket);
        }
        let (to, length) = write(&mut self.buffers[self.heads.len()][..DATAGRAM_BYTES_MAX])?;
        self.heads.push((length, to));
        Some(to)
    }

    /// Moves the datagram that was filled last to another socket's outbox.
    pub(super) fn hand_over(&mut self, other: &mut Self, socket: &UdpSocket) {
        let Some((length, to)) = self.heads.pop() else { return };
        let datagram = &self.buffers[self.heads.len()][..length];
        other.fill(socket, |buffer| {
            buffer[..length].copy_from_slice(datagram);
            Some((to, length))
        });
    }

    /// Sends what was filled. A datagram that the system does not take is lost, as on any network, and counted.
    pub(super) fn flush(&mut self, socket: &UdpSocket) {
        let mut next = 0;
        while next < self.heads.len() {
            #[cfg(target_os = "linux")]
            let sent = self.headers.send(socket, &self.buffers[next..], &self.heads[next..]);
            #[cfg(not(target_os = "linux"))]
            let sent = {
                let (length, to) = self.heads[next];
                socket.send_to(&self.buffers[next][..length], to).map_or(0, |_| 1)
            };
            if sent == 0 {
                self.unsent += 1;
            }
            next += sent.max(1);
        }
        self.heads.clear();
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io::{IoSlice, IoSliceMut};
    use std::net::{SocketAddr, UdpSocket};
    use std::os::fd::AsRawFd as _;

    use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrLike as _, SockaddrStorage, recvmmsg, sendmmsg};

    use super::{BATCH, BUFFER_BYTES};

    /// The kernel's list of messages, made once.
    pub(super) struct Headers(MultiHeaders<SockaddrStorage>);

    impl Headers {
        pub(super) fn new() -> Self {
            Self(MultiHeaders::preallocate(BATCH, None))
        }

        pub(super) fn receive(
            &mut self,
            socket: &UdpSocket,
            buffers: &mut [[u8; BUFFER_BYTES]],
            heads: &mut Vec<(usize, SocketAddr)>,
        ) {
            let mut buffers = buffers.iter_mut();
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] = core::array::from_fn(|_| {
                [IoSliceMut::new(buffers.next().map_or(&mut [], |buffer| buffer.as_mut_slice()))]
            });
            let received =
                recvmmsg(socket.as_raw_fd(), &mut self.0, &mut slices, MsgFlags::MSG_DONTWAIT, None);
            // An error here is an ICMP answer to a datagram that was sent, or that nothing is there.
            for message in received.into_iter().flatten() {
                if let Some(from) = message.address.as_ref().and_then(socket_address) {
                    heads.push((message.bytes, from));
                }
            }
        }

        /// Returns how many the system took.
        pub(super) fn send(
            &mut self,
            socket: &UdpSocket,
            buffers: &[[u8; BUFFER_BYTES]],
            heads: &[(usize, SocketAddr)],
        ) -> usize {
            let nowhere = ([0, 0, 0, 0], 0).into();
            let mut addresses = [None; BATCH];
            let slices: [[IoSlice<'_>; 1]; BATCH] = core::array::from_fn(|number| {
                let (length, _) = heads.get(number).copied().unwrap_or((0, nowhere));
                [IoSlice::new(buffers.get(number).map_or(&[], |buffer| &buffer[..length]))]
            });
            for (address, (_, to)) in addresses.iter_mut().zip(heads) {
                *address = Some(SockaddrStorage::from(*to));
            }
            let count = heads.len().min(BATCH);
            sendmmsg(
                socket.as_raw_fd(),
                &mut self.0,
                &slices[..count],
                &addresses[..count],
                [],
                MsgFlags::MSG_DONTWAIT,
            )
            .map_or(0, Iterator::count)
        }
    }

    fn socket_address(storage: &SockaddrStorage) -> Option<SocketAddr> {
        debug_assert!(storage.len() > 0);
        let v4 = storage.as_sockaddr_in().map(|address| SocketAddr::V4((*address).into()));
        v4.or_else(|| storage.as_sockaddr_in6().map(|address| SocketAddr::V6((*address).into())))
    }

    impl core::fmt::Debug for Headers {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.write_str("Headers")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_goes_out_and_comes_back_whole() {
        let here = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let there = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let to = there.local_addr().unwrap();
        let mut outbox = Outbox::new();
        for number in 0..100_u8 {
            let filled = outbox.fill(&here, |buffer| {
                buffer[..2].fill(number);
                Some((to, usize::from(number) + 2))
            });
            assert_eq!(filled, Some(to));
        }
        assert_eq!(outbox.fill(&here, |_| None), None);
        outbox.flush(&here);
        assert_eq!(outbox.unsent, 0);
        let (mut inbox, mut received) = (Inbox::new(), Vec::new());
        for _ in 0..1_000 {
            inbox.receive(&there);
            received.extend(inbox.datagrams().map(|(from, bytes)| (from, bytes[0], bytes.len())));
        }
        let from = here.local_addr().unwrap();
        let expected: Vec<_> = (0..100).map(|number| (from, number, usize::from(number) + 2)).collect();
        assert_eq!(received, expected);
    }

    #[test]
    fn a_datagram_longer_than_the_protocols_is_passed_over() {
        let here = bind(([127, 0, 0, 1], 0).into()).unwrap();
        let there = bind(([127, 0, 0, 1], 0).into()).unwrap();
        here.send_to(&[1; DATAGRAM_BYTES_MAX + 1], there.local_addr().unwrap()).unwrap();
        let mut inbox = Inbox::new();
        while inbox.receive(&there) == 0 {}
        assert_eq!(inbox.datagrams().count(), 0);
    }
}

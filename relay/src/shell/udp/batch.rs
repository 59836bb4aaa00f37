//! Room for one batch of datagrams each way, made once.

use core::net::SocketAddr;
use core::ops::Range;

use lockstep_shared::time::LocalTime;
use lockstep_shared::wire::DATAGRAM_BYTES_MAX;

/// Room for one datagram: an Ethernet frame's, for peers of RTP-MIDI fill it; more than the largest of our own, so that a
/// longer one is seen to be longer.
pub(super) const BUFFER_BYTES: usize = 1_504;
const _: () = assert!(BUFFER_BYTES > DATAGRAM_BYTES_MAX);
/// Datagrams taken in one call. While they are handled the next ones wait, so it bounds how late a stamp of arrival is.
pub(super) const INBOX_DATAGRAMS: usize = 32;
/// Datagrams sent in one call. Each is stamped when it is written and leaves when the batch is full or nothing more
/// is to be sent: 16 of about 3 us each keep that under 50 us.
pub(super) const OUTBOX_DATAGRAMS: usize = 16;

pub(super) type Buffer = [u8; BUFFER_BYTES];

/// Received datagrams.
#[derive(Debug)]
pub struct Inbox {
    pub(super) buffers: Box<[Buffer; INBOX_DATAGRAMS]>,
    pub(super) arrivals: Vec<Arrival>,
    #[cfg(target_os = "linux")]
    pub(super) headers: super::linux::Headers,
}

/// One received datagram: its buffer is the one of the same number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) from: SocketAddr,
    pub(super) length: usize,
    /// When the system took it off the network, or when it was read where the system does not say.
    pub(super) at: LocalTime,
}

/// Datagrams to send.
#[derive(Debug)]
pub struct Outbox {
    pub(super) buffers: Box<[Buffer; OUTBOX_DATAGRAMS]>,
    pub(super) departures: Vec<Departure>,
    #[cfg(target_os = "linux")]
    pub(super) headers: super::linux::Headers,
}

/// One datagram to send.
#[derive(Clone, Copy, Debug)]
pub(super) struct Departure {
    pub(super) to: SocketAddr,
    /// `to` as its socket writes it.
    pub(super) address: SocketAddr,
    pub(super) length: usize,
}

impl Inbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffers: Box::new([[0; BUFFER_BYTES]; INBOX_DATAGRAMS]),
            arrivals: Vec::with_capacity(INBOX_DATAGRAMS),
            #[cfg(target_os = "linux")]
            headers: super::linux::receiving(INBOX_DATAGRAMS),
        }
    }

    /// Whether more may be waiting than one batch holds.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.arrivals.len() >= INBOX_DATAGRAMS
    }

    /// The datagrams, oldest first, and when each arrived; each may be changed in place.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (LocalTime, SocketAddr, &mut [u8])> {
        self.arrivals.iter().zip(self.buffers.iter_mut()).map(|(arrival, buffer)| {
            let length = arrival.length.min(BUFFER_BYTES);
            (arrival.at, arrival.from, &mut buffer[..length])
        })
    }

    pub(super) fn clear(&mut self) {
        self.arrivals.clear();
    }
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self {
            buffers: Box::new([[0; BUFFER_BYTES]; OUTBOX_DATAGRAMS]),
            departures: Vec::with_capacity(OUTBOX_DATAGRAMS),
            #[cfg(target_os = "linux")]
            headers: super::linux::sending(OUTBOX_DATAGRAMS),
        }
    }

    /// Whether it must be sent before the next [`Self::write`].
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.departures.len() >= OUTBOX_DATAGRAMS
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.departures.is_empty()
    }

    /// Lets `write` fill the next buffer and say where it goes; `None` adds nothing. Returns whether it added one.
    pub fn write(&mut self, write: impl FnOnce(&mut [u8]) -> Option<(SocketAddr, usize)>) -> bool {
        let Some(buffer) = self.buffers.get_mut(self.departures.len()) else { return false };
        let Some((to, length)) = write(buffer) else { return false };
        self.departures.push(Departure { to, address: to, length: length.min(BUFFER_BYTES) });
        true
    }

    pub(super) fn target(&self, index: usize) -> Option<SocketAddr> {
        self.departures.get(index).map(|departure| departure.to)
    }

    pub(super) fn map_addresses(&mut self, range: Range<usize>, map: impl Fn(SocketAddr) -> SocketAddr) {
        for departure in self.departures.get_mut(range).into_iter().flatten() {
            departure.address = map(departure.to);
        }
    }

    pub(super) fn clear(&mut self) {
        self.departures.clear();
    }
}

impl Default for Outbox {
    fn default() -> Self {
        Self::new()
    }
}

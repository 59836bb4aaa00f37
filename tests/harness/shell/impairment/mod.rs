//! A network between real processes: datagrams pass through here and are lost, late, doubled or out of order on purpose.
//!
//! ```text
//!  client --UDP--> [ listen | Path up   | a socket for this client ] --UDP--> server
//!         <------- [        | Path down |                          ] <-------
//! ```
//!
//! Each address that sends becomes a client with a socket of its own towards the server, so that the server tells them
//! apart, and with a [`Path`] of its own in either direction: the simulator's, seeded. Nothing else decides what becomes of
//! a datagram. What is added here is sockets and a clock, and how exact that clock was is part of the [`Report`].
//!
//! A datagram's time is when the kernel took it ([`intake`]), not when this thread woke up for it. It leaves when it is
//! due: the thread sleeps until shortly before and stays awake for the rest.

mod intake;
mod report;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use lockstep_shared::time::{LocalTime, Span};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{clock, priority};
use crate::net::{HEADER_BYTES, Path, PathPlan};
use crate::rng::Rng;
use intake::Intake;
pub use report::{Direction, Lateness, Report, Spread};
use report::{Histogram, Tally};

/// The most clients: further addresses are turned away and counted.
const CLIENTS_MAX: usize = 256;
/// The largest datagram that UDP has.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams taken from a socket in a row before what is due leaves.
const RECEIVE_BATCH: usize = 32;
/// The thread wakes up so long before the next datagram is due, and stays awake.
const AWAKE_BEFORE: Span = Span::from_micros(40);
/// It looks so often whether it should stop.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What lies between clients and server.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where clients send to. Port 0 is any that is free.
    pub listen: SocketAddr,
    /// The server.
    pub to: SocketAddr,
    /// Both directions of every client behave like this.
    pub plan: PathPlan,
    /// The accidents: the same seed gives the same to the clients in the order in which they come.
    pub seed: u64,
}

/// The proxy.
#[derive(Debug)]
pub struct Proxy {
    listen: Intake,
    address: SocketAddr,
    to: SocketAddr,
    plan: PathPlan,
    accidents: Rng,
    clients: Vec<Client>,
    underway: BinaryHeap<Reverse<Datagram>>,
    taken: u64,
    turned_away: u64,
    up: Tally,
    down: Tally,
    lateness: Histogram,
}

#[derive(Debug)]
struct Client {
    address: SocketAddr,
    upstream: Intake,
    up: Path,
    down: Path,
}

/// A datagram that is due, by time and then by arrival.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Datagram {
    at: LocalTime,
    order: u64,
    client: usize,
    way: Way,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    Up,
    Down,
}

impl Proxy {
    /// Opens the socket that clients send to.
    ///
    /// # Errors
    /// The system refuses the address.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let Settings { listen, to, plan, seed } = settings;
        let listen = Intake::new(UdpSocket::bind(listen)?)?;
        Ok(Self {
            address: listen.socket().local_addr()?,
            listen,
            to,
            plan,
            accidents: Rng::new(seed),
            clients: Vec::new(),
            underway: BinaryHeap::new(),
            taken: 0,
            turned_away: 0,
            up: Tally::default(),
            down: Tally::default(),
            lateness: Report::lateness_histogram(),
        })
    }

    /// Where clients send to.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Passes datagrams on until `until`, or until `stop` says so, and reports. The thread asks for a priority above
    /// that of audio threads: a network does not wait for the computers at its ends.
    pub fn run(mut self, until: LocalTime, stop: &dyn Fn() -> bool) -> Report {
        let priority = priority::claim(priority::NETWORK);
        let begun = clock::now();
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            self.deliver_due();
            let now = clock::now();
            if stop() || now >= until {
                break;
            }
            let due = self.next_due();
            let left = now.duration_until(due - AWAKE_BEFORE).min(now.duration_until(until)).min(LOOK_EVERY);
            self.receive(left, &mut buffer);
            // What has just come may be due before.
            let due = self.next_due();
            if clock::now() + AWAKE_BEFORE >= due {
                clock::stay_awake_until(due);
            }
        }
        let seconds = (clock::now() - begun).secs_f64();
        self.report(seconds, priority)
    }

    fn next_due(&self) -> LocalTime {
        self.underway.peek().map_or(LocalTime::NEVER, |Reverse(datagram)| datagram.at)
    }

    /// Sends everything whose time has come.
    fn deliver_due(&mut self) {
        loop {
            let now = clock::now();
            if self.next_due() > now {
                return;
            }
            let Some(Reverse(Datagram { at, client, way, bytes, .. })) = self.underway.pop() else { return };
            let Client { address, upstream, .. } = &self.clients[client];
            let (sent, tally) = match way {
                Way::Up => (upstream.socket().send(&bytes), &mut self.up),
                Way::Down => (self.listen.socket().send_to(&bytes, *address), &mut self.down),
            };
            self.lateness.observe(now - at);
            // Nobody listens there (ICMP said so of an earlier one), or the system's buffer is full.
            tally.delivered(sent.is_ok());
        }
    }

    /// Waits for datagrams, `time` at most, and puts what came on its way.
    fn receive(&mut self, time: Duration, buffer: &mut [u8]) {
        let timeout = Timespec::try_from(time).ok();
        let sockets =
            core::iter::once(&self.listen).chain(self.clients.iter().map(|client| &client.upstream));
        let mut waited: Vec<PollFd<'_>> =
            sockets.map(|intake| PollFd::new(intake.socket(), PollFlags::IN)).collect();
        // An interrupted wait is a short one.
        if !matches!(poll(&mut waited, timeout.as_ref()), Ok(count) if count > 0) {
            return;
        }
        let ready: Vec<bool> = waited.iter().map(|polled| !polled.revents().is_empty()).collect();
        for (place, _) in ready.iter().enumerate().filter(|(_, is_ready)| **is_ready) {
            for _ in 0..RECEIVE_BATCH {
                let is_there = match place.checked_sub(1) {
                    None => self.receive_up(buffer),
                    Some(client) => self.receive_down(client, buffer),
                };
                if !is_there {
                    break;
                }
            }
        }
    }

    fn receive_up(&mut self, buffer: &mut [u8]) -> bool {
        let Some((length, from, at)) = self.listen.take(buffer) else { return false };
        let known = self.clients.iter().position(|client| client.address == from);
        let Some(client) = known.or_else(|| self.welcome(from)) else {
            self.turned_away += 1;
            return true;
        };
        self.send(client, Way::Up, at, &buffer[..length]);
        true
    }

    fn receive_down(&mut self, client: usize, buffer: &mut [u8]) -> bool {
        let Some((length, _, at)) = self.clients[client].upstream.take(buffer) else { return false };
        self.send(client, Way::Down, at, &buffer[..length]);
        true
    }

    /// A client's number, if the system has a socket for it.
    fn welcome(&mut self, address: SocketAddr) -> Option<usize> {
        if self.clients.len() == CLIENTS_MAX {
            return None;
        }
        let any: SocketAddr =
            if self.to.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
        let socket = UdpSocket::bind(any).ok()?;
        socket.connect(self.to).ok()?;
        let upstream = Intake::new(socket).ok()?;
        let mut path = || Path::new(self.plan.clone(), self.accidents.fork());
        let (up, down) = (path(), path());
        self.clients.push(Client { address, upstream, up, down });
        Some(self.clients.len() - 1)
    }

    fn send(&mut self, client: usize, way: Way, at: LocalTime, bytes: &[u8]) {
        let (path, tally) = match way {
            Way::Up => (&mut self.clients[client].up, &mut self.up),
            Way::Down => (&mut self.clients[client].down, &mut self.down),
        };
        for due in path.send(at, bytes.len() + HEADER_BYTES) {
            tally.planned(due - at);
            self.taken += 1;
            let datagram = Datagram { at: due, order: self.taken, client, way, bytes: bytes.to_vec() };
            self.underway.push(Reverse(datagram));
        }
    }

    fn report(&self, seconds: f64, priority: String) -> Report {
        let sum = |counts: fn(&Client) -> crate::net::Counts| {
            self.clients.iter().map(counts).fold(crate::net::Counts::default(), core::ops::Add::add)
        };
        Report {
            seconds,
            clients: self.clients.len(),
            turned_away: self.turned_away,
            underway: self.underway.len(),
            up: self.up.direction(sum(|client| client.up.counts())),
            down: self.down.direction(sum(|client| client.down.counts())),
            late: Lateness::of(&self.lateness),
            priority,
        }
    }
}

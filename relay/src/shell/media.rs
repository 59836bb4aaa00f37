//! The media thread: from the sockets into the relay and back, and the relay's deadlines.
//!
//! It sleeps until a datagram is there or the relay is due, to the nanosecond where the system can, and takes a
//! bounded batch at a time, so that a flood never holds up a deadline. One thread carries all rooms: a room's work
//! never leaves it, so pinning rooms to several such threads is a matter of which thread a session's index names.

use std::net::UdpSocket;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use lockstep_shared::time::{LocalTime, Span};

use super::clock;
use super::udp::{BATCH, Inbox, Outbox};
use crate::relay::{Relay, RelayEvent, RelaySettings, RelayStats};

/// The longest sleep: orders to stop are looked for this often.
const SLEEP_MAX: Duration = Duration::from_millis(100);
/// Batches taken from one socket before the deadlines are looked at again.
const BATCHES: usize = 4;
/// How often counters are published.
const STATS_EVERY: Span = Span::from_millis(250);
/// A deadline missed by more than this is counted: a tenth of a chunk.
const LATE_FROM: Span = Span::from_micros(133);

/// What the media thread shows, and how it is told to stop.
#[derive(Debug, Default)]
pub struct Shared {
    /// Set to end the thread; its members are told.
    pub stop: AtomicBool,
    /// Deadlines met late.
    pub late_wakes: AtomicU64,
    /// Datagrams that the system did not take.
    pub unsent: AtomicU64,
    /// Whether the system granted real-time scheduling.
    pub is_realtime: AtomicBool,
}

/// What the media thread tells the others.
#[derive(Debug)]
pub enum Report {
    /// Something happened.
    Event(RelayEvent),
    /// The counters as they stand.
    Stats(RelayStats),
    /// The relay failed as a whole and began anew.
    Failed,
}

/// The sockets, at most one for each address family.
#[derive(Debug)]
pub(super) struct Ports {
    sockets: Vec<UdpSocket>,
    outboxes: Vec<Outbox>,
}

impl Ports {
    pub(super) fn new(sockets: Vec<UdpSocket>) -> Self {
        let outboxes = sockets.iter().map(|_| Outbox::new()).collect();
        Self { sockets, outboxes }
    }

    /// Carries out everything that the relay has to send and to tell.
    fn drain(&mut self, relay: &mut Relay, reports: &Sender<Report>) {
        let (Some((socket, sockets)), Some((outbox, outboxes))) =
            (self.sockets.split_first(), self.outboxes.split_first_mut())
        else {
            return;
        };
        while let Some(to) = outbox.fill(socket, |buffer| relay.poll_transmit(clock::now(), buffer)) {
            // Two sockets are one for each family; one alone takes both.
            if let (Some(other), Some(other_outbox)) = (sockets.first(), outboxes.first_mut())
                && other.local_addr().is_ok_and(|address| address.is_ipv4() == to.is_ipv4())
            {
                outbox.hand_over(other_outbox, other);
            }
        }
        while let Some(event) = relay.poll_event() {
            let _ = reports.send(Report::Event(event));
        }
    }

    fn flush(&mut self) {
        for (socket, outbox) in self.sockets.iter().zip(&mut self.outboxes) {
            outbox.flush(socket);
        }
    }

    fn unsent(&self) -> u64 {
        self.outboxes.iter().map(|outbox| outbox.unsent).sum()
    }
}

/// The relay, and how to begin it anew should it fail as a whole.
#[derive(Debug)]
pub(super) struct Core {
    relay: Relay,
    settings: RelaySettings,
}

impl Core {
    pub(super) fn new(settings: RelaySettings) -> Self {
        Self { relay: Relay::new(settings.clone(), clock::now()), settings }
    }

    /// Runs `work` on the relay. Rooms are guarded one by one inside it; a failure outside of them begins the relay
    /// anew, and its members come back within two seconds.
    fn guard(&mut self, reports: &Sender<Report>, work: impl FnOnce(&mut Relay)) {
        let relay = &mut self.relay;
        if catch_unwind(AssertUnwindSafe(|| work(relay))).is_err() {
            self.relay = Relay::new(self.settings.clone(), clock::now());
            let _ = reports.send(Report::Failed);
        }
    }
}

/// Runs the relay on this thread until told to stop.
pub(super) fn run(mut core: Core, mut ports: Ports, shared: &Shared, reports: &Sender<Report>) {
    shared.is_realtime.store(ask_for_realtime(), Ordering::Relaxed);
    let mut inbox = Inbox::new();
    let mut stats_due = LocalTime::ZERO;
    loop {
        for number in 0..ports.sockets.len() {
            for _ in 0..BATCHES {
                let received = inbox.receive(&ports.sockets[number]);
                for (from, datagram) in inbox.datagrams() {
                    core.guard(reports, |relay| {
                        relay.handle_datagram(clock::now(), from, datagram);
                        ports.drain(relay, reports);
                        // However many datagrams wait, a deadline waits for one of them at most.
                        keep_deadline(relay, &mut ports, shared, reports);
                    });
                }
                ports.flush();
                // Fewer than a batch: the socket was emptied, and asking again would cost a call to learn it.
                if received < BATCH {
                    break;
                }
            }
        }
        core.guard(reports, |relay| keep_deadline(relay, &mut ports, shared, reports));
        ports.flush();
        let now = clock::now();
        if now >= stats_due {
            stats_due = now + STATS_EVERY;
            shared.unsent.store(ports.unsent(), Ordering::Relaxed);
            let _ = reports.send(Report::Stats(core.relay.stats()));
        }
        if shared.stop.load(Ordering::Relaxed) {
            core.guard(reports, |relay| {
                relay.stop(clock::now());
                ports.drain(relay, reports);
            });
            ports.flush();
            let _ = reports.send(Report::Stats(core.relay.stats()));
            return;
        }
        wait(&ports.sockets, clock::now().duration_until(core.relay.poll_timeout()).min(SLEEP_MAX));
    }
}

/// Does what is due, if anything is.
fn keep_deadline(relay: &mut Relay, ports: &mut Ports, shared: &Shared, reports: &Sender<Report>) {
    let (now, due) = (clock::now(), relay.poll_timeout());
    if due > now {
        return;
    }
    if due > LocalTime::ZERO && now - due > LATE_FROM {
        shared.late_wakes.fetch_add(1, Ordering::Relaxed);
    }
    relay.handle_timeout(now);
    ports.drain(relay, reports);
}

/// Asks the system to run this thread before all ordinary ones; whether it does.
fn ask_for_realtime() -> bool {
    use thread_priority::{
        RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_thread_priority_and_policy, thread_native_id,
    };

    /// Above other real-time programs' defaults, below the kernel's own threads.
    const PRIORITY: u8 = 40;
    ThreadPriorityValue::try_from(PRIORITY).is_ok_and(|priority| {
        set_thread_priority_and_policy(
            thread_native_id(),
            ThreadPriority::Crossplatform(priority),
            ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::Fifo),
        )
        .is_ok()
    })
}

#[cfg(unix)]
fn wait(sockets: &[UdpSocket], timeout: Duration) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let timeout = Timespec {
        tv_sec: i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: timeout.subsec_nanos().into(),
    };
    // Interrupted or not: the loop looks at everything again.
    let _ = match sockets {
        [one] => poll(&mut [PollFd::new(one, PollFlags::IN)], Some(&timeout)),
        [one, other, ..] => {
            poll(&mut [PollFd::new(one, PollFlags::IN), PollFd::new(other, PollFlags::IN)], Some(&timeout))
        }
        [] => poll(&mut [], Some(&timeout)),
    };
}

#[cfg(not(unix))]
#[expect(clippy::disallowed_methods, reason = "waiting belongs in shell/")]
fn wait(_sockets: &[UdpSocket], timeout: Duration) {
    std::thread::sleep(timeout.min(Duration::from_micros(500)));
}

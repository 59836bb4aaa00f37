//! The media thread: the core, the sockets and nothing else.
//!
//! ```text
//!  a batch in -> (datagram, datagrams out)* -> what is due -> the rest out -> wait -> again
//! ```
//!
//! It waits in one place only, until the core's next absolute deadline or for datagrams ([`super::pace`]). What has
//! arrived comes before what is due, so that a mix never misses a chunk that is already here; a batch is bounded, so
//! that however many arrive, a deadline waits for [`Inbox`]'s few of them at most. It never logs and touches no
//! file: it hands [`Report`]s to the desk thread through a bounded channel, and counts those for which there was no
//! room.
//!
//! One thread serves all rooms today. Rooms share nothing with each other, so that several of these, each with its
//! sockets and its rooms, can be run side by side when one core is full; what belongs to a thread is in [`Media`].

use std::sync::mpsc::{Receiver, SyncSender, TrySendError};

use lockstep_shared::rtpmidi::session::Port;
use lockstep_shared::time::{LocalTime, Span};

use super::clock;
use super::contain::{Panicked, contain};
use super::control::{Asked, PortsCommand, Request};
use super::midi::MidiSockets;
use super::pace::{Pace, Wait};
use super::ports::{Inward, Ports};
use super::priority::{Scheduling, raise_current_thread};
use super::state::entropy;
use super::udp::{self, Inbox, Interrupts, Outbox, Udp};
use crate::bridge::patch::Rules;
use crate::bridge::{Gateway, Source, datagrams};
use crate::relay::command::{Answer, Command};
use crate::relay::{Outward, Relay, RelayEvent, RelaySettings, RelayStats};

/// A deadline served later than this counts as late: a quarter of a chunk.
const LATE_AFTER: Span = Span::from_micros(333);
/// How often figures are reported.
const REPORT_EVERY: Span = Span::from_millis(1_000);
/// The longest datagram of a multicast group.
const GATEWAY_BYTES_MAX: usize = 4_096;
/// Datagrams of a multicast group that are taken at a time.
const GATEWAY_BATCH: usize = 32;
/// Failing deadlines in a row after which the core is replaced.
const FAILURES_MAX: u32 = 2;

/// What the media thread tells the desk thread.
#[derive(Debug)]
pub enum Report {
    /// It runs, scheduled so.
    Started(Scheduling),
    /// A signal asks for the rules to be read anew.
    Reload,
    /// The core has an event.
    Event(RelayEvent),
    /// A second has passed, or the end has come.
    Tally(Box<Tally>),
}

/// Counters since the start.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// The core's own.
    pub relay: RelayStats,
    /// Times the thread woke up.
    pub wakes: u64,
    /// Deadlines served.
    pub deadlines: u64,
    /// Those served more than a third of a millisecond late.
    pub deadlines_late: u64,
    /// The latest one of the last second.
    pub deadline_late_max: Span,
    /// Calls to receive that failed.
    pub receive_failed: u64,
    /// Datagrams that the system did not take.
    pub send_refused: u64,
    /// Panics of the core that were contained.
    pub panics: u64,
    /// Times the core had to be replaced by a fresh one.
    pub renewals: u64,
    /// Reports for which there was no room.
    pub reports_lost: u64,
}

/// All that one media thread owns.
#[derive(Debug)]
pub struct Media {
    settings: RelaySettings,
    relay: Relay,
    udp: Udp,
    outbox: Outbox,
    midi: MidiSockets,
    gateways: Vec<Gateway>,
    ports: Option<Ports>,
    packet: Vec<u8>,
    interrupts: Interrupts,
    commands: Receiver<Asked>,
    /// Who is told of what passes, and in which room.
    monitors: Vec<(String, SyncSender<Answer>)>,
    reports: SyncSender<Report>,
    tally: Tally,
    pace: Pace,
    report_at: LocalTime,
    failures: u32,
}

impl Media {
    /// A relay on these sockets; nothing happens before [`Self::run`]. Made on the thread that runs it: the system's
    /// message headers in it do not move between threads.
    #[must_use]
    pub fn new(
        settings: RelaySettings,
        udp: Udp,
        midi: MidiSockets,
        ports: Option<Ports>,
        interrupts: Interrupts,
        commands: Receiver<Asked>,
        reports: SyncSender<Report>,
    ) -> Self {
        let now = clock::now();
        Self {
            relay: Relay::new(settings.clone(), now),
            settings,
            udp,
            outbox: Outbox::new(),
            gateways: (0..midi.room_count()).map(|_| Gateway::default()).collect(),
            midi,
            ports,
            packet: Vec::new(),
            interrupts,
            commands,
            monitors: Vec::new(),
            reports,
            tally: Tally::default(),
            pace: Pace::new(now),
            report_at: now + REPORT_EVERY,
            failures: 0,
        }
    }

    /// Serves until a signal asks to stop, then tells the members.
    pub fn run(mut self) {
        let scheduling = raise_current_thread();
        self.report(Report::Started(scheduling));
        let mut inbox = Inbox::new();
        while !self.interrupts.stop.is_requested() {
            self.turn(&mut inbox);
        }
        let now = clock::now();
        let stopped = contain(|| self.relay.stop(now));
        self.note(stopped);
        self.drain();
        self.flush();
        self.report_tally();
    }

    fn turn(&mut self, inbox: &mut Inbox) {
        self.interrupts.wake.clear();
        self.serve_commands();
        let mut received = 0;
        let mut more_waits = false;
        for socket in 0..self.udp.socket_count() {
            received += self.serve_socket(socket, inbox);
            more_waits |= inbox.is_full();
        }
        more_waits |= self.serve_midi(inbox);
        self.serve_gateways();
        self.serve_ports();
        self.serve_deadline();
        self.flush();
        let now = clock::now();
        if now >= self.report_at {
            self.report_at = now + REPORT_EVERY;
            self.report_tally();
        }
        let wait = self.pace.wait(now, received);
        if more_waits {
            return;
        }
        let time = now.duration_until(self.relay.poll_timeout().min(self.report_at));
        match wait {
            Wait::Datagram => {
                let sockets = core::iter::once(&self.udp).chain(self.midi.sessions());
                udp::wait(
                    sockets,
                    self.midi.gateways().map(|(_, gateway)| gateway.socket()),
                    time,
                    &self.interrupts,
                );
            }
            Wait::Gather(gather) => {
                udp::pause(time.min(now.duration_until(now + gather)), &self.interrupts);
            }
        }
        self.tally.wakes += 1;
    }

    fn serve_deadline(&mut self) {
        let now = clock::now();
        let due = self.relay.poll_timeout();
        if due > now {
            return;
        }
        self.tally.deadlines += 1;
        let late = now - due;
        self.tally.deadline_late_max = self.tally.deadline_late_max.max(late);
        if late > LATE_AFTER {
            self.tally.deadlines_late += 1;
        }
        let served = contain(|| self.relay.handle_timeout(now));
        self.note(served);
        self.drain();
    }

    /// What has come to the rooms' RTP-MIDI sessions, at most a batch from each socket; whether more may be waiting.
    fn serve_midi(&mut self, inbox: &mut Inbox) -> bool {
        let mut more_waits = false;
        for room in 0..self.midi.room_count() {
            for port in [Port::Control, Port::Data] {
                let count = self.midi.session(room, port).map_or(0, |udp| udp.socket_count());
                for socket in 0..count {
                    let Some(udp) = self.midi.session(room, port) else { continue };
                    if udp.receive(socket, inbox).is_err() {
                        self.tally.receive_failed += 1;
                    }
                    more_waits |= inbox.is_full();
                    for (at, from, bytes) in inbox.datagrams() {
                        if contain(|| self.relay.handle_midi_datagram(at, room, port, from, bytes)).is_err() {
                            self.tally.panics += 1;
                        }
                        self.drain();
                    }
                }
            }
        }
        more_waits
    }

    /// What has come from the multicast groups.
    fn serve_gateways(&mut self) {
        let mut buffer = [0; GATEWAY_BYTES_MAX];
        for (room, gateway) in (0..).zip(&mut self.gateways) {
            for _ in 0..GATEWAY_BATCH {
                let Some(socket) = self.midi.gateway(room) else { break };
                let Some((from, bytes)) = socket.receive(&mut buffer) else { break };
                let now = clock::now();
                let relay = &mut self.relay;
                let heard = contain(|| {
                    gateway.handle_datagram(from, bytes, |message| {
                        relay.handle_message(now, room, Source::Multicast, now, message);
                    });
                });
                self.tally.panics += u64::from(heard.is_err());
            }
        }
        self.drain();
    }

    /// Hands on what leaves otherwise than by the members' and RTP-MIDI's sessions.
    fn drain_midi(&mut self) {
        let now = clock::now();
        loop {
            match contain(|| self.relay.poll_midi_transmit(now, &mut self.packet)) {
                Ok(Some((room, port, to))) => {
                    self.tally.send_refused += u64::from(!self.midi.send(room, port, to, &self.packet));
                }
                Ok(None) => break,
                Err(panicked) => {
                    self.note(Err(panicked));
                    break;
                }
            }
        }
        while let Some((room, outward)) = self.relay.poll_outward() {
            self.pass_outward(room, &outward);
        }
    }

    fn pass_outward(&mut self, room: usize, outward: &Outward) {
        let grid = self.relay.grid();
        let (from, message) = match outward {
            Outward::Passed(passed) => (passed.from, &passed.message),
            Outward::Clock(_, message) => (None, message),
        };
        if let Some(ports) = &mut self.ports {
            match outward {
                Outward::Passed(passed) => ports.pass(room, from, grid.instant(passed.at), message),
                Outward::Clock(at, _) => ports.pass_clock(room, grid.instant(*at), message),
            }
        }
        if let Some(gateway) = self.midi.gateway(room).filter(|_| from != Some(Source::Multicast)) {
            datagrams(message, |bytes| self.tally.send_refused += u64::from(!gateway.send(bytes)));
        }
    }

    fn serve_commands(&mut self) {
        while let Ok(Asked { request, rules, answer }) = self.commands.try_recv() {
            let monitored = match &request {
                Request::Relay(Command::Monitor { room }) => Some(room.clone()),
                Request::Relay(_) | Request::Ports(_) => None,
            };
            let said = match request {
                Request::Relay(command) => self.command(command),
                Request::Ports(command) => self.command_ports(command, rules),
            };
            let is_refused = matches!(said, Answer::Refused(_));
            // Whoever has hung up wants no answer.
            let _ = answer.try_send(said);
            if let Some(room) = monitored.filter(|_| !is_refused) {
                self.monitors.push((room, answer));
                self.relay.set_monitored(true);
            }
            self.drain();
        }
        if self.interrupts.stop.take_reload() {
            self.report(Report::Reload);
        }
    }

    fn command(&mut self, command: Command) -> Answer {
        let now = clock::now();
        match contain(|| self.relay.handle_command(now, command)) {
            Ok(Ok(said)) => said,
            Ok(Err(refused)) => Answer::Refused(refused.to_string()),
            Err(Panicked) => Answer::Refused("the relay failed at it; please report this".to_owned()),
        }
    }

    fn command_ports(&mut self, command: PortsCommand, rules: Option<Rules>) -> Answer {
        let Some(ports) = &mut self.ports else {
            return Answer::Refused("this relay has no ports at a sequencer; its log says why".to_owned());
        };
        match command {
            PortsCommand::Patch => Answer::Text(ports.dump()),
            PortsCommand::Reload => {
                if let Some(rules) = rules {
                    ports.set_rules(rules);
                }
                Answer::Done
            }
        }
    }

    /// What has come to the rooms' ports at the sequencer.
    fn serve_ports(&mut self) {
        while let Some(Inward { room, from, at, message }) = self.ports.as_mut().and_then(Ports::poll) {
            let now = clock::now();
            let heard = contain(|| self.relay.handle_message(now, room, from, at, message));
            self.tally.panics += u64::from(heard.is_err());
            self.drain();
        }
    }

    /// Tells those who asked what has passed, and forgets those who have hung up.
    fn tell_monitors(&mut self, room: &str, line: &str) {
        self.monitors.retain(|(wanted, monitor)| {
            wanted != room || {
                let sent = monitor.try_send(Answer::Text(line.to_owned()));
                !matches!(sent, Err(TrySendError::Disconnected(_)))
            }
        });
        self.relay.set_monitored(!self.monitors.is_empty());
    }

    /// One batch from one socket; returns how many datagrams it had.
    fn serve_socket(&mut self, socket: usize, inbox: &mut Inbox) -> u32 {
        if self.udp.receive(socket, inbox).is_err() {
            self.tally.receive_failed += 1;
        }
        let mut received = 0;
        for (at, from, bytes) in inbox.datagrams() {
            received += 1;
            // A datagram that panics harms nothing but itself; the core goes on.
            if contain(|| self.relay.handle_datagram(at, from, bytes)).is_err() {
                self.tally.panics += 1;
            }
            self.drain();
        }
        received
    }

    /// Takes everything that the core has to send and to tell.
    fn drain(&mut self) {
        loop {
            if self.outbox.is_full() {
                self.flush();
            }
            // The core stamps a datagram as it writes it, so the time is read for each.
            let now = clock::now();
            match contain(|| self.outbox.write(|buffer| self.relay.poll_transmit(now, buffer))) {
                Ok(true) => {}
                Ok(false) => break,
                Err(panicked) => {
                    self.note(Err(panicked));
                    break;
                }
            }
        }
        self.drain_midi();
        while let Some(event) = self.relay.poll_event() {
            match event {
                RelayEvent::Passed { room, line } => self.tell_monitors(&room, &line),
                RelayEvent::Midi { number, room, event } => {
                    if let Some(ports) = &mut self.ports {
                        ports.note(number, &event);
                    }
                    self.report(Report::Event(RelayEvent::Midi { number, room, event }));
                }
                event @ (RelayEvent::Joined { .. }
                | RelayEvent::Named { .. }
                | RelayEvent::Returned { .. }
                | RelayEvent::Moved { .. }
                | RelayEvent::Silent { .. }
                | RelayEvent::Left { .. }
                | RelayEvent::RoomFailed { .. }) => self.report(Report::Event(event)),
            }
        }
    }

    fn flush(&mut self) {
        if !self.outbox.is_empty() {
            self.tally.send_refused += self.udp.send(&mut self.outbox).refused;
        }
    }

    /// What fails once may be one room's bad luck and is gone with its deadline. What fails again at once would fail
    /// for ever: then a fresh core takes over, and members come back to it as after a restart.
    fn note(&mut self, outcome: Result<(), Panicked>) {
        let Err(Panicked) = outcome else {
            self.failures = 0;
            return;
        };
        self.tally.panics += 1;
        self.failures += 1;
        if self.failures >= FAILURES_MAX {
            self.failures = 0;
            self.tally.renewals += 1;
            self.settings.seed = entropy().unwrap_or(self.settings.seed);
            self.relay = Relay::new(self.settings.clone(), clock::now());
        }
    }

    fn report_tally(&mut self) {
        self.tally.relay = self.relay.stats();
        let tally = Box::new(self.tally.clone());
        self.tally.deadline_late_max = Span::ZERO;
        self.report(Report::Tally(tally));
    }

    fn report(&mut self, report: Report) {
        match self.reports.try_send(report) {
            Ok(()) => {}
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => self.tally.reports_lost += 1,
        }
    }
}

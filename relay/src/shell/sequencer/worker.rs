//! The sequencer's thread.

use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use alsa::Direction;
use alsa::poll::{Descriptors as _, Flags, poll, pollfd};
use alsa::seq::{Addr, EventType, PortCap, PortInfo, PortSubscribe, PortType, Seq};
use lockstep_shared::midi::message::{Message, Parser};
use lockstep_shared::time::{LocalTime, Span};

use super::graph::{Graph, OwnPorts, addr, address};
use super::outbox::{Content, Outbox, Outgoing, When};
use super::queue::QueueClock;
use super::translate::{self, Heard};
use super::{AHEAD, CLIENT, Event, PortId, Tally};
use crate::bridge::patch::{Address, Command};
use crate::shell::clock;
use crate::shell::contain::contain;
use crate::shell::priority::raise_current_thread;

/// Cells of each pool: the most that the kernel takes.
const POOL_CELLS: u32 = 2_000;
/// A message that filled the whole pool must fit, or the library waits for ever for the rest of it.
const INPUT_BYTES: u32 = 65_536;
/// Events read before commands are looked at again.
const READS_MAX: usize = 512;
/// After a port came, its names are looked at again: kernels before 6.12 announce no other name.
const LOOK_AGAIN: [Span; 2] = [Span::from_millis(100), Span::from_millis(1_000)];
/// Exclusive messages that may be coming in at a time, each up to its own limit.
const EXCLUSIVES_MAX: usize = 64;
/// Events that wait because their reader does not read: ports and connections, never messages.
const BACKLOG_MAX: usize = 65_536;
/// How often a reader that does not read is tried.
const TRY_EVERY: Span = Span::from_millis(10);
/// Readings of the queue's clock at a time; the best counts.
const CLOCK_READINGS: usize = 3;

/// What the thread is told.
#[derive(Clone, Debug)]
pub(super) enum Inward {
    Open(PortId, String),
    Close(PortId),
    Send(PortId, LocalTime, Message),
    Patch(Command),
}

/// What joins the thread with its holder.
#[derive(Debug)]
pub(super) struct Wires {
    pub(super) commands: Receiver<Inward>,
    pub(super) events: SyncSender<Event>,
    pub(super) bell: UnixStream,
    pub(super) rung: Arc<AtomicBool>,
    pub(super) tally: Arc<Mutex<Tally>>,
}

struct Worker {
    sequencer: Seq,
    wires: Wires,
    client: u8,
    queue: i32,
    announcements: i32,
    clock: QueueClock,
    outbox: Outbox,
    numbers: BTreeMap<PortId, i32>,
    ports: OwnPorts,
    graph: Graph,
    /// Exclusive messages that are coming in, by port and sender.
    exclusives: BTreeMap<(PortId, Address), Parser>,
    again: VecDeque<(LocalTime, Addr)>,
    backlog: VecDeque<Event>,
    owes_overrun: bool,
    tally: Tally,
}

/// Opens the sequencer, says whether that went well (or the system's number of the error), and serves until nobody holds
/// the other end of the commands.
pub(super) fn run(wires: Wires, opened: &SyncSender<Result<(), i32>>) {
    // From here on ALSA's library writes nothing to standard error from this thread. What it says is said by errors too.
    let _silence = alsa::Output::local_error_handler();
    match Worker::open(wires) {
        Err(error) => {
            let _ = opened.send(Err(error.errno()));
        }
        Ok(mut worker) => {
            let _ = opened.send(Ok(()));
            let _ = raise_current_thread();
            worker.scan();
            while worker.turn() {}
        }
    }
}

impl Worker {
    fn open(wires: Wires) -> alsa::Result<Self> {
        let sequencer = Seq::open(None, None, true)?;
        // First, as it empties the input.
        sequencer.input().set_input_buffer_size(INPUT_BYTES)?;
        sequencer.set_client_pool_input(POOL_CELLS)?;
        sequencer.set_client_pool_output(POOL_CELLS)?;
        sequencer.set_client_name(&text(CLIENT))?;
        let client = u8::try_from(sequencer.client_id()?).unwrap_or_default();
        let queue = sequencer.alloc_named_queue(&text(CLIENT))?;
        sequencer.control_queue(queue, EventType::Start, 0, None)?;
        sequencer.drain_output()?;
        // The first port has number 0, which is the one meant by whoever names the client alone. It is not this one.
        let first = sequencer.create_simple_port(&text(CLIENT), PortCap::NO_EXPORT, PortType::APPLICATION)?;
        let capability = PortCap::WRITE | PortCap::NO_EXPORT;
        let announcements =
            sequencer.create_simple_port(&text("Announcements"), capability, PortType::APPLICATION)?;
        sequencer.delete_port(first)?;
        let to = Addr { client: client.into(), port: announcements };
        subscribe(&sequencer, Addr::system_announce(), to)?;
        Ok(Self {
            sequencer,
            wires,
            client,
            queue,
            announcements,
            clock: QueueClock::default(),
            outbox: Outbox::default(),
            numbers: BTreeMap::new(),
            ports: OwnPorts::new(),
            graph: Graph::new(client),
            exclusives: BTreeMap::new(),
            again: VecDeque::new(),
            backlog: VecDeque::new(),
            owes_overrun: false,
            tally: Tally::default(),
        })
    }

    /// One round; false at the end.
    fn turn(&mut self) -> bool {
        self.wires.rung.store(false, Ordering::Release);
        let _ = (&self.wires.bell).read(&mut [0; 64]);
        loop {
            match self.wires.commands.try_recv() {
                Ok(command) => self.obey(command),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.finish();
                    return false;
                }
            }
        }
        self.send_due();
        self.look_again();
        let has_more = self.read();
        self.give_backlog();
        *self.wires.tally.lock().unwrap_or_else(PoisonError::into_inner) = self.tally;
        has_more || self.wait()
    }

    /// Hands over what is due soon and waits until it has left: at most [`AHEAD`] and a tick.
    fn finish(&mut self) {
        self.send_due();
        let _ = self.sequencer.sync_output_queue();
    }

    /// Waits for input, a command, or the next time that something is to be done; false if that is impossible.
    fn wait(&self) -> bool {
        let now = clock::now();
        let owes = !self.backlog.is_empty() || self.owes_overrun;
        let again = self.again.front().map_or(LocalTime::NEVER, |(at, _)| *at);
        let until =
            self.outbox.next_time().min(again).min(if owes { now + TRY_EVERY } else { LocalTime::NEVER });
        let millis = now.duration_until(until).as_micros().div_ceil(1_000);
        let timeout = if until == LocalTime::NEVER { -1 } else { i32::try_from(millis).unwrap_or(60_000) };
        let input = (&self.sequencer, Some(Direction::Capture));
        let Ok(mut descriptors) = input.get() else { return false };
        descriptors.push(pollfd { fd: self.wires.bell.as_raw_fd(), events: Flags::IN.bits(), revents: 0 });
        // An interrupted wait is a short one.
        let _ = poll(&mut descriptors, timeout);
        true
    }

    fn obey(&mut self, command: Inward) {
        match command {
            Inward::Open(port, name) => self.open_port(port, &name),
            Inward::Close(port) => self.close_port(port),
            Inward::Send(port, at, message) => {
                let now = clock::now();
                self.tally.late += u64::from(now - at > AHEAD);
                if !self.numbers.contains_key(&port) || self.outbox.push(now, port, at, &message).is_err() {
                    self.tally.dropped += 1;
                }
            }
            Inward::Patch(Command::Connect(connection)) => {
                let made = subscribe(&self.sequencer, addr(connection.from), addr(connection.to));
                self.tell(if made.is_ok() { Event::Made(connection) } else { Event::Refused(connection) });
            }
            Inward::Patch(Command::Disconnect(connection)) => {
                let gone = self.sequencer.unsubscribe_port(addr(connection.from), addr(connection.to));
                if gone.is_err() {
                    self.tell(Event::Refused(connection));
                }
            }
        }
    }

    fn open_port(&mut self, port: PortId, name: &str) {
        let created = PortInfo::empty().and_then(|mut info| {
            info.set_name(&text(name));
            info.set_capability(
                PortCap::READ | PortCap::SUBS_READ | PortCap::WRITE | PortCap::SUBS_WRITE | PortCap::DUPLEX,
            );
            info.set_type(PortType::MIDI_GENERIC | PortType::SOFTWARE | PortType::APPLICATION);
            info.set_midi_channels(16);
            self.sequencer.create_port(&info)?;
            Ok(info.get_port())
        });
        match created {
            Ok(number) => {
                let own = u8::try_from(number).unwrap_or_default();
                self.numbers.insert(port, number);
                self.ports.insert(own, port);
                self.tell(Event::Opened { port, address: Address { client: self.client, port: own } });
            }
            Err(error) => self.tell(Event::Failed { port, errno: error.errno() }),
        }
    }

    fn close_port(&mut self, port: PortId) {
        let Some(number) = self.numbers.remove(&port) else { return };
        self.ports.retain(|_, own| *own != port);
        self.exclusives.retain(|(own, _), _| *own != port);
        self.tally.dropped += u64::try_from(self.outbox.close(port)).unwrap_or_default();
        let _ = self.sequencer.delete_port(number);
    }

    fn send_due(&mut self) {
        loop {
            let now = clock::now();
            let Some(outgoing) = self.outbox.poll(now) else { return };
            self.hand_over(now, &outgoing);
        }
    }

    fn hand_over(&mut self, now: LocalTime, outgoing: &Outgoing) {
        let Some(number) = self.numbers.get(&outgoing.port).copied() else { return };
        let event = match &outgoing.content {
            Content::Short(message) => translate::event(message),
            Content::Piece(piece) => Some(translate::piece(piece.bytes())),
        };
        let Some(mut event) = event else {
            self.tally.dropped += 1;
            return;
        };
        event.set_source(number);
        event.set_subs();
        match outgoing.when {
            When::Now => event.set_direct(),
            When::At(at) => {
                if self.clock.is_stale(now) {
                    Self::read_clock(&self.sequencer, self.queue, &mut self.clock);
                }
                let nanos = u64::try_from(self.clock.queue_at(at).nanos()).unwrap_or_default();
                event.schedule_real(self.queue, false, core::time::Duration::from_nanos(nanos));
            }
        }
        // Refused by one subscriber, the others have it: never again.
        match self.sequencer.event_output_direct(&mut event) {
            Ok(_) => self.tally.sent += 1,
            Err(_) => self.tally.refused += 1,
        }
    }

    fn read_clock(sequencer: &Seq, queue: i32, readings: &mut QueueClock) {
        for _ in 0..CLOCK_READINGS {
            let Ok(status) = sequencer.get_queue_status(queue) else { return };
            let nanos = i64::try_from(status.get_real_time().as_nanos()).unwrap_or(i64::MAX);
            readings.note(clock::now(), Span::from_nanos(nanos));
        }
    }

    /// Reads what has come; true if there may be more.
    fn read(&mut self) -> bool {
        for _ in 0..READS_MAX {
            let mut input = self.sequencer.input();
            // The library asserts what other programs wrote into an event.
            let read = contain(|| {
                input
                    .event_input()
                    .map(|event| (event.get_source(), event.get_dest().port, translate::heard(&event)))
            });
            drop(input);
            match read {
                Ok(Ok((from, to, heard))) => self.hear(from, to, heard),
                Ok(Err(error)) if error.errno() == NOTHING_THERE => return false,
                Ok(Err(error)) if error.errno() == POOL_OVERFLOWED => self.overflow(),
                Ok(Err(_)) | Err(_) => self.tally.unknown += 1,
            }
        }
        true
    }

    fn overflow(&mut self) {
        self.tally.overruns += 1;
        self.exclusives.clear();
        self.owes_overrun = true;
        self.scan();
    }

    fn hear(&mut self, from: Addr, to: i32, heard: Heard) {
        // Any program may send an event that looks like an announcement.
        let is_announced = from == Addr::system_announce();
        let mut events = Vec::new();
        match heard {
            Heard::Messages(messages) => self.receive(from, to, messages),
            Heard::Exclusive(bytes) => self.receive_exclusive(from, to, &bytes),
            Heard::Unknown => self.tally.unknown += 1,
            Heard::Nothing => {}
            _ if !is_announced => self.tally.unknown += 1,
            Heard::Port(at) => {
                self.graph.look_at(&self.sequencer, at, &mut events);
                let now = clock::now();
                let is_ours = at.client == i32::from(self.client);
                if to == self.announcements && !is_ours && self.again.len() < BACKLOG_MAX {
                    self.again.extend(LOOK_AGAIN.map(|later| (now + later, at)));
                    self.again.make_contiguous().sort_by_key(|(at, _)| *at);
                }
            }
            Heard::PortGone(at) => {
                self.graph.port_gone(at, &mut events);
                self.forget_exclusives(|sender| addr(sender) == at);
            }
            Heard::Client(client) => self.graph.look_at_client(&self.sequencer, client, &mut events),
            Heard::ClientGone(client) => {
                self.graph.client_gone(client, &mut events);
                self.forget_exclusives(|sender| i32::from(sender.client) == client);
            }
            Heard::Connected(connect) => self.graph.connected(connect, &mut events),
            Heard::Disconnected(connect) => {
                self.graph.disconnected(connect, &mut events);
                self.forget_exclusives(|sender| addr(sender) == connect.sender);
            }
        }
        events.into_iter().for_each(|event| self.tell(event));
    }

    fn receive(&mut self, from: Addr, to: i32, messages: Vec<Message>) {
        let Some((port, from)) = self.ends(from, to) else { return };
        let at = clock::now();
        for message in messages {
            if !matches!(message, Message::Realtime(_)) && self.exclusives.remove(&(port, from)).is_some() {
                // Cut short by something else.
                self.tally.unknown += 1;
            }
            self.give(Event::Received { port, from, at, message });
        }
    }

    fn receive_exclusive(&mut self, from: Addr, to: i32, bytes: &[u8]) {
        let Some((port, from)) = self.ends(from, to) else { return };
        let key = (port, from);
        let is_new = !self.exclusives.contains_key(&key);
        if is_new && (bytes.first() != Some(&0xF0) || self.exclusives.len() >= EXCLUSIVES_MAX) {
            self.tally.unknown += 1;
            return;
        }
        let parser = self.exclusives.entry(key).or_default();
        let before = parser.passed();
        let messages: Vec<Message> = bytes.iter().filter_map(|byte| parser.push(*byte)).collect();
        if parser.passed() != before {
            self.tally.unknown += 1;
        }
        if bytes.last() == Some(&0xF7) {
            self.exclusives.remove(&key);
        }
        let at = clock::now();
        for message in messages {
            self.give(Event::Received { port, from, at, message });
        }
    }

    /// Our port and the sender of an event, if it is for a port that is open.
    fn ends(&self, from: Addr, to: i32) -> Option<(PortId, Address)> {
        let port = self.ports.get(&u8::try_from(to).ok()?)?;
        Some((*port, address(from)?))
    }

    fn forget_exclusives(&mut self, is_gone: impl Fn(Address) -> bool) {
        self.exclusives.retain(|(_, sender), _| !is_gone(*sender));
    }

    fn look_again(&mut self) {
        let mut events = Vec::new();
        let now = clock::now();
        while let Some((_, at)) = self.again.front().copied().filter(|(at, _)| *at <= now) {
            self.again.pop_front();
            self.graph.look_at(&self.sequencer, at, &mut events);
        }
        events.into_iter().for_each(|event| self.tell(event));
    }

    fn scan(&mut self) {
        let mut events = Vec::new();
        self.graph.scan(&self.sequencer, &mut events);
        events.into_iter().for_each(|event| self.tell(event));
    }

    /// Tells what must not be lost.
    fn tell(&mut self, event: Event) {
        if self.backlog.len() < BACKLOG_MAX {
            self.backlog.push_back(event);
        }
        self.give_backlog();
    }

    fn give_backlog(&mut self) {
        if self.owes_overrun {
            self.owes_overrun = self.wires.events.try_send(Event::Overrun).is_err();
        }
        while let Some(event) = self.backlog.pop_front() {
            match self.wires.events.try_send(event) {
                Ok(()) => {}
                Err(TrySendError::Full(event)) => {
                    self.backlog.push_front(event);
                    return;
                }
                Err(TrySendError::Disconnected(_)) => self.backlog.clear(),
            }
        }
    }

    /// Gives a message to the reader, if it reads.
    fn give(&mut self, event: Event) {
        // In their order: behind what could not be told yet.
        self.give_backlog();
        if self.backlog.is_empty() && !self.owes_overrun && self.wires.events.try_send(event).is_ok() {
            self.tally.received += 1;
        } else {
            self.tally.unread += 1;
            self.owes_overrun = true;
        }
    }
}

/// EAGAIN and ENOSPC.
const NOTHING_THERE: i32 = 11;
const POOL_OVERFLOWED: i32 = 28;

fn subscribe(sequencer: &Seq, from: Addr, to: Addr) -> alsa::Result<()> {
    let subscription = PortSubscribe::empty()?;
    subscription.set_sender(from);
    subscription.set_dest(to);
    sequencer.subscribe_port(&subscription)
}

/// `name` as the kernel takes it: without control characters, 63 bytes at most.
fn text(name: &str) -> CString {
    const BYTES_MAX: usize = 63;
    let mut cleaned: String = name.chars().filter(|letter| !letter.is_control()).collect();
    while cleaned.len() > BYTES_MAX {
        cleaned.pop();
    }
    CString::new(cleaned).unwrap_or_default()
}

//! The link's thread: one for each room that the process plays in, and nearly always that is one.

use std::net::{SocketAddr, UdpSocket};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use lockstep_shared::session::{ClientSettings, Invite};
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::wire::DATAGRAM_BYTES_MAX;

use super::clock_output::{ClockOutput, Heard};
use super::journal::Journal;
use super::resolve::{self, Resolver};
use super::{clock, member, priority, wait};
use crate::link::{Cue, Link, LinkSettings, Port, PortId, Standpoint};
use crate::status::{LinkState, Status};

/// How often the status is worked out.
const STATUS_EVERY: Span = Span::from_millis(50);
/// Datagrams taken in a row before the rings are looked at again.
const RECEIVE_BATCH: usize = 64;
/// The longest sleep: commands are looked for this often.
const SLEEP_MAX: Duration = Duration::from_millis(20);
/// How long an instance waits for its port when it leaves.
const HAND_BACK_WITHIN: Duration = Duration::from_millis(500);
/// How often the name service's answer is looked for.
const LOOK_FOR_ANSWER_EVERY: Span = Span::from_millis(5);
/// Between two attempts to find the relay's address or to open a socket.
const RETRY_OPEN: Span = Span::from_millis(2_000);

/// What an instance shows.
pub(super) type SharedStatus = Arc<Mutex<Status>>;

/// What instances tell the thread.
#[derive(Debug)]
enum Command {
    Add { seat: u64, port: Box<Port>, status: SharedStatus },
    Remove { seat: u64, back: Sender<Box<Port>> },
    Rename { seat: u64, member_name: String, strip_name: String },
    TakeLead,
    Cue(Cue),
    Stop,
}

/// A running link.
#[derive(Debug)]
pub(super) struct LinkThread {
    commands: Sender<Command>,
    thread: Option<JoinHandle<()>>,
}

impl LinkThread {
    pub(super) fn start(invite: Invite, member_name: String) -> Result<Self, String> {
        Self::start_with(invite, member_name, resolve::system)
    }

    fn start_with(invite: Invite, member_name: String, resolver: Resolver) -> Result<Self, String> {
        let (commands, inbox) = channel();
        let thread = std::thread::Builder::new()
            .name("lockstep-link".into())
            .spawn(move || {
                Runner { invite, member_name, inbox, resolver, seats: Vec::new(), waiting: Vec::new() }.run()
            })
            .map_err(|error| format!("the system refused a thread for the link: {error}"))?;
        Ok(Self { commands, thread: Some(thread) })
    }

    pub(super) fn add(&self, seat: u64, port: Box<Port>, status: SharedStatus) {
        self.send(Command::Add { seat, port, status });
    }

    /// Takes an instance out, and waits for its port. None if the thread is busy looking for the relay's address.
    pub(super) fn remove(&self, seat: u64) -> Option<Box<Port>> {
        let (back, port) = channel();
        self.send(Command::Remove { seat, back });
        port.recv_timeout(HAND_BACK_WITHIN).ok()
    }

    pub(super) fn rename(&self, seat: u64, member_name: String, strip_name: String) {
        self.send(Command::Rename { seat, member_name, strip_name });
    }

    pub(super) fn cue(&self, cue: Cue) {
        self.send(Command::Cue(cue));
    }

    pub(super) fn take_lead(&self) {
        self.send(Command::TakeLead);
    }

    fn send(&self, command: Command) {
        // The thread lives as long as this handle, unless it died of a bug; then there is nobody to tell.
        let _ = self.commands.send(command);
    }
}

impl Drop for LinkThread {
    /// Says goodbye to the relay and waits for the thread: it never outlives the plugin's code.
    fn drop(&mut self) {
        self.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[derive(Debug)]
struct Runner {
    invite: Invite,
    member_name: String,
    inbox: Receiver<Command>,
    resolver: Resolver,
    seats: Vec<RunningSeat>,
    /// Instances that came before the relay's address was known.
    waiting: Vec<Command>,
}

#[derive(Debug)]
struct RunningSeat {
    seat: u64,
    port: PortId,
    status: SharedStatus,
}

enum Next {
    GoOn,
    Stop,
}

impl Runner {
    fn run(mut self) {
        let Some((socket, mut link)) = self.open() else { return };
        // Only now: a name service may take its time, and is no work of real time.
        priority::raise_current_thread();
        for command in std::mem::take(&mut self.waiting) {
            self.obey(&mut link, command);
        }
        let mut buffer = [0; DATAGRAM_BYTES_MAX + 1];
        let mut status_due = clock::now();
        let mut journal = Journal::from_environment();
        let mut clock_output = ClockOutput::new();
        loop {
            loop {
                match self.inbox.try_recv() {
                    Ok(Command::Stop) | Err(TryRecvError::Disconnected) => {
                        link.leave();
                        send_all(&socket, &mut link, &mut buffer);
                        return;
                    }
                    Ok(command) => self.obey(&mut link, command),
                    Err(TryRecvError::Empty) => break,
                }
            }
            for _ in 0..RECEIVE_BATCH {
                // An error here is an ICMP answer to an earlier datagram: the relay is not there, or not yet.
                let Ok(length) = socket.recv(&mut buffer) else { break };
                if length <= DATAGRAM_BYTES_MAX {
                    link.handle_datagram(clock::now(), &mut buffer[..length]);
                }
                emit_clock(&mut link, &mut clock_output);
            }
            link.handle_timeout(clock::now());
            attend(&mut link, &mut clock_output);
            emit_clock(&mut link, &mut clock_output);
            send_all(&socket, &mut link, &mut buffer);
            emit_clock(&mut link, &mut clock_output);
            let now = clock::now();
            journal.write(now, &link);
            if now >= status_due {
                status_due = now + STATUS_EVERY;
                let members = link.members();
                for seat in &self.seats {
                    let mut status = link.status(now, seat.port, &members);
                    status.notices.extend(clock_output.notice());
                    set(&seat.status, status);
                }
            }
            let timeout = now.duration_until(link.poll_timeout()).min(SLEEP_MAX);
            if wait::for_datagram(&socket, timeout).is_err() {
                // A socket that cannot be waited for is looked at again after the wait itself.
                std::thread::park_timeout(timeout);
            }
            emit_clock(&mut link, &mut clock_output);
        }
    }

    /// Finds the relay and opens a socket to it, for as long as it takes. None when told to stop.
    fn open(&mut self) -> Option<(UdpSocket, Link)> {
        let mut try_at = clock::now();
        loop {
            if let Next::Stop = self.wait_until(try_at) {
                return None;
            }
            match self.find_relay()? {
                Ok(addresses) => match self.open_to(addresses, clock::now()) {
                    Ok(open) => return Some(open),
                    Err(sentence) => self.tell(&LinkState::Connecting(sentence)),
                },
                Err(sentence) => self.tell(&LinkState::Connecting(sentence)),
            }
            try_at = clock::now() + RETRY_OPEN;
        }
    }

    /// The relay's addresses, as soon as they are known; commands are heard meanwhile. None when told to stop.
    fn find_relay(&mut self) -> Option<Result<Vec<SocketAddr>, String>> {
        let host = self.invite.host.clone();
        let failed = |error: &str| {
            Some(Err(format!("the relay {host:?} was not found ({error}); check the invite and the network")))
        };
        let answers = match resolve::ask(&host, self.invite.port, self.resolver) {
            Ok(answers) => answers,
            Err(error) => return failed(&error.to_string()),
        };
        loop {
            match answers.try_recv() {
                Ok(Ok(addresses)) => return Some(Ok(addresses)),
                Ok(Err(error)) => return failed(&error),
                Err(TryRecvError::Disconnected) => return failed("nobody answered"),
                Err(TryRecvError::Empty) => {}
            }
            if let Next::Stop = self.wait_until(clock::now() + LOOK_FOR_ANSWER_EVERY) {
                return None;
            }
        }
    }

    fn open_to(&self, addresses: Vec<SocketAddr>, now: LocalTime) -> Result<(UdpSocket, Link), String> {
        let Invite { host, relay_key, secret, .. } = &self.invite;
        let mut failure = format!("the relay {host:?} has no address");
        for address in addresses {
            match connect(address) {
                Ok(socket) => {
                    let client =
                        ClientSettings { relay_key: *relay_key, secret: *secret, member_key: member::key()? };
                    let member_name = self.member_name.clone();
                    let settings = LinkSettings { client, member_name };
                    return Ok((socket, Link::new(settings, &member::seed()?, now)));
                }
                Err(error) => failure = format!("no way to the relay at {address}: {error}"),
            }
        }
        Err(failure)
    }

    /// Keeps commands for later until `until`.
    fn wait_until(&mut self, until: LocalTime) -> Next {
        loop {
            let left = clock::now().duration_until(until);
            match self.inbox.recv_timeout(left) {
                Ok(Command::Stop) | Err(std::sync::mpsc::RecvTimeoutError::Disconnected) => {
                    return Next::Stop;
                }
                Ok(Command::Remove { seat, back }) => self.hand_back(seat, &back),
                Ok(command) => self.waiting.push(command),
                Err(std::sync::mpsc::RecvTimeoutError::Timeout) => return Next::GoOn,
            }
        }
    }

    /// Gives up an instance that waits for the relay's address.
    fn hand_back(&mut self, leaves: u64, back: &Sender<Box<Port>>) {
        let is_leaving = |command: &Command| matches!(command, Command::Add { seat, .. } if *seat == leaves);
        let Some(place) = self.waiting.iter().position(is_leaving) else { return };
        if let Command::Add { port, .. } = self.waiting.remove(place) {
            let _ = back.send(port);
        }
    }

    /// Tells everybody who waits.
    fn tell(&self, state: &LinkState) {
        for command in &self.waiting {
            if let Command::Add { status, .. } = command {
                set(status, Status { link: state.clone(), ..Status::default() });
            }
        }
    }

    fn obey(&mut self, link: &mut Link, command: Command) {
        let now = clock::now();
        match command {
            Command::Add { seat, port, status } => match link.add_port(now, *port) {
                Ok(port) => self.seats.push(RunningSeat { seat, port, status }),
                Err(error) => {
                    set(&status, Status { link: LinkState::Refused(error.to_string()), ..Status::default() });
                }
            },
            Command::Remove { seat, back } => {
                if let Some(place) = self.seats.iter().position(|running| running.seat == seat)
                    && let Some(port) = link.remove_port(now, self.seats.swap_remove(place).port)
                {
                    // Whoever asked may have gone: then the port is freed here.
                    let _ = back.send(Box::new(port));
                }
            }
            Command::Rename { seat, member_name, strip_name } => {
                if let Some(running) = self.seats.iter().find(|running| running.seat == seat) {
                    link.rename(now, running.port, member_name, strip_name);
                }
            }
            Command::TakeLead => link.take_lead(),
            Command::Cue(cue) => link.cue(cue),
            // Seen to where commands are read.
            Command::Stop => {}
        }
    }
}

fn connect(relay: SocketAddr) -> std::io::Result<UdpSocket> {
    let any: SocketAddr = if relay.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
    let socket = UdpSocket::bind(any)?;
    socket.connect(relay)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn send_all(socket: &UdpSocket, link: &mut Link, buffer: &mut [u8]) {
    while let Some(length) = link.poll_transmit(clock::now(), &mut buffer[..DATAGRAM_BYTES_MAX]) {
        // What the system will not take now is lost, as on any network.
        let _ = socket.send(&buffer[..length]);
    }
}

/// Has the clock's output follow what this process is to the room's musical time.
fn attend(link: &mut Link, output: &mut ClockOutput) {
    let now = clock::now();
    match link.musical().standpoint() {
        Standpoint::Following => {
            if output.follow(now) == Heard::FromNowOn {
                link.repeat_clock();
            }
        }
        Standpoint::Off | Standpoint::Asking | Standpoint::Leading | Standpoint::Refused(_) => {
            output.rest(now);
        }
    }
}

/// Sends the events of the MIDI clock that are due. Called wherever time has passed.
fn emit_clock(link: &mut Link, output: &mut ClockOutput) {
    loop {
        let now = clock::now();
        let due = link.clock_due(now);
        let Some(event) = link.poll_clock(now) else { return };
        output.send(due, event);
    }
}

fn set(shared: &SharedStatus, status: Status) {
    *shared.lock().unwrap_or_else(PoisonError::into_inner) = status;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_waits_for_a_name_service_that_does_not_answer() {
        const SILENT: Duration = Duration::from_millis(1_500);
        let silent: Resolver = |_, _| {
            let until = clock::now() + Span::from_millis(1_500);
            while clock::now() < until {
                std::thread::park_timeout(clock::now().duration_until(until));
            }
            Err("no answer".to_owned())
        };
        let secret = "A".repeat(64);
        let invite = Invite::parse(&format!("lockstep://relay.example/studio#{secret}")).unwrap();
        let began = clock::now();
        let link = LinkThread::start_with(invite, "Ada".to_owned(), silent).unwrap();
        std::thread::park_timeout(Duration::from_millis(50));
        drop(link);
        assert!(began.duration_until(clock::now()) < SILENT / 2, "leaving waited for the name service");
        resolve::wait_for_all();
        assert!(began.duration_until(clock::now()) >= SILENT, "the module waits for the thread in it");
    }
}

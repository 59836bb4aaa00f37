//! The handle on the sequencer's thread.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use lockstep_shared::midi::message::Message;
use lockstep_shared::time::LocalTime;

use super::unavailable::Place;
use super::worker::{self, Inward};
use super::{Busy, Event, PortId, Tally, Unavailable};
use crate::bridge::patch::Command;

/// Commands that may wait for the thread: a second of a very busy relay.
const COMMANDS_MAX: usize = 8_192;
/// Events that may wait for their reader.
const EVENTS_MAX: usize = 8_192;

/// The way to ALSA's sequencer. Our ports close when it is dropped, which waits for what leaves within [`AHEAD`] and
/// forgets the rest.
///
/// [`AHEAD`]: super::AHEAD
#[derive(Debug)]
pub struct Sequencer {
    /// None once it is closing: the thread ends when there is no sender any more.
    commands: Option<SyncSender<Inward>>,
    bell: Bell,
    tally: Arc<Mutex<Tally>>,
    ports: u32,
    thread: Option<JoinHandle<()>>,
}

/// What wakes the thread: one byte on a socket, unless it is awake.
#[derive(Debug)]
struct Bell {
    socket: UnixStream,
    rung: Arc<AtomicBool>,
}

impl Sequencer {
    /// Opens a client called [`super::CLIENT`] and starts its thread. What the sequencer tells is in the receiver.
    ///
    /// # Errors
    /// Why there is no sequencer, and what to do about it.
    pub fn open() -> Result<(Self, Receiver<Event>), Unavailable> {
        let failed = |errno| Unavailable::of_errno(errno, place());
        let (commands, inbox) = sync_channel(COMMANDS_MAX);
        let (events, outbox) = sync_channel(EVENTS_MAX);
        let (opened, wait) = sync_channel(1);
        let system = |error: std::io::Error| failed(error.raw_os_error().unwrap_or_default());
        let (socket, bell) = UnixStream::pair().map_err(system)?;
        socket.set_nonblocking(true).and_then(|()| bell.set_nonblocking(true)).map_err(system)?;
        let rung = Arc::new(AtomicBool::new(false));
        let tally = Arc::new(Mutex::new(Tally::default()));
        let wires = worker::Wires {
            commands: inbox,
            events,
            bell,
            rung: Arc::clone(&rung),
            tally: Arc::clone(&tally),
        };
        let thread = std::thread::Builder::new()
            .name("sequencer".to_owned())
            .spawn(move || worker::run(wires, &opened))
            .map_err(system)?;
        // The thread says whether it could; only a panic says nothing.
        wait.recv().unwrap_or(Err(0)).map_err(failed)?;
        let bell = Bell { socket, rung };
        Ok((Self { commands: Some(commands), bell, tally, ports: 0, thread: Some(thread) }, outbox))
    }

    /// Opens a port called `name` for both directions. [`Event::Opened`] follows, or [`Event::Failed`]. The name should be
    /// one that no other port of ours has, and without numbers that change, since that is what others find it by. Of a
    /// longer one, 63 bytes are used; control characters are left out.
    ///
    /// # Errors
    /// The thread is behind.
    pub fn open_port(&mut self, name: &str) -> Result<PortId, Busy> {
        let port = PortId(self.ports);
        self.command(Inward::Open(port, name.to_owned()))?;
        self.ports += 1;
        Ok(port)
    }

    /// Closes a port, with all that waits for it.
    ///
    /// # Errors
    /// The thread is behind.
    pub fn close_port(&self, port: PortId) -> Result<(), Busy> {
        self.command(Inward::Close(port))
    }

    /// Sends a message to all that are connected to `port`, at `at`; at once if that has passed.
    ///
    /// # Errors
    /// The thread is behind.
    pub fn send(&self, port: PortId, at: LocalTime, message: &Message) -> Result<(), Busy> {
        self.command(Inward::Send(port, at, message.clone()))
    }

    /// Connects or disconnects two ports, whoever has them. [`Event::Made`] or [`Event::Refused`] follows.
    ///
    /// # Errors
    /// The thread is behind.
    pub fn patch(&self, command: Command) -> Result<(), Busy> {
        self.command(Inward::Patch(command))
    }

    /// What happened so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        *self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, command: Inward) -> Result<(), Busy> {
        self.commands.as_ref().ok_or(Busy)?.try_send(command).map_err(|_| Busy)?;
        self.bell.ring();
        Ok(())
    }
}

impl Bell {
    fn ring(&self) {
        if !self.rung.swap(true, Ordering::AcqRel) {
            // A full socket rings already.
            let _ = (&self.socket).write(&[1]);
        }
    }
}

impl Drop for Sequencer {
    fn drop(&mut self) {
        self.commands = None;
        self.bell.rung.store(false, Ordering::Release);
        self.bell.ring();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The system as far as the missing sequencer's sentence depends on it.
fn place() -> Place {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let release = read("/proc/sys/kernel/osrelease").trim().to_owned();
    let distribution = read("/etc/os-release")
        .lines()
        .find_map(|line| Some(line.strip_prefix("ID=")?.trim_matches('"').to_owned()))
        .unwrap_or_default();
    let modules = format!("/lib/modules/{release}/modules.dep");
    let has_module = read(&modules).lines().any(|line| line.contains("/snd-seq.ko"));
    let marks = ["/.dockerenv", "/run/.containerenv"];
    let is_container = marks.iter().any(|mark| std::path::Path::new(mark).exists());
    Place { release, distribution, has_module, is_container }
}

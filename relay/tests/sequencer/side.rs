//! A sequencer under test, and what is waited for.

use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lockstep_relay::bridge::patch::{self, Address, Connection, Patch, Rules};
use lockstep_relay::shell::clock;
use lockstep_relay::shell::sequencer::{Event, PortId, Sequencer, Tally};
use lockstep_shared::midi::message::Message;
use lockstep_shared::time::{LocalTime, Span};

/// Nothing here takes longer, even in an emulated machine.
pub(crate) const WITHIN: Span = Span::from_millis(10_000);

/// One sequencer under test and what it told.
pub(crate) struct Side {
    pub(crate) sequencer: Sequencer,
    events: Receiver<Event>,
    pub(crate) patch: Patch,
}

/// Runs `test` alone, if there is a sequencer.
#[expect(clippy::print_stdout, reason = "a test that cannot run says why")]
pub(crate) fn with_sequencer(test: impl FnOnce()) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone: MutexGuard<'_, ()> = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    match Sequencer::open() {
        Ok(_) => test(),
        Err(unavailable) => println!("not tried: {unavailable}"),
    }
}

impl Side {
    pub(crate) fn open() -> Self {
        Self::with_rules("")
    }

    pub(crate) fn with_rules(rules: &str) -> Self {
        let (sequencer, events) = Sequencer::open().expect("a sequencer");
        Self { sequencer, events, patch: Patch::new(Rules::parse(rules).expect("rules")) }
    }

    /// The next event; the patch has been told of it, and obeyed.
    pub(crate) fn next(&mut self, until: LocalTime) -> Option<Event> {
        let event = self.events.recv_timeout(clock::now().duration_until(until)).ok()?;
        match &event {
            Event::Appeared { address, port } => self.patch.appeared(*address, port.clone()),
            Event::Vanished { address } => self.patch.vanished(*address),
            Event::Subscribed(connection) => self.patch.subscribed(*connection),
            Event::Unsubscribed(connection) => self.patch.unsubscribed(*connection),
            Event::Made(connection) => self.patch.made(*connection),
            Event::Refused(connection) => self.patch.refused(*connection),
            Event::Received { .. } | Event::Overrun | Event::Opened { .. } | Event::Failed { .. } => {}
        }
        while let Some(command) = self.patch.poll_command() {
            self.sequencer.patch(command).expect("room");
        }
        Some(event)
    }

    /// Waits until `wanted` finds what it wants.
    pub(crate) fn wait<T>(&mut self, what: &str, mut wanted: impl FnMut(&Event) -> Option<T>) -> T {
        let until = clock::now() + WITHIN;
        let mut told = Vec::new();
        while let Some(event) = self.next(until) {
            if let Some(found) = wanted(&event) {
                return found;
            }
            told.push(event);
        }
        panic!("no {what}; told: {told:?}");
    }

    pub(crate) fn open_port(&mut self, name: &str) -> (PortId, Address) {
        let port = self.sequencer.open_port(name).expect("room");
        self.wait("port", |event| {
            let Event::Opened { port: opened, address } = event else { return None };
            (*opened == port).then_some((port, *address))
        })
    }

    /// The next `count` messages, with the times they were read.
    pub(crate) fn receive(&mut self, count: usize) -> Vec<(LocalTime, Message)> {
        let mut received = Vec::new();
        while received.len() < count {
            received.push(self.wait("message", |event| {
                let Event::Received { at, message, .. } = event else { return None };
                Some((*at, message.clone()))
            }));
        }
        received
    }

    pub(crate) fn connect(&mut self, from: Address, to: Address) {
        let connection = Connection { from, to };
        self.sequencer.patch(patch::Command::Connect(connection)).expect("room");
        self.wait("connection", |event| (*event == Event::Made(connection)).then_some(()));
    }

    pub(crate) fn port_called(&mut self, name: &str) -> Address {
        let known =
            self.patch.ports().iter().find(|(_, port)| port.name == name).map(|(address, _)| *address);
        known.unwrap_or_else(|| {
            self.wait(name, |event| {
                let Event::Appeared { address, port } = event else { return None };
                (port.name == name).then_some(*address)
            })
        })
    }
}

/// Two sequencers, one port each, connected from the first to the second.
pub(crate) fn pair() -> (Side, PortId, Side) {
    let (mut one, mut other) = (Side::open(), Side::open());
    let (port, from) = one.open_port("from");
    let (_, to) = other.open_port("to");
    one.connect(from, to);
    (one, port, other)
}

/// The tally, once it is as `wanted`: the thread writes it down a moment after it told of an event.
pub(crate) fn tallied(side: &Side, wanted: impl Fn(&Tally) -> bool) -> Tally {
    let until = clock::now() + WITHIN;
    loop {
        let tally = side.sequencer.tally();
        if wanted(&tally) || clock::now() > until {
            return tally;
        }
        std::thread::yield_now();
    }
}

//! One session against a peer that says exactly what a test wants it to.

use core::net::SocketAddr;

use crate::rtpmidi::control::{CONTROL_VERSION, ClockStep, Control, Greeting, Ssrc, Token};
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{Event, Policy, Port, Refused, Session, Settings};
use crate::time::{LocalTime, Span};

pub(super) const PEER: Ssrc = Ssrc(0x0BAD_CAFE);
pub(super) const TOKEN: Token = Token(0x1234_5678);

pub(super) struct Script {
    pub(super) session: Session,
    pub(super) now: LocalTime,
    /// What the session sent and nobody looked at.
    pub(super) sent: Vec<(Port, SocketAddr, Vec<u8>)>,
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A peer's control port.
pub(super) fn control() -> SocketAddr {
    address("192.168.1.20:5004")
}

/// Its data port: not the next one, for a router is in between.
pub(super) fn data() -> SocketAddr {
    address("192.168.1.20:61005")
}

pub(super) fn session(policy: Policy, seed: u8) -> Session {
    let settings = Settings { name: Name::new("Lockstep Jam"), policy, participants_max: 64 };
    Session::new(settings, &[seed; 32])
}

pub(super) fn greeting(token: Token, ssrc: Ssrc, name: &str) -> Greeting {
    Greeting { version: CONTROL_VERSION, token, ssrc, name: Name::new(name) }
}

impl Script {
    pub(super) fn new(policy: Policy) -> Self {
        Self {
            session: session(policy, 1),
            now: LocalTime::ZERO + Span::from_millis(1_000),
            sent: Vec::new(),
        }
    }

    pub(super) fn bytes(&mut self, port: Port, from: SocketAddr, bytes: &[u8]) -> Result<(), Refused> {
        let taken = self.session.handle_datagram(self.now, port, from, bytes);
        self.drain();
        taken
    }

    pub(super) fn say(&mut self, port: Port, from: SocketAddr, packet: &Control) -> Result<(), Refused> {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes);
        self.bytes(port, from, &bytes)
    }

    pub(super) fn invite(
        &mut self,
        port: Port,
        from: SocketAddr,
        token: Token,
        ssrc: Ssrc,
        name: &str,
    ) -> Result<(), Refused> {
        self.say(port, from, &Control::Invite(greeting(token, ssrc, name)))
    }

    /// Both invitations of a usual peer, and the first question of its clock.
    pub(super) fn join(&mut self, control: SocketAddr, data: SocketAddr, ssrc: Ssrc, name: &str) {
        let token = Token(ssrc.0 ^ 0x5555);
        self.invite(Port::Control, control, token, ssrc, name).unwrap();
        self.invite(Port::Data, data, token, ssrc, name).unwrap();
        self.ask(data, ssrc).unwrap();
        self.sent.clear();
    }

    /// The question of a peer's clock.
    pub(super) fn ask(&mut self, from: SocketAddr, ssrc: Ssrc) -> Result<(), Refused> {
        let step = ClockStep::Ask(crate::rtpmidi::time::Ticks::at(self.now));
        self.say(Port::Data, from, &Control::Clock { ssrc, step })
    }

    /// Lets time pass, timer by timer.
    pub(super) fn wait(&mut self, millis: i64) {
        let until = self.now + Span::from_millis(millis);
        let mut steps = 0;
        while self.session.poll_timeout() <= until {
            self.now = self.now.max(self.session.poll_timeout());
            self.session.handle_timeout(self.now);
            self.drain();
            steps += 1;
            assert!(steps < 100_000, "a timer that is due does nothing");
        }
        self.now = until;
    }

    pub(super) fn drain(&mut self) {
        let mut out = Vec::new();
        while let Some((port, to)) = self.session.poll_transmit(&mut out) {
            self.sent.push((port, to, out.clone()));
        }
    }

    /// What was sent since the last look, read.
    pub(super) fn heard(&mut self) -> Vec<(Port, SocketAddr, Control)> {
        self.drain();
        let sent = self.sent.drain(..);
        sent.map(|(port, to, bytes)| (port, to, Control::decode(&bytes).unwrap())).collect()
    }

    /// The one packet that was sent since the last look.
    pub(super) fn answer(&mut self) -> (Port, SocketAddr, Control) {
        let mut heard = self.heard();
        assert_eq!(heard.len(), 1, "{heard:?}");
        heard.remove(0)
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        core::iter::from_fn(|| self.session.poll_event()).collect()
    }
}

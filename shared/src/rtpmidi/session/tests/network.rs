//! Two sessions and what lies between them: delay, jitter, loss, outages, a clock each, and virtual time.

use std::collections::BTreeMap;

use core::net::SocketAddr;

use super::script::session;
use crate::rtpmidi::name::Name;
use crate::rtpmidi::session::{Event, ParticipantId, Policy, Port, Session, Trips};
use crate::time::convert::{f64_from_i64, i64_round};
use crate::time::{LocalTime, Span};

/// A session on a host of its own.
pub(super) struct End {
    pub(super) session: Session,
    pub(super) control: SocketAddr,
    pub(super) data: SocketAddr,
    pub(super) events: Vec<(LocalTime, Event)>,
    /// What its clock showed at the beginning.
    origin: Span,
    /// How much faster than true time it runs.
    skew: f64,
    pub(super) is_dead: bool,
}

pub(super) struct Network {
    /// True time.
    pub(super) now: LocalTime,
    pub(super) ends: [End; 2],
    /// From the first to the second, and back.
    pub(super) delays: [Span; 2],
    pub(super) jitter: Span,
    pub(super) loss_percent: u64,
    pub(super) is_cut: bool,
    /// By when they arrive; the second number sets those apart that arrive at once.
    flying: BTreeMap<(LocalTime, u64), Flying>,
    random: u64,
}

struct Flying {
    from: SocketAddr,
    to: SocketAddr,
    datagram: Vec<u8>,
}

impl End {
    fn new(seed: u8, control: &str, data: &str, origin: Span, skew: f64) -> Self {
        Self {
            session: session(Policy::anyone(), seed),
            control: control.parse().unwrap(),
            data: data.parse().unwrap(),
            events: Vec::new(),
            origin,
            skew,
            is_dead: false,
        }
    }

    /// What its clock shows at `now`.
    pub(super) fn clock(&self, now: LocalTime) -> LocalTime {
        let nanos = f64_from_i64(now.nanos()) * (1.0 + self.skew);
        LocalTime::from_nanos(i64_round(nanos)) + self.origin
    }

    /// When its clock will have reached `clock`, for certain.
    fn when(&self, clock: LocalTime) -> LocalTime {
        if clock == LocalTime::NEVER {
            return LocalTime::NEVER;
        }
        let nanos = f64_from_i64((clock - self.origin).nanos()) / (1.0 + self.skew);
        LocalTime::from_nanos(i64_round(nanos) + 2_000)
    }

    /// The rounds with whoever is here.
    pub(super) fn trips(&self) -> Trips {
        self.session.trips(self.ids()[0]).unwrap()
    }

    /// Who is here.
    pub(super) fn ids(&self) -> Vec<ParticipantId> {
        self.session.participants().map(|participant| participant.id).collect()
    }
}

impl Network {
    pub(super) fn new(seed: u64) -> Self {
        let second = Span::from_millis(1_000);
        let far = Span::from_nanos(second.nanos() * 1_000_000);
        Self {
            now: LocalTime::ZERO,
            ends: [
                End::new(10, "10.0.0.1:5004", "10.0.0.1:5005", second, 0.0),
                End::new(20, "10.0.0.2:5004", "10.0.0.2:5005", far, 60e-6),
            ],
            delays: [Span::from_millis(10), Span::from_millis(10)],
            jitter: Span::ZERO,
            loss_percent: 0,
            is_cut: false,
            flying: BTreeMap::new(),
            random: seed,
        }
    }

    /// The first end invites the second.
    pub(super) fn invite(&mut self) -> ParticipantId {
        let (now, to) = (self.ends[0].clock(self.now), self.ends[1].control);
        let id = self.ends[0].session.invite(now, to, None, Name::new("Far")).unwrap();
        self.send(0);
        id
    }

    pub(super) fn run(&mut self, millis: i64) {
        let until = self.now + Span::from_millis(millis);
        loop {
            let due =
                |end: &End| if end.is_dead { LocalTime::NEVER } else { end.when(end.session.poll_timeout()) };
            let arrival = self.flying.first_key_value().map_or(LocalTime::NEVER, |(&(at, _), _)| at);
            let next = due(&self.ends[0]).min(due(&self.ends[1])).min(arrival).max(self.now);
            if next > until {
                break;
            }
            self.now = next;
            if arrival <= next {
                self.arrive();
            }
            for which in 0..2 {
                if due(&self.ends[which]) <= next {
                    let now = self.ends[which].clock(next);
                    self.ends[which].session.handle_timeout(now);
                    self.send(which);
                }
            }
        }
        self.now = until;
    }

    /// Runs until `is_so`, at most for `millis`; returns how long that took.
    pub(super) fn run_until(&mut self, millis: i64, is_so: impl Fn(&Self) -> bool) -> Span {
        let start = self.now;
        while !is_so(self) {
            assert!(self.now - start < Span::from_millis(millis), "not within {millis} ms");
            self.run(1);
        }
        self.now - start
    }

    fn arrive(&mut self) {
        let Some((_, Flying { from, to, datagram })) = self.flying.pop_first() else { return };
        let is_at = |end: &End| !end.is_dead && (end.control == to || end.data == to);
        let Some(which) = self.ends.iter().position(is_at) else { return };
        let end = &mut self.ends[which];
        let port = if end.control == to { Port::Control } else { Port::Data };
        let now = end.clock(self.now);
        let _ = end.session.handle_datagram(now, port, from, &datagram);
        self.send(which);
    }

    /// Puts on the way what an end has to send, and notes what it tells.
    pub(super) fn send(&mut self, which: usize) {
        let mut out = Vec::new();
        while let Some((port, to)) = self.ends[which].session.poll_transmit(&mut out) {
            let lost = self.draw() % 100 < self.loss_percent;
            if lost || self.is_cut {
                continue;
            }
            let end = &self.ends[which];
            let from = if port == Port::Control { end.control } else { end.data };
            let jitter =
                i64::try_from(self.draw() % u64::try_from(self.jitter.nanos() + 1).unwrap()).unwrap();
            let at = self.now + self.delays[which] + Span::from_nanos(jitter);
            let order = self.draw();
            self.flying.insert((at, order), Flying { from, to, datagram: out.clone() });
        }
        while let Some(event) = self.ends[which].session.poll_event() {
            self.ends[which].events.push((self.now, event));
        }
    }

    pub(super) fn draw(&mut self) -> u64 {
        self.random =
            self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.random >> 33
    }

    /// How far off the mark an end has the other's clock, now.
    pub(super) fn clock_error(&self, which: usize) -> Span {
        use crate::rtpmidi::time::Ticks;
        let other = &self.ends[1 - which];
        let id = self.ends[which].ids()[0];
        // The middle of the tick that the other's clock shows.
        let shown = other.clock(self.now);
        let into = shown.nanos().rem_euclid(100_000);
        let middle = self.now + Span::from_nanos(50_000 - into);
        let mapped = self.ends[which].session.clock(id).unwrap().local(Ticks::at(shown).timestamp());
        mapped - self.ends[which].clock(middle)
    }
}

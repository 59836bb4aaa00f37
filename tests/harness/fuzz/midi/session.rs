//! A session, and peers that say what they like from where they like.

use std::collections::BTreeMap;

use core::net::SocketAddr;

use lockstep_shared::rtpmidi::control::{
    CONTROL_VERSION, ClockStep, Control, Greeting, Receipt, Ssrc, Token,
};
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{
    Answer, Entry, Event, Health, LeaveReason, PARTICIPANTS_MAX, PLACES_MAX, ParticipantId, Policy, Port,
    Return, Session, Settings,
};
use lockstep_shared::rtpmidi::time::{Ticks, Timestamp};
use lockstep_shared::time::{LocalTime, Span};

use crate::fuzz::input::Input;

/// Things that happen in one run; an input that goes on is cut here.
const HAPPENINGS_MAX: usize = 200;
/// Datagrams of the session that peers remember.
const REMEMBERED: usize = 16;
const SSRCS: [u32; 4] = [0x0BAD_CAFE, 0x0000_CAFE, 7, 0];
const TOKENS: [u32; 3] = [0x1234_5678, 1, 0];
const NAMES: [&str; 4] =
    ["", "Keys", "Pads", "A name that is as long as names may be and then some more of it"];
/// Half open invitations, and those that somebody is asked about.
const PENDING_MAX: usize = 256 + 32;
const ASKED_MAX: usize = 32;
/// An unproven peer gets at most this many times what it sent.
const FACTOR: usize = 3;
/// The longest packet of a session.
const PACKET_BYTES_MAX: usize = 80;
/// What a timer says to one place at most: two goodbyes, a question and an invitation.
const SAYINGS_MAX: usize = 4 * PLACES_MAX;

/// Who is here and who asks is what the events said; a datagram gets one answer at most, back to where it came from,
/// never longer than three times itself and only a welcome longer than itself; timers that are due do something;
/// everything is bounded.
pub fn midi_session(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let mut room = Room::new(&mut input);
    for _ in 0..HAPPENINGS_MAX {
        if input.is_over() {
            break;
        }
        room.happen(&mut input);
        room.check();
    }
}

/// What the events said of a place.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    is_asked: bool,
    health: Option<Health>,
    was_here: bool,
}

struct Room {
    now: LocalTime,
    session: Session,
    told: BTreeMap<ParticipantId, Told>,
    /// What the session said last, to whom it is said again.
    heard: Vec<Vec<u8>>,
    is_over: bool,
}

impl Room {
    fn new(input: &mut Input<'_>) -> Self {
        let policy = policy(input);
        let participants_max = 1 + input.below(4);
        // As long as it may be: an answer with it is cut.
        let settings = Settings { name: Name::new(NAMES[3]), policy, participants_max };
        Self {
            now: LocalTime::ZERO + Span::from_millis(1_000),
            session: Session::new(settings, &[9; 32]),
            told: BTreeMap::new(),
            heard: Vec::new(),
            is_over: false,
        }
    }

    fn happen(&mut self, input: &mut Input<'_>) {
        match input.below(12) {
            0 => {
                let (port, from) = (port(input), address(input));
                let bytes = input.bytes();
                self.arrive(port, from, bytes);
            }
            1..=4 => {
                let (port, from) = (port(input), address(input));
                let packet = self.any_packet(input);
                let mut bytes = Vec::new();
                packet.encode(&mut bytes);
                self.arrive(port, from, &bytes);
            }
            5 => {
                let (port, from) = (port(input), address(input));
                if let Some(mut bytes) = self.any_heard(input).cloned() {
                    let (place, how) = (input.u8(), input.u8());
                    let length = bytes.len();
                    bytes[usize::from(place) % length] ^= how & how >> 1;
                    self.arrive(port, from, &bytes);
                }
            }
            6 => {
                let (port, from, ssrc) = (port(input), address(input), ssrc(input));
                if let Some(answer) = self.any_heard(input).and_then(|bytes| answer_to(bytes, ssrc, self.now))
                {
                    let mut bytes = Vec::new();
                    answer.encode(&mut bytes);
                    self.arrive(port, from, &bytes);
                }
            }
            7 => {
                let (port, from, ssrc) = (port(input), address(input), ssrc(input));
                let mut bytes = vec![0x80, 0x61, 0, 1, 0, 0, 0, 1];
                bytes.extend(ssrc.0.to_be_bytes());
                bytes.extend_from_slice(input.bytes());
                self.arrive(port, from, &bytes);
            }
            8 => self.pass(Span::from_millis(i64::from(input.u8()))),
            9 => self.pass(Span::from_millis(i64::from(input.u8()) * 400)),
            _ => self.command(input),
        }
    }

    fn arrive(&mut self, port: Port, from: SocketAddr, bytes: &[u8]) {
        self.drain();
        // What was of no use has been counted.
        let _ = self.session.handle_datagram(self.now, port, from, bytes);
        // Whoever knows the token of an invitation of ours is who was invited.
        let is_proven = matches!(Control::decode(bytes), Ok(Control::Accept(_)));
        let answers = self.drain();
        assert!(answers.len() <= 1, "{answers:?}");
        for (by, to, answer) in answers {
            if is_proven {
                assert!(answer.len() <= PACKET_BYTES_MAX);
                continue;
            }
            assert_eq!((by, to), (port, from), "an answer goes back");
            let is_welcome = matches!(Control::decode(&answer), Ok(Control::Accept(_)));
            let most = if is_welcome { FACTOR * bytes.len() } else { bytes.len() };
            assert!(answer.len() <= most, "{} to {}", answer.len(), bytes.len());
        }
        self.events(Some(bytes));
    }

    /// What the session has to send, as somebody on the wire sees it.
    fn drain(&mut self) -> Vec<(Port, SocketAddr, Vec<u8>)> {
        let mut sent = Vec::new();
        let mut out = Vec::new();
        while let Some((port, to)) = self.session.poll_transmit(&mut out) {
            if self.heard.len() >= REMEMBERED {
                self.heard.remove(0);
            }
            self.heard.push(out.clone());
            sent.push((port, to, out.clone()));
        }
        sent
    }

    fn pass(&mut self, span: Span) {
        let until = self.now + span;
        while self.session.poll_timeout() <= until {
            self.now = self.now.max(self.session.poll_timeout());
            self.session.handle_timeout(self.now);
            assert!(self.session.poll_timeout() > self.now, "a timer does nothing");
            assert!(self.drain().len() <= SAYINGS_MAX);
            self.events(None);
        }
        self.now = until;
    }

    fn command(&mut self, input: &mut Input<'_>) {
        let (which, id) = (input.below(32), self.any_id(input));
        let here = id.filter(|id| self.told[id].health.is_some());
        match (which, id) {
            (0..=7, _) => {
                let (control, name) = (address(input), name(input));
                let data = (input.below(2) == 0).then(|| address(input));
                let _ = self.session.invite(self.now, control, data, name);
            }
            (8..=15, Some(id)) => {
                let accepted = self.session.accept(self.now, id);
                assert_eq!(accepted.is_ok(), self.told[&id].is_asked, "who asks can be let in");
                self.tell(id).is_asked = false;
            }
            (16..=18, Some(id)) => {
                let refused = self.session.refuse(self.now, id);
                assert_eq!(refused.is_ok(), self.told[&id].is_asked, "who asks can be refused");
                self.tell(id).is_asked = false;
            }
            (19..=20, Some(id)) => self.session.disconnect(self.now, id),
            (21, Some(id)) => self.session.forget(self.now, id),
            (22..=24, _) => self.session.set_policy(policy(input)),
            (25..=26, Some(id)) => {
                assert_eq!(self.session.send_media(id, &[0x80; 12]).is_ok(), here.is_some());
            }
            (27..=28, Some(id)) => {
                assert_eq!(self.session.send_receipt(id, 9).is_ok(), here.is_some());
            }
            (29, _) => {
                self.session.end(self.now);
                self.is_over = true;
            }
            _ => {}
        }
        self.events(None);
        if which == 21
            && let Some(id) = id
        {
            self.tell(id).was_here = false;
        }
        if self.is_over {
            self.told.values_mut().for_each(|told| told.is_asked = false);
        }
    }

    fn tell(&mut self, id: ParticipantId) -> &mut Told {
        self.told.entry(id).or_default()
    }

    fn events(&mut self, datagram: Option<&[u8]>) {
        while let Some(event) = self.session.poll_event() {
            match event {
                Event::Asked { id, .. } => {
                    let told = self.tell(id);
                    assert!(told.health.is_none(), "who is here need not ask");
                    told.is_asked = true;
                }
                Event::Joined { id, .. } => {
                    let told = self.tell(id);
                    assert!(!told.was_here, "nobody is new twice");
                    *told = Told { is_asked: false, health: Some(Health::Well), was_here: true };
                }
                Event::Returned { id, how, .. } => {
                    let told = self.tell(id);
                    assert!(told.was_here);
                    assert!(how == Return::Anew || told.health.is_some(), "who is gone is invited anew");
                    told.is_asked &= how == Return::Same;
                    told.health = Some(Health::Well);
                }
                Event::Quiet { id } => {
                    let before = self.tell(id).health.replace(Health::Quiet);
                    assert_eq!(before, Some(Health::Well));
                }
                Event::Left { id, reason: LeaveReason::GaveUp } => {
                    assert!(core::mem::take(&mut self.tell(id).is_asked), "who gives up has asked");
                }
                Event::Left { id, .. } => assert!(self.tell(id).health.take().is_some()),
                Event::Media { id, bytes } => {
                    assert!(self.tell(id).health.is_some());
                    assert_eq!(Some(bytes.as_slice()), datagram);
                }
                Event::Receipt { id, .. } | Event::RateLimit { id, .. } => {
                    assert!(self.tell(id).health.is_some());
                }
            }
        }
    }

    fn check(&mut self) {
        let here: BTreeMap<_, _> = self.session.participants().map(|peer| (peer.id, peer.health)).collect();
        let told = self.told.iter().filter_map(|(id, told)| told.health.map(|health| (*id, health)));
        assert_eq!(here, told.collect());
        assert!(here.len() <= PARTICIPANTS_MAX);
        let asked = self.told.values().filter(|told| told.is_asked).count();
        assert!(asked <= ASKED_MAX, "{asked} ask");
        let remembered = self.session.remembered();
        assert!(remembered.places <= PLACES_MAX && remembered.approved <= 64, "{remembered:?}");
        assert!((asked..=PENDING_MAX).contains(&remembered.pending), "{asked} of {remembered:?}");
        for id in here.keys() {
            // Anything that a peer's clock may have said has a place in time.
            let stamps = [0, 1 << 31, u32::MAX].map(Timestamp::from_bits);
            if let Some(clock) = self.session.clock(*id) {
                assert!(stamps.iter().all(|stamp| clock.local(*stamp) < LocalTime::NEVER));
            }
            assert!(self.session.ssrc(*id).is_some() && self.session.trips(*id).is_some());
        }
    }

    fn any_id(&self, input: &mut Input<'_>) -> Option<ParticipantId> {
        let place = input.below(8);
        self.told.keys().nth(place).copied()
    }

    fn any_heard(&self, input: &mut Input<'_>) -> Option<&Vec<u8>> {
        let place = input.below(REMEMBERED);
        self.heard.iter().rev().nth(place)
    }

    fn any_packet(&self, input: &mut Input<'_>) -> Control {
        let kind = input.below(16);
        let (token, ssrc) = (token(input), ssrc(input));
        match kind {
            0..=6 => {
                let version = if input.below(16) == 0 { 3 } else { CONTROL_VERSION };
                Control::Invite(Greeting { version, token, ssrc, name: name(input) })
            }
            7 => Control::Accept(Greeting { version: CONTROL_VERSION, token, ssrc, name: name(input) }),
            8 => Control::Refuse(Greeting::nameless(token, ssrc)),
            9 => Control::Goodbye { token, ssrc },
            10..=12 => {
                let ticks = Ticks::from_count(Ticks::at(self.now).count() + u64::from(input.u16()));
                Control::Clock { ssrc, step: ClockStep::Ask(ticks) }
            }
            13 => {
                let [first, second] =
                    [input.i64(), input.i64()].map(i64::cast_unsigned).map(Ticks::from_count);
                Control::Clock { ssrc, step: ClockStep::Finish(first, second, first) }
            }
            14 => Control::Receipt { ssrc, receipt: Receipt { upper: input.u16(), lower: input.u16() } },
            _ => Control::RateLimit { ssrc, bits_per_second: input.u32() },
        }
    }
}

/// What a peer would say to `bytes`.
fn answer_to(bytes: &[u8], ssrc: Ssrc, now: LocalTime) -> Option<Control> {
    let now = Ticks::at(now);
    match Control::decode(bytes).ok()? {
        Control::Invite(greeting) => Some(Control::Accept(Greeting { ssrc, ..greeting })),
        Control::Clock { step, .. } => {
            let step = match step {
                ClockStep::Ask(first) => ClockStep::Answer(first, now),
                ClockStep::Answer(first, second) => ClockStep::Finish(first, second, now),
                ClockStep::Finish(..) => return None,
            };
            Some(Control::Clock { ssrc, step })
        }
        Control::Accept(greeting) => Some(Control::Invite(Greeting { ssrc, ..greeting })),
        Control::Refuse(greeting) => Some(Control::Refuse(greeting)),
        Control::Goodbye { token, .. } => Some(Control::Goodbye { token, ssrc }),
        Control::Receipt { .. } | Control::RateLimit { .. } => None,
    }
}

fn policy(input: &mut Input<'_>) -> Policy {
    match input.below(4) {
        0 => Policy::anyone(),
        1 => Policy::approval(Vec::new()),
        2 => Policy::listed(vec![Entry { name: Some(Name::new("Keys")), network: None }]),
        _ => Policy { list: Vec::new(), local: Answer::Ask, remote: Answer::Admit },
    }
}

fn port(input: &mut Input<'_>) -> Port {
    if input.below(2) == 0 { Port::Control } else { Port::Data }
}

/// Three hosts, with a few ports each.
fn address(input: &mut Input<'_>) -> SocketAddr {
    let byte = input.u8();
    let port = [5004, 5005, 61_005, 65_535][usize::from(byte >> 2 & 3)];
    match byte & 3 {
        0 | 1 => SocketAddr::from(([192, 168, 1, 20 + (byte & 1)], port)),
        2 => SocketAddr::from(([203, 0, 113, 9], port)),
        _ => SocketAddr::from(([0xFE80, 0, 0, 0, 0, 0, 0, u16::from(byte >> 4)], port)),
    }
}

fn ssrc(input: &mut Input<'_>) -> Ssrc {
    Ssrc(SSRCS[input.below(SSRCS.len())])
}

fn token(input: &mut Input<'_>) -> Token {
    Token(TOKENS[input.below(TOKENS.len())])
}

fn name(input: &mut Input<'_>) -> Name {
    Name::new(NAMES[input.below(NAMES.len())])
}

//! All that our RTP-MIDI ever says, in one conversation.
//!
//! Two participants in a room, as [`MidiWorld`] has them, on paths that lose much: what is played makes every chapter of
//! the journal. Then packets made of the types beneath, for what a sender of ours leaves to others.

use core::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};
use lockstep_shared::midi::message::{Exclusive, Message};
use lockstep_shared::rtpmidi::control::{Control, Greeting, Ssrc, Token};
use lockstep_shared::rtpmidi::name::Name;
use lockstep_shared::rtpmidi::session::{Policy, Port, Session, Settings};
use lockstep_shared::time::{Beats, GridFrame, LocalTime, Span};
use lockstep_shared::timeline::{AuthorId, Intent, Timeline};

use crate::midi::{Datagram, MidiWorld};
use crate::net::{Loss, PathPlan};

mod composed;

const SEED: u64 = 4;

/// What was said.
#[derive(Clone, Debug)]
pub struct Conversation {
    /// Every datagram, in order.
    pub said: Vec<Datagram>,
    /// What the first participant played on channels, as bytes.
    pub played: Vec<Vec<u8>>,
    /// Where its music comes from.
    pub player: SocketAddr,
}

/// Two participants that play everything there is, in a room whose clock runs; then what they do not say.
///
/// # Errors
/// Somebody did not come in.
pub fn conversation() -> Result<Conversation> {
    let mut world = MidiWorld::new(SEED, &[lossy(), lossy()]);
    world.tapped = Some(Vec::new());
    world.pass(Span::from_millis(4_000));
    ensure!(world.seats.iter().all(|seat| seat.peer.is_here()), "not everybody came in");
    let start = GridFrame(6 * 48_000).position();
    let intent = Intent::Start { beats: Beats::default(), at: start };
    world.room.set_line(Timeline::default().with_intent(AuthorId(1), &intent));
    let mut played = Vec::new();
    for (gap, message) in music()? {
        world.pass(gap);
        ensure!(world.play(0, &message), "the first participant is gone");
        if let Message::Voice(..) = message {
            let mut bytes = Vec::new();
            message.encode(&mut bytes);
            played.push(bytes);
        }
    }
    world.pass(Span::from_millis(4_000));
    world.room.end(world.now);
    world.pass(Span::from_millis(100));
    let mut said = world.tapped.take().unwrap_or_default();
    said.extend(composed::packets(world.now)?);
    said.extend(refusal(world.now));
    let control = world.seats[0].address;
    Ok(Conversation { said, played, player: SocketAddr::new(control.ip(), control.port() + 1) })
}

/// One packet in five is lost, and the others come a little later than they left.
fn lossy() -> PathPlan {
    let loss = Loss { independent: 0.2, burst_begins: 0.0, burst_ends: 1.0 };
    PathPlan { base: Span::from_millis(5), loss, ..PathPlan::clean() }
}

/// What the first participant plays, and how long after what came before it.
fn music() -> Result<Vec<(Span, Message)>> {
    let mut played = Vec::new();
    let mut play = |micros: i64, bytes: &[u8]| -> Result<()> {
        let message = match bytes {
            [0xF0, content @ .., 0xF7] => Exclusive::new(content).map(Message::Exclusive),
            short => Message::from_short(short),
        };
        played.push((Span::from_micros(micros), message.context("no message")?));
        Ok(())
    };
    // A chord, its notes some tenths of a millisecond apart: running status and deltas.
    for (gap, note) in [(0, 48), (0, 60), (300, 64), (400, 67)] {
        play(gap, &[0x90, note, 100])?;
    }
    // One struck twice, one released fast.
    play(20_000, &[0x90, 64, 90])?;
    play(500, &[0x80, 60, 33])?;
    play(500, &[0xA0, 67, 21])?;
    play(500, &[0xD0, 55])?;
    play(500, &[0xE0, 1, 80])?;
    // A program of a bank, and one of none.
    for bytes in [[0xB0, 0, 3], [0xB0, 32, 7], [0xB0, 7, 99], [0xB0, 64, 127], [0xB0, 64, 0], [0xB0, 64, 127]]
    {
        play(700, &bytes)?;
    }
    play(500, &[0xC0, 12])?;
    play(500, &[0xC5, 33])?;
    // A registered parameter with a value and steps; one of a manufacturer; half of a third, on the last channel.
    for bytes in [[0xB1, 101, 0], [0xB1, 100, 2], [0xB1, 6, 64], [0xB1, 38, 1], [0xB1, 96, 0], [0xB1, 97, 0]]
    {
        play(900, &bytes)?;
    }
    play(900, &[0xB1, 97, 0])?;
    for bytes in
        [[0xB2, 99, 1], [0xB2, 98, 2], [0xB2, 6, 5], [0xB2, 99, 0x7F], [0xB2, 98, 0x7F], [0xBF, 101, 5]]
    {
        play(900, &bytes)?;
    }
    // Steps on both sides of a reset.
    for bytes in
        [[0xB4, 101, 0], [0xB4, 100, 0], [0xB4, 96, 0], [0xB4, 121, 0], [0xB4, 101, 0], [0xB4, 100, 0]]
    {
        play(900, &bytes)?;
    }
    play(900, &[0xB4, 96, 0])?;
    play(900, &[0xB4, 123, 0])?;
    // The system.
    play(2_500, &[0xF3, 5])?;
    play(2_500, &[0xF6])?;
    play(2_500, &[0xFE])?;
    for piece in 0..11_u8 {
        play(2_500, &[0xF1, ((piece % 8) << 4) | (piece % 5)])?;
    }
    play(2_500, &[0xF0, 0x7F, 0x7F, 1, 1, 0x21, 2, 3, 4, 0xF7])?;
    play(2_500, &[0xF2, 16, 2])?;
    play(2_500, &[0xFB])?;
    for _ in 0..30 {
        play(20_833, &[0xF8])?;
    }
    play(2_500, &[0xFC])?;
    // Exclusive messages: whole, empty, and one of four segments.
    play(2_500, &[0xF0, 0x7E, 0x7F, 9, 1, 0xF7])?;
    play(2_500, &[0xF0, 0xF7])?;
    let mut long: Vec<u8> = vec![0xF0, 0x43];
    long.extend((0..1_700_u16).map(|number| number.to_le_bytes()[0] & 0x7F));
    long.push(0xF7);
    play(2_500, &long)?;
    play(500, &[0x91, 40, 50])?;
    play(500, &[0x81, 40, 64])?;
    // Every key of a channel, all but one of another.
    for (channel, last) in [(6, 127), (7, 126)] {
        for note in 0..=last {
            play(100, &[0x90 | channel, note, 64])?;
        }
    }
    for note in (3..120).step_by(9) {
        play(300, &[0x86, note, 64])?;
    }
    play(400_000, &[0xFF])?;
    play(2_500, &[0x98, 61, 62])?;
    Ok(played)
}

/// Whoever asks a session that takes nobody is refused.
fn refusal(now: LocalTime) -> Vec<Datagram> {
    let (here, there) = (SocketAddr::from(([10, 0, 2, 1], 5_004)), SocketAddr::from(([10, 0, 2, 2], 5_004)));
    let settings = Settings { name: Name::new("closed"), policy: Policy::nobody(), participants_max: 1 };
    let mut session = Session::new(settings, &[9; 32]);
    let greeting =
        Greeting { name: Name::new("stranger"), ..Greeting::nameless(Token(0x1234_5678), Ssrc(0xABCD_EF01)) };
    let mut bytes = Vec::new();
    Control::Invite(greeting).encode(&mut bytes);
    let mut said = vec![Datagram { left: now, from: there, to: here, bytes: bytes.clone() }];
    // The answer tells more than this.
    let _ = session.handle_datagram(now, Port::Control, there, &bytes);
    while session.poll_transmit(&mut bytes).is_some() {
        said.push(Datagram { left: now, from: here, to: there, bytes: bytes.clone() });
    }
    let mut bytes = Vec::new();
    Control::RateLimit { ssrc: Ssrc(7), bits_per_second: 31_250 }.encode(&mut bytes);
    said.push(Datagram { left: now, from: there, to: here, bytes });
    said
}

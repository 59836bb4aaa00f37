//! Members that are no plugins: a session, a clock and a constant sound, many in one thread.

use std::net::UdpSocket;

use anyhow::Result;
use lockstep_shared::clock::{Exchange, RoomClock};
use lockstep_shared::dsp::SILENT_CHUNK;
use lockstep_shared::session::{Client, ClientEvent, ClientSettings, Invite, MemberKey};
use lockstep_shared::time::convert::f32_from_f64;
use lockstep_shared::time::{ChunkIndex, Frames, LocalTime, Span};
use lockstep_shared::wire::{
    Audio, AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, Element, Format, PlayMode, Profile,
    ProfileStrip, Slot, StripId, WireChunk, Writer,
};

use super::clock;

/// One member.
#[derive(Debug)]
pub struct LoadMember {
    client: Client,
    socket: UdpSocket,
    clock: RoomClock,
    chunks: ChunksPerDatagram,
    said: Option<ChunkIndex>,
    /// How much later than the grid's chunks its sound card's blocks end.
    phase: Frames,
    /// The constant that it plays, in steps of 16 bits.
    steps: i16,
    /// Chunks of the mix that came.
    pub mix_chunks: u64,
    /// The last sample of the mix, in steps of 16 bits.
    pub last_steps: f32,
}

impl LoadMember {
    /// A member that plays `steps` and asks for the mix of the others, both in datagrams of `chunks`.
    pub fn new(invite: &Invite, number: u8, chunks: ChunksPerDatagram, steps: i16) -> Result<Self> {
        let now = clock::now();
        let settings = ClientSettings {
            relay_key: invite.relay_key,
            secret: invite.secret,
            member_key: MemberKey([number; 16]),
        };
        let mut client = Client::new(settings, &[number; 32], now);
        let profile = Profile {
            name: format!("member {number}"),
            play: PlayMode::Mix,
            mix_format: Format::Pcm16,
            mix_chunks: chunks,
            strips: vec![ProfileStrip { number: 0, channels: Channels::Stereo, name: String::new() }],
        };
        let mut bytes = [0; 256];
        let mut out = Writer::new(&mut bytes);
        profile.encode(&mut out)?;
        client.publish(now, Slot::PROFILE, out.written());
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect((invite.host.as_str(), invite.port))?;
        socket.set_nonblocking(true)?;
        let clock = RoomClock::new(now);
        let phase = phase_of(number, chunks);
        Ok(Self { client, socket, clock, chunks, said: None, phase, steps, mix_chunks: 0, last_steps: 0.0 })
    }

    /// Takes what came, and sends what the grid has passed.
    pub fn step(&mut self) {
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        while let Ok(length) = self.socket.recv(&mut buffer) {
            for element in
                self.client.handle_datagram(clock::now(), &mut buffer[..length]).into_iter().flatten()
            {
                if let Ok(Element::Audio(audio)) = element {
                    self.mix_chunks += u64::from(u8::try_from(audio.head.chunks.count()).unwrap_or(0));
                    self.last_steps = last_steps(&audio);
                }
            }
        }
        let now = clock::now();
        self.client.handle_timeout(now);
        while let Some(event) = self.client.poll_event() {
            if let ClientEvent::Clock { sent, relay_received, relay_sent, received } = event {
                self.clock.observe(&Exchange { sent, relay_received, relay_sent, received });
            }
        }
        self.speak(now, &mut buffer);
        while let Some(length) = self.client.poll_transmit(clock::now(), &mut buffer) {
            let _ = self.socket.send(&buffer[..length]);
        }
    }

    fn speak(&mut self, now: LocalTime, buffer: &mut [u8]) {
        let Some(map) = self.clock.map(now) else { return };
        let count = self.chunks.count_i64();
        // The last whole group that the grid has passed, a hundred chunks back at most.
        let newest = ChunkIndex(((map.grid(now).floor() - self.phase).chunk().0 / count - 1) * count);
        let mut next = self.said.map_or(newest, |said| said.plus(count));
        if newest - next > 100 {
            next = newest;
        }
        let value = f32::from(self.steps) / 32_768.0;
        let frames = [[[value; 64]; 2]; 4];
        while next <= newest {
            let head = AudioHead {
                strip: StripId(0),
                first: WireChunk::new(next),
                format: Format::Pcm16,
                channels: Channels::Stereo,
                chunks: self.chunks,
                stamp: None,
            };
            let sealed = self.client.seal(now, buffer, |plain| {
                let _ = Element::encode_audio(&head, &frames[..self.chunks.count()], plain);
            });
            if let Some(length) = sealed {
                let _ = self.socket.send(&buffer[..length]);
            }
            self.said = Some(next);
            next = next.plus(count);
        }
    }
}

fn last_steps(audio: &Audio<'_>) -> f32 {
    let mut frames = SILENT_CHUNK;
    audio.chunk_into(audio.head.chunks.count() - 1, &mut frames).expect("what the relay writes can be read");
    frames[0][63] * 32_768.0
}

/// How often each member is stepped.
const ROUND: Span = Span::from_micros(333);

/// The members' sound cards begin when they like: their blocks end spread evenly over the time of one datagram. That is
/// how it is among people, and the dearest way for the relay, for hardly two datagrams come together.
fn phase_of(number: u8, chunks: ChunksPerDatagram) -> Frames {
    /// Rounds of one chunk, and frames of one round.
    const ROUNDS: i64 = 4;
    const FRAMES: i64 = 16;
    Frames(i64::from(number) % (ROUNDS * chunks.count_i64()) * FRAMES)
}

/// Steps all members for so long, each 3,000 times a second, one after the other with equal gaps.
pub fn run(members: &mut [LoadMember], span: Span) {
    let Ok(count) = i64::try_from(members.len().max(1)) else { return };
    let gap = Span::from_nanos(ROUND.nanos() / count);
    let end = clock::now() + span;
    let mut next = clock::now();
    while clock::now() < end {
        for member in &mut *members {
            member.step();
            next += gap;
            clock::wait_until(next);
        }
    }
}

/// The constant that member `number` plays.
#[must_use]
pub fn steps_of(number: u8) -> i16 {
    i16::from(number) * 7 + 100
}

/// What a member hears of `others`, in steps of 16 bits.
#[must_use]
pub fn sum_of(others: impl Iterator<Item = u8>) -> f32 {
    f32_from_f64(others.map(|number| f64::from(steps_of(number))).sum())
}

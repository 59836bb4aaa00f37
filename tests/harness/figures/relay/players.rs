//! Players without ears: each sends a constant, and knows by the sum it gets whether all the others were in it.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use lockstep_relay::shell::clock::Clock;
use lockstep_shared::clock::{Exchange, RoomClock};
use lockstep_shared::session::{Client, ClientEvent, ClientSettings, Invite, MemberKey};
use lockstep_shared::time::convert::{f32_from_f64, f64_from_usize, i64_round};
use lockstep_shared::time::{CHUNK_FRAMES, ChunkIndex, Frames, GRID_RATE, GridFrame, LocalTime, Span};
use lockstep_shared::wire::{
    AudioHead, Channels, ChunksPerDatagram, DATAGRAM_BYTES_MAX, Element, Format, PlayMode, Profile,
    ProfileStrip, Slot, StripId, WireChunk, Writer,
};

/// Player `n` sends this times `n + 1`: 40 of them add up to three quarters of full scale.
const LEVEL_STEP: f64 = 30.0 / 32_768.0;
/// A 16-bit step up or down, for rounding.
const LEVEL_ERROR: f64 = 1.5 / 32_768.0;
/// Getting in, with all key agreements.
const JOIN_MAX: Span = Span::from_millis(15_000);
/// A send later than this is counted, for then datagrams come in heaps.
const SEND_LATE: Span = Span::from_micros(200);

/// All players, in one thread.
#[derive(Debug)]
pub(super) struct Players {
    clock: Clock,
    players: Vec<Player>,
    chunks: ChunksPerDatagram,
    /// Where the grid was at a time; one crystal drives both.
    grid: (LocalTime, f64),
    /// The number of the next datagram of everybody.
    next: i64,
}

/// What came of a stretch of playing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heard {
    /// How long it was.
    pub(super) span: Span,
    /// Mixes due to each player.
    pub(super) due: i64,
    /// Right ones of the player that got the fewest.
    pub(super) right_fewest: i64,
    /// Datagrams to and from the relay.
    pub(super) datagrams: i64,
    /// Datagrams that the players sent late.
    pub(super) late_sends: i64,
}

#[derive(Debug)]
struct Player {
    socket: UdpSocket,
    client: Client,
    clock: RoomClock,
    level: f64,
    /// What it hears when all the others are there.
    expected: f64,
    right: i64,
    datagrams: i64,
}

impl Heard {
    /// Both stretches together.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            span: self.span + other.span,
            due: self.due + other.due,
            right_fewest: self.right_fewest + other.right_fewest,
            datagrams: self.datagrams + other.datagrams,
            late_sends: self.late_sends + other.late_sends,
        }
    }
}

impl Players {
    /// Lets `count` players into the room, and waits until the grid is known.
    pub(super) fn join(invite: &Invite, count: usize, chunks: ChunksPerDatagram) -> io::Result<Self> {
        let clock = Clock::start();
        let relay = SocketAddr::new(invite.host.parse().map_err(io::Error::other)?, invite.port);
        let players: Vec<_> = (0..count)
            .map(|number| Player::new(invite, relay, number, count, chunks, clock.now()))
            .collect::<Result<_, _>>()?;
        let mut all = Self { clock, players, chunks, grid: (LocalTime::ZERO, 0.0), next: 0 };
        let deadline = all.clock.now() + JOIN_MAX;
        loop {
            let now = all.clock.now();
            for player in &mut all.players {
                player.listen(now)?;
                player.tick(now)?;
            }
            let map = all.players.first().and_then(|player| player.clock.map(now));
            if let Some(map) = map
                && all.players.iter().all(|player| player.client.is_joined())
            {
                all.grid = (now, map.grid(now).frames_since(GridFrame(0).position()));
                all.next = all.datagram_at(now) + 1;
                return Ok(all);
            }
            if now > deadline {
                return Err(io::Error::other("not every player got into the room"));
            }
            std::thread::park_timeout(core::time::Duration::from_micros(500));
        }
    }

    /// Everybody plays for `span`.
    pub(super) fn play(&mut self, span: Span) -> io::Result<Heard> {
        let before: Vec<_> = self.players.iter().map(|player| (player.right, player.datagrams)).collect();
        let started = self.clock.now();
        let first = self.next;
        let count = self.players.len();
        let mut late_sends = 0;
        while self.due(self.next, 0) - started < span {
            for number in 0..count {
                let due = self.due(self.next, number);
                while self.clock.now() < due {
                    core::hint::spin_loop();
                }
                let now = self.clock.now();
                late_sends += i64::from(now - due > SEND_LATE);
                let chunk = ChunkIndex(self.next * self.chunks.count_i64());
                if let Some(player) = self.players.get_mut(number) {
                    player.listen(now)?;
                    player.send(now, chunk, self.chunks)?;
                    player.tick(now)?;
                }
            }
            self.next += 1;
        }
        let gains = self
            .players
            .iter()
            .zip(before)
            .map(|(player, (right, datagrams))| (player.right - right, player.datagrams - datagrams));
        let (rights, datagrams): (Vec<_>, Vec<_>) = gains.unzip();
        Ok(Heard {
            span: self.clock.now() - started,
            due: self.next - first,
            right_fewest: rights.into_iter().min().unwrap_or(0),
            datagrams: datagrams.into_iter().sum(),
            late_sends,
        })
    }

    /// Says goodbye.
    pub(super) fn leave(mut self) -> io::Result<()> {
        let now = self.clock.now();
        for player in &mut self.players {
            player.client.leave();
            player.tick(now)?;
        }
        Ok(())
    }

    fn frames(&self) -> f64 {
        f64_from_usize(CHUNK_FRAMES * self.chunks.count())
    }

    /// The datagram whose first frame the grid has passed last.
    fn datagram_at(&self, now: LocalTime) -> i64 {
        let (at, frame) = self.grid;
        let frame = frame + (now - at).secs_f64() * f64::from(GRID_RATE);
        i64_round((frame / self.frames()).floor())
    }

    /// When player `number` sends datagram `datagram`: when its frames have passed, and then as much later as its
    /// sound card's blocks begin later than the grid's.
    fn due(&self, datagram: i64, number: usize) -> LocalTime {
        let (at, frame) = self.grid;
        let phase = f64_from_usize(number) / f64_from_usize(self.players.len());
        let end = Frames(datagram + 1).f64() * self.frames() + phase * self.frames();
        at + Span::from_secs_f64((end - frame) / f64::from(GRID_RATE))
    }
}

impl Player {
    fn new(
        invite: &Invite,
        relay: SocketAddr,
        number: usize,
        count: usize,
        chunks: ChunksPerDatagram,
        now: LocalTime,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(("127.0.0.1", 0))?;
        socket.connect(relay)?;
        socket.set_nonblocking(true)?;
        let byte = u8::try_from(number).map_err(io::Error::other)?;
        let settings = ClientSettings {
            relay_key: invite.relay_key,
            secret: invite.secret,
            member_key: MemberKey([byte; 16]),
        };
        let mut client = Client::new(settings, &[byte; 32], now);
        let profile = Profile {
            name: format!("player {number}"),
            play: PlayMode::Mix,
            mix_format: Format::Pcm16,
            mix_chunks: chunks,
            strips: vec![ProfileStrip { number: 0, channels: Channels::Stereo, name: "strip".into() }],
        };
        let mut bytes = [0; 256];
        let mut writer = Writer::new(&mut bytes);
        profile.encode(&mut writer).map_err(|full| io::Error::other(format!("{full:?}")))?;
        client.publish(now, Slot::PROFILE, writer.written());
        let level = LEVEL_STEP * f64_from_usize(number + 1);
        let all = LEVEL_STEP * f64_from_usize(count * (count + 1) / 2);
        let clock = RoomClock::new(now);
        Ok(Self { socket, client, clock, level, expected: all - level, right: 0, datagrams: 0 })
    }

    /// Takes what has come.
    fn listen(&mut self, now: LocalTime) -> io::Result<()> {
        let mut datagram = [0; DATAGRAM_BYTES_MAX];
        loop {
            let length = match self.socket.recv(&mut datagram) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            };
            self.datagrams += 1;
            let Some(elements) = self.client.handle_datagram(now, &mut datagram[..length]) else { continue };
            for element in elements.flatten() {
                if let Element::Audio(audio) = element
                    && audio.head.strip == StripId::MIX
                {
                    let mut frames = [[0.0; CHUNK_FRAMES]; 2];
                    audio.chunk_into(audio.head.chunks.count() - 1, &mut frames);
                    let is_right = |frame: &f32| (f64::from(*frame) - self.expected).abs() < LEVEL_ERROR;
                    self.right += i64::from(frames.iter().flatten().all(is_right));
                }
            }
        }
        while let Some(event) = self.client.poll_event() {
            match event {
                ClientEvent::Clock { sent, relay_received, relay_sent, received } => {
                    self.clock.observe(&Exchange { sent, relay_received, relay_sent, received });
                }
                ClientEvent::Refused { .. } | ClientEvent::Ended(_) | ClientEvent::Lost => {
                    return Err(io::Error::other(format!("a player was put out: {event:?}")));
                }
                ClientEvent::Joined { .. } | ClientEvent::Document(..) => {}
            }
        }
        Ok(())
    }

    /// Sends one datagram of its constant.
    fn send(&mut self, now: LocalTime, first: ChunkIndex, chunks: ChunksPerDatagram) -> io::Result<()> {
        let head = AudioHead {
            strip: StripId(0),
            first: WireChunk::new(first),
            format: Format::Pcm16,
            channels: Channels::Stereo,
            chunks,
            stamp: None,
        };
        let samples = [[[f32_from_f64(self.level); CHUNK_FRAMES]; 2]; 4];
        let mut out = [0; DATAGRAM_BYTES_MAX];
        let sealed = self.client.seal(now, &mut out, |plain| {
            // 512 bytes of samples and a head: there is room.
            let _ = Element::encode_audio(&head, &samples[..chunks.count()], plain);
        });
        self.transmit(out.get(..sealed.unwrap_or(0)).unwrap_or_default())
    }

    /// Does what the session owes beside audio.
    fn tick(&mut self, now: LocalTime) -> io::Result<()> {
        if self.client.poll_timeout() <= now {
            self.client.handle_timeout(now);
        }
        let mut out = [0; DATAGRAM_BYTES_MAX];
        while let Some(length) = self.client.poll_transmit(now, &mut out) {
            self.transmit(&out[..length])?;
        }
        Ok(())
    }

    fn transmit(&mut self, datagram: &[u8]) -> io::Result<()> {
        if datagram.is_empty() {
            return Ok(());
        }
        self.datagrams += 1;
        self.socket.send(datagram).map(|_| ())
    }
}

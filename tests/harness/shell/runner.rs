//! A member in real time: a link on one thread with a real socket, an engine on another with an in-memory audio clock.
//!
//! A [`RunningMember`]'s link is stepped here; a [`SeatedMember`] shares the link's thread of this process, the one that
//! runs inside a DAW.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use lockstep_plugin::engine::{
    BLOCK_FRAMES_MAX, Block, Controls, Engine, HostTransport, Rendering, Role, RoomMode, STRIP_OUTPUTS, Setup,
};
use lockstep_plugin::link::{Link, LinkSettings, Port};
use lockstep_plugin::shell::{Seat, take_seat};
use lockstep_plugin::status::Status;
use lockstep_plugin::wiring::{Gauges, wire};
use lockstep_shared::session::{ClientSettings, Invite, MemberKey};
use lockstep_shared::time::convert::{f64_from_i64, i64_from_usize};
use lockstep_shared::time::{DeviceFrame, LocalTime, SampleRate, Span};
use lockstep_shared::wire::DATAGRAM_BYTES_MAX;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{clock, priority};
use crate::daw::open_controls;
use crate::oracle::Source;

/// What a member heard.
#[derive(Debug)]
pub struct Heard {
    /// When its device passed its frame zero.
    pub start: LocalTime,
    /// Its first strip output, left.
    pub strip: Vec<f32>,
    /// What its engine showed at the end.
    pub gauges: Arc<Gauges>,
}

/// What a member's DAW does.
#[derive(Clone, Copy, Debug)]
pub struct Playing {
    /// The track's sound.
    pub source: Source,
    /// Frames of a block.
    pub block: usize,
    /// For how long.
    pub span: Span,
    /// What its transport is to the room.
    pub role: Role,
    /// Its tempo if its transport runs; else it says nothing of one.
    pub bpm: Option<f64>,
}

impl Playing {
    /// Plays `source` and has nothing to do with the room's musical time.
    #[must_use]
    pub const fn only(source: Source, block: usize, span: Span) -> Self {
        Self { source, block, span, role: Role::Off, bpm: None }
    }

    fn transport(&self, first: i64) -> HostTransport {
        let position = |bpm: f64| f64_from_i64(first) / 48_000.0 * bpm / 60.0;
        HostTransport {
            playing: self.bpm.is_some(),
            tempo_bpm: self.bpm,
            position_quarters: self.bpm.map(position),
            time_signature: self.bpm.map(|_| (4, 4)),
            ..HostTransport::default()
        }
    }
}

/// A member whose link runs on the plugin's own thread.
#[derive(Debug)]
pub struct SeatedMember {
    seat: Seat,
    audio: JoinHandle<Heard>,
}

impl SeatedMember {
    /// Starts the member. All seated members of this process are strips of one.
    pub fn start(invite: &Invite, playing: Playing) -> Result<Self> {
        let (audio_end, link_end) = wire();
        let gauges = Arc::clone(&link_end.gauges);
        let port = Port::new(link_end, "seated".to_owned(), SampleRate::GRID);
        let engine = Engine::new(SETUP, audio_end);
        let seat = take_seat(invite, "seated", Box::new(port)).map_err(anyhow::Error::msg)?;
        let audio = std::thread::spawn(move || run_audio(engine, gauges, &playing));
        Ok(Self { seat, audio })
    }

    /// Waits for its end and leaves: what its editor showed last. None if its audio thread failed.
    #[must_use]
    pub fn join(self) -> Option<Status> {
        self.audio.join().ok()?;
        Some(self.seat.status())
    }
}

const SETUP: Setup = Setup {
    sample_rate: SampleRate::GRID,
    block_frames_max: BLOCK_FRAMES_MAX,
    rendering: Rendering::Realtime,
};

/// A running member.
#[derive(Debug)]
pub struct RunningMember {
    stop: Arc<AtomicBool>,
    link: JoinHandle<()>,
    audio: JoinHandle<Heard>,
}

impl RunningMember {
    /// Starts a member.
    pub fn start(invite: &Invite, number: u8, playing: Playing) -> Result<Self> {
        let socket = connect(invite)?;
        let client = ClientSettings {
            relay_key: invite.relay_key,
            secret: invite.secret,
            member_key: MemberKey([number; 16]),
        };
        let settings = LinkSettings { client, member_name: format!("member {number}") };
        let mut link = Link::new(settings, &[number; 32], clock::now());
        let (audio_end, link_end) = wire();
        let gauges = Arc::clone(&link_end.gauges);
        let port = Port::new(link_end, format!("strip {number}"), SampleRate::GRID);
        link.add_port(clock::now(), port)?;
        let engine = Engine::new(SETUP, audio_end);
        let stop = Arc::new(AtomicBool::new(false));
        let link = {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || run_link(link, &socket, &stop))
        };
        let audio = std::thread::spawn(move || run_audio(engine, gauges, &playing));
        Ok(Self { stop, link, audio })
    }

    /// Waits for its end. None if one of its threads failed.
    #[must_use]
    pub fn join(self) -> Option<Heard> {
        let heard = self.audio.join().ok();
        self.stop.store(true, Ordering::Relaxed);
        self.link.join().ok().and(heard)
    }
}

/// A socket to the invite's relay.
pub(super) fn connect(invite: &Invite) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.connect((invite.host.as_str(), invite.port))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

pub(super) fn run_link(mut link: Link, socket: &UdpSocket, stop: &AtomicBool) {
    let mut buffer = [0; DATAGRAM_BYTES_MAX];
    while !stop.load(Ordering::Relaxed) {
        while let Ok(length) = socket.recv(&mut buffer) {
            link.handle_datagram(clock::now(), &mut buffer[..length]);
        }
        link.handle_timeout(clock::now());
        while let Some(length) = link.poll_transmit(clock::now(), &mut buffer) {
            let _ = socket.send(&buffer[..length]);
        }
        let left = clock::now().duration_until(link.poll_timeout());
        let timeout = Timespec { tv_sec: 0, tv_nsec: left.subsec_nanos().into() };
        let _ = poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout));
    }
}

fn run_audio(mut engine: Engine, gauges: Arc<Gauges>, playing: &Playing) -> Heard {
    let Playing { source, block, span, role, .. } = *playing;
    // Where the system does not permit it, the figures show.
    let _ = priority::claim(priority::AUDIO);
    let start = clock::now();
    let controls = Controls { role, ..open_controls(RoomMode::Stems) };
    let (mut left, mut right) = (vec![0.0; block], vec![0.0; block]);
    let (mut strip_left, mut strip_right) = (vec![0.0; block], vec![0.0; block]);
    let blocks = span.nanos() * 48_000 / 1_000_000_000 / i64_from_usize(block);
    let mut strip = Vec::with_capacity(usize::try_from(blocks + 1).unwrap_or(0) * block);
    for number in 0..blocks {
        let first = number * i64_from_usize(block);
        let delivered = f64_from_i64(first + i64_from_usize(block)) / 48_000.0;
        clock::sleep_until(start + Span::from_secs_f64(delivered));
        for (channel, samples) in (0..).zip([&mut left, &mut right]) {
            for (frame, sample) in (first..).zip(samples) {
                *sample = source.at(DeviceFrame(frame), channel);
            }
        }
        let mut strips: [Option<[&mut [f32]; 2]>; STRIP_OUTPUTS] = Default::default();
        strips[0] = Some([&mut strip_left, &mut strip_right]);
        let mut views = Block { main: [&mut left, &mut right], strips };
        engine.process(clock::now(), &mut views, &playing.transport(first), &controls);
        strip.extend_from_slice(&strip_left);
    }
    Heard { start, strip, gauges }
}

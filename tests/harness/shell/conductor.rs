//! Members without sound: one whose DAW leads, and one whose DAW follows, for machines too slow for audio.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anyhow::Result;
use lockstep_plugin::engine::Role;
use lockstep_plugin::link::{Link, LinkSettings, Port};
use lockstep_plugin::shell::{Seat, take_seat};
use lockstep_plugin::wiring::{AudioEnd, Order, wire};
use lockstep_shared::clock::RoomMap;
use lockstep_shared::session::{ClientSettings, Invite, MemberKey};
use lockstep_shared::time::{SampleRate, Span};
use lockstep_shared::timeline::author::Reading;
use lockstep_shared::timeline::{Motion, TimeSignature};

use super::clock;
use super::runner::{connect, run_link};

/// How often the leader's DAW says where it is: blocks of 512 frames.
const BLOCK_FRAMES: f64 = 512.0;
const BLOCK: Span = Span::from_micros(10_667);

/// A member whose DAW plays from beat 0 on, without sound, until this value ends.
#[derive(Debug)]
pub struct Conductor {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Conductor {
    /// Joins the room and leads it at `bpm`.
    pub fn start(invite: &Invite, number: u8, bpm: f64) -> Result<Self> {
        let socket = connect(invite)?;
        let client = ClientSettings {
            relay_key: invite.relay_key,
            secret: invite.secret,
            member_key: MemberKey([number; 16]),
        };
        let settings = LinkSettings { client, member_name: "conductor".to_owned() };
        let mut link = Link::new(settings, &[number; 32], clock::now());
        let (mut audio_end, link_end) = wire();
        link_end.gauges.set_role(Role::Lead);
        link.add_port(clock::now(), Port::new(link_end, String::new(), SampleRate::GRID))?;
        let stop = Arc::new(AtomicBool::new(false));
        let (for_link, for_daw) = (Arc::clone(&stop), Arc::clone(&stop));
        let threads = vec![
            std::thread::spawn(move || run_link(link, &socket, &for_link)),
            std::thread::spawn(move || conduct(&mut audio_end, bpm, &for_daw)),
        ];
        Ok(Self { stop, threads })
    }
}

impl Drop for Conductor {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn conduct(end: &mut AudioEnd, bpm: f64, stop: &AtomicBool) {
    let mut room: Option<RoomMap> = None;
    let mut next = clock::now();
    let mut begun = None;
    while !stop.load(Ordering::Relaxed) {
        while let Ok(order) = end.orders.pop() {
            if let Order::Clock(map) = order {
                room = Some(map);
            }
        }
        if let Some(map) = &room {
            let start = map.grid(next);
            let frames = start.frames_since(*begun.get_or_insert(start));
            let reading = Reading {
                start,
                frames: BLOCK_FRAMES,
                quarters: Some(frames / 48_000.0 * bpm / 60.0),
                bpm,
                motion: Motion::Playing,
                signature: Some(TimeSignature::COMMON),
                bar_start: None,
                cycle: None,
            };
            // A full ring is as good: the next reading says it again.
            let _ = end.readings.push(reading);
        }
        next += BLOCK;
        clock::sleep_until(next);
    }
}

/// A member whose DAW follows without sound, on the plugin's own thread. It leaves when `Seat` ends.
pub fn follow(invite: &Invite) -> Result<(Seat, AudioEnd)> {
    let (audio_end, link_end) = wire();
    link_end.gauges.set_role(Role::Follow);
    let port = Port::new(link_end, String::new(), SampleRate::GRID);
    let seat = take_seat(invite, "follower", Box::new(port)).map_err(anyhow::Error::msg)?;
    Ok((seat, audio_end))
}

//! What the editor is shown, worked out on the link's thread.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use lockstep_shared::redundancy::{LossMeter, Protection};
use lockstep_shared::session::ClientCounters;
use lockstep_shared::time::{LocalTime, Span};
use lockstep_shared::timeline::Motion;
use lockstep_shared::transport::MoverState;
use lockstep_shared::wire::handshake::RefuseReason;
use lockstep_shared::wire::{LeaveReason, MemberId, StripId, WIRE_VERSION};

use super::{Link, PortId, Standing, Standpoint, room_delay};
use crate::status::{
    Following, Leader, LinkState, MemberStatus, MidiStatus, Moved, MusicalStatus, NetworkStatus, Part,
    SongPlace, Status, StripStatus,
};
use crate::wiring::{Gauges, LaneGauges, LaneNumber, MidiGauges, STRIP_LANES};

/// A strip that plays, in figures.
#[derive(Clone, Debug, PartialEq)]
pub struct Played {
    /// Its name.
    pub strip: String,
    /// From the sender's input to this output.
    pub delay_ms: f64,
    /// Chunks played.
    pub present: u64,
    /// Chunks concealed.
    pub concealed: u64,
    /// The rate of the interface that plays it against the grid.
    pub drift_ppm: f64,
    /// How late the beats that meet here are; NaN while none are compared.
    pub beat_error_ms: f64,
    /// The delay that the room has agreed on; NaN while it has not.
    pub room_delay_ms: f64,
}

impl Link {
    /// Every strip that plays in this process.
    pub fn played(&self) -> impl Iterator<Item = Played> {
        self.ports.values().flat_map(|port| {
            port.playing().map(|(lane, strip)| {
                let shown = &port.end.gauges.lanes[lane.0];
                let named = self.roster.strips.iter().find(|known| known.id == strip);
                Played {
                    strip: named.map_or_else(String::new, |known| known.name.clone()),
                    delay_ms: shown.delay_ms.load(Ordering::Relaxed),
                    present: shown.present.load(Ordering::Relaxed),
                    concealed: shown.concealed.load(Ordering::Relaxed),
                    drift_ppm: port.end.gauges.drift_ppm.load(Ordering::Relaxed),
                    beat_error_ms: shown.beat_error_ms.load(Ordering::Relaxed),
                    room_delay_ms: self.room_delay.map_or(f64::NAN, room_delay::millis),
                }
            })
        })
    }

    /// What the editor of this instance shows, given the room. Peaks are taken: each status shows those since the
    /// last.
    #[must_use]
    pub fn status(&self, now: LocalTime, id: PortId, members: &[MemberStatus]) -> Status {
        let Some(port) = self.ports.get(&id) else { return Status::default() };
        let gauges = &port.end.gauges;
        let drift = gauges.drift_ppm.load(Ordering::Relaxed);
        let has_clock = self.clock.map(now).is_some();
        let delays = self.playing_lanes().map(|(_, _, lane)| lane.delay_ms.load(Ordering::Relaxed));
        let longest = delays.filter(|delay| delay.is_finite()).reduce(f64::max);
        let sync_delay_ms = f64::from(gauges.sync_delay_ms.load(Ordering::Relaxed));
        Status {
            link: self.link_state(now),
            members: members.to_vec(),
            musical: self.musical_status(now),
            midi: midi_status(&gauges.midi),
            drift_ppm: drift.is_finite().then_some(drift),
            clock_error_us: has_clock.then(|| self.clock.error_us_at(now)),
            round_trip_ms: has_clock.then(|| self.clock.round_trip().millis_f64()),
            automatic_delay_ms: longest.map(|delay| delay - sync_delay_ms),
            sync_delay_ms,
            send_peak: gauges.send_peak.each_ref().map(|peak| peak.swap(0.0, Ordering::Relaxed)),
            receive_peak: gauges.receive_peak.each_ref().map(|peak| peak.swap(0.0, Ordering::Relaxed)),
            notices: self.notices(id, gauges),
        }
    }

    /// The room as all instances show it. Peaks are taken, as in [`Link::status`].
    #[must_use]
    pub fn members(&self) -> Vec<MemberStatus> {
        let lanes: BTreeMap<StripId, (LaneNumber, &LaneGauges)> =
            self.playing_lanes().map(|(strip, lane, shown)| (strip, (lane, shown))).collect();
        let strips_of = |member| {
            let strips = self.roster.strips.iter().filter(move |strip| strip.member == member);
            strips.map(|strip| {
                let shown = lanes.get(&strip.id).copied();
                let present = shown.map_or(0, |(_, lane)| lane.present.load(Ordering::Relaxed));
                let concealed = shown.map_or(0, |(_, lane)| lane.concealed.load(Ordering::Relaxed));
                StripStatus {
                    name: strip.name.clone(),
                    output: shown
                        .map(|(lane, _)| lane.0 + 1)
                        .filter(|output| *output <= crate::engine::STRIP_OUTPUTS),
                    peak: shown.map_or(0.0, |(_, lane)| lane.peak.swap(0.0, Ordering::Relaxed)),
                    latency_ms: shown.map_or(f64::NAN, |(_, lane)| lane.delay_ms.load(Ordering::Relaxed)),
                    concealed_ppm: parts_per_million(concealed, present + concealed),
                    network: shown.map(|(_, lane)| NetworkStatus {
                        delay_ms: lane.jitter_ms.load(Ordering::Relaxed),
                        late_ppm: 1e6 * lane.late_share.load(Ordering::Relaxed),
                        reason: lane.reason(),
                    }),
                }
            })
        };
        let members = self.roster.members.iter().map(|member| MemberStatus {
            name: member.name.clone(),
            is_self: Some(member.id) == self.roster.you,
            strips: strips_of(member.id).collect(),
        });
        members.collect()
    }

    fn musical_status(&self, now: LocalTime) -> MusicalStatus {
        let leader = match self.musical.leader() {
            None => Leader::Nobody,
            Some(leader) if Some(leader) == self.roster.you => Leader::You,
            Some(MemberId::CLOCK) => Leader::Member("a MIDI clock".to_owned()),
            Some(leader) => {
                let named = self.roster.members.iter().find(|member| member.id == leader);
                Leader::Member(named.map_or_else(String::new, |member| member.name.clone()))
            }
        };
        let part = match self.musical.standpoint() {
            Standpoint::Off => Part::Off,
            Standpoint::Following => Part::Follows,
            Standpoint::Asking => Part::Asks,
            Standpoint::Leading => Part::Leads,
            Standpoint::Refused(_) => Part::Refused,
        };
        let place = self.song_place(now);
        let following = match (part, place) {
            (Part::Follows, Some(place)) => self.following(place),
            (Part::Off | Part::Follows | Part::Asks | Part::Leads | Part::Refused, _) => Following::Idle,
        };
        MusicalStatus { part, leader, place, following }
    }

    /// How the DAW that follows stands.
    fn following(&self, place: SongPlace) -> Following {
        let ahead = self.musical.follower_error_ms();
        let by_clock = ahead.map_or(Following::Unseen, Following::AheadMs);
        match self.musical.mover_state() {
            Some(MoverState::WrongTempo) => Following::Moved(Moved::WantsTempo(place.tempo_bpm)),
            _ if !place.playing => Following::Idle,
            None => by_clock,
            // Then it may follow the clock, if its user has set it to.
            Some(MoverState::Lost) if ahead.is_some() => by_clock,
            Some(MoverState::Lost) => Following::Moved(Moved::Refused),
            Some(MoverState::Released) => Following::Moved(Moved::StoppedByHand),
            Some(MoverState::Idle | MoverState::Moving | MoverState::Track | MoverState::Hold) => {
                Following::Moved(ahead.map_or(Moved::OnItsWay, Moved::AheadMs))
            }
        }
    }

    /// Where the room's song is, once somebody has led.
    fn song_place(&self, now: LocalTime) -> Option<SongPlace> {
        let line = self.musical.line().filter(|line| line.revision() > 0)?;
        let place = line.place(self.clock.map(now)?.grid(now));
        let at = place.bar_and_beat();
        Some(SongPlace {
            tempo_bpm: place.tempo.bpm(),
            bar: at.bar + 1,
            beat: at.beats.micro() / place.signature.note_beats().micro() + 1,
            playing: match place.motion {
                Motion::Playing => true,
                Motion::Stopped => false,
            },
        })
    }

    /// Every strip that is played somewhere in this process, with its lane and what that shows.
    pub(super) fn playing_lanes(&self) -> impl Iterator<Item = (StripId, LaneNumber, &LaneGauges)> {
        self.ports.values().flat_map(|port| {
            port.playing().map(|(lane, strip)| (strip, lane, &port.end.gauges.lanes[lane.0]))
        })
    }

    fn link_state(&self, now: LocalTime) -> LinkState {
        let since = (now - self.since).max(Span::ZERO).secs_f64();
        match self.standing {
            Standing::Joined => LinkState::Joined,
            Standing::Connecting => LinkState::Connecting(format!(
                "no answer from the relay for {since:.0} s ({} tries); is it running, and is its UDP port open?",
                self.client.tries()
            )),
            Standing::Lost => {
                LinkState::Lost(format!("the relay has been silent for {since:.0} s; trying again"))
            }
            Standing::Ended(reason) => LinkState::Lost(format!(
                "{}; trying again",
                match reason {
                    LeaveReason::Left => "left the room",
                    LeaveReason::RelayStops => "the relay was shut down",
                    LeaveReason::RoomFailed => "the room failed at the relay and starts anew",
                    LeaveReason::Flooding => "the relay ended the session for sending too much",
                }
            )),
            Standing::Refused(reason, version) => LinkState::Refused(match reason {
                RefuseReason::Version => format!(
                    "the relay speaks version {version} of the protocol, this plugin version {WIRE_VERSION}: \
                     update the older one"
                ),
                RefuseReason::UnknownRoom => {
                    "the relay knows no room with this secret: ask its owner for a new invite".into()
                }
                RefuseReason::WrongKey => {
                    "the relay has another key than the invite says: ask its owner for a new invite".into()
                }
                RefuseReason::RoomFull => "the room is full; trying again until a place is free".into(),
                RefuseReason::TooMany => "too many attempts from this network; trying again later".into(),
            }),
        }
    }

    fn notices(&self, id: PortId, gauges: &Gauges) -> Vec<String> {
        let mut notices = Vec::new();
        if gauges.runs_ahead() {
            notices.push(
                "The host computes ahead of time, so live audio arrives too early and in bursts: in REAPER, switch \
                 off anticipative FX processing for this track (Preferences, Audio, Buffering)."
                    .into(),
            );
        }
        let listener = self.listener();
        if listener != Some(id)
            && !gauges.mute_receive()
            && let Some(port) = listener.and_then(|listener| self.ports.get(&listener))
        {
            notices.push(format!("The others are heard in the instance {:?}.", port.strip_name));
        }
        let others = self.other_strips().count();
        if others > STRIP_LANES && gauges.wish() == crate::engine::RoomMode::Stems {
            notices.push(format!(
                "The room has {others} strips; {STRIP_LANES} of them are played. Room Mode Mix or Auto plays all."
            ));
        }
        let ClientCounters { malformed, stray: _, forged, replayed } = self.client.counters();
        let malformed = malformed + self.undecodable;
        if malformed + forged + replayed > 0 {
            notices.push(format!(
                "Refused from the network: {malformed} malformed, {forged} forged, {replayed} replayed datagrams."
            ));
        }
        let dropped =
            gauges.captured_dropped.load(Ordering::Relaxed) + gauges.received_dropped.load(Ordering::Relaxed);
        if gauges.blocks.load(Ordering::Relaxed) == 0 {
            notices.push(
                "The host does not process audio here yet: nothing is sent, and nothing sounds.".into(),
            );
        } else if dropped > 0 {
            notices.push(format!("{dropped} chunks were dropped because the computer was too busy."));
        }
        let lost = self.client.loss().map_or(0.0, LossMeter::share);
        let copies = |protection: Protection| match protection.copies {
            0 => None,
            1 => Some("twice"),
            _ => Some("three times"),
        };
        if let Some(times) = copies(self.redundancy.of_downlink.protection) {
            notices.push(format!(
                "Your network loses {:.1} % of what comes to you: everything is sent to you {times}, so that it is whole.",
                100.0 * lost
            ));
        }
        if let Some(times) = copies(self.redundancy.of_uplink) {
            notices.push(format!(
                "Your network loses some of what you send: everything is sent {times}, so that it is whole."
            ));
        }
        let late = self.musical.clock_late();
        if late > 0 {
            notices
                .push(format!("{late} ticks of the MIDI clock left late because the computer was too busy."));
        }
        notices
    }
}

fn midi_status(gauges: &MidiGauges) -> MidiStatus {
    MidiStatus {
        sent: gauges.sent.load(Ordering::Relaxed),
        played: gauges.played.load(Ordering::Relaxed),
        late: gauges.late.load(Ordering::Relaxed),
        dropped: gauges.dropped.load(Ordering::Relaxed),
    }
}

fn parts_per_million(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        return 0.0;
    }
    let (part, whole) = (u32::try_from(part).unwrap_or(u32::MAX), u32::try_from(whole).unwrap_or(u32::MAX));
    f64::from(part) / f64::from(whole) * 1e6
}

//! What the link does for the room's musical time whenever it looks at its rings.

use std::sync::atomic::Ordering;

use lockstep_shared::midi::Realtime;
use lockstep_shared::time::LocalTime;
use lockstep_shared::transport::Abilities;
use lockstep_shared::wire::{DOCUMENT_BYTES_MAX, Role, Slot, Writer};

use super::{Cue, Link, MusicalTime, Port, Standpoint};
use crate::engine;

impl Link {
    /// Carries the transports of the instances to the room's musical time, and that to the relay and the MIDI clock.
    pub(super) fn conduct(&mut self, now: LocalTime) {
        // One DAW has one transport: the first instance that has a role speaks for it.
        let first =
            |role| self.ports.iter().find(|(_, port)| port.end.gauges.role() == role).map(|(id, _)| *id);
        let leads = first(engine::Role::Lead).map(|id| (id, Role::Lead));
        let follows = || first(engine::Role::Follow).map(|id| (id, Role::Follow));
        let by_itself =
            || first(engine::Role::Auto).filter(|_| self.leads_by_itself()).map(|id| (id, Role::Lead));
        let speaker = leads.or_else(follows).or_else(by_itself);
        self.musical.set_role(speaker.map_or(Role::Off, |(_, role)| role));
        if let Some(port) = speaker.and_then(|(id, _)| self.ports.get(&id)) {
            self.musical.set_clock_offset(port.end.gauges.clock_offset_ms.load(Ordering::Relaxed));
        }
        if let Some((id, Role::Follow)) = speaker {
            self.moved_through = Some(id);
            self.musical.set_abilities(self.ports.get(&id).map_or(Abilities::NONE, Port::abilities));
        }
        let me = self.roster.you;
        if let Some(me) = me {
            self.musical.settle(me);
        }
        for (&id, port) in &mut self.ports {
            let speaks = speaker.is_some_and(|(speaker, _)| speaker == id);
            while let Ok(reading) = port.end.readings.pop() {
                if speaks {
                    self.musical.observe(&reading, me);
                }
            }
        }
        let guide = self.musical.guide_number();
        for port in self.ports.values_mut() {
            port.guide(guide, || self.musical.guide());
        }
        if let (Some(map), Some(me)) = (self.clock.map(now), me) {
            self.musical.write_cue(me, map.grid(now), self.clock.round_trip());
        }
        if let Some(map) = self.clock.map(now) {
            self.musical.advance(map.grid(now));
        }
        let remote = self.moved_through.and_then(|id| self.ports.get(&id)).map(|port| &port.remote);
        while let Some(command) = self.musical.poll_move() {
            if let Some(remote) = remote {
                remote.send(now, command);
            }
        }
        self.share_delay(now);
        if self.client.is_joined()
            && let Some(wish) = self.musical.wish()
        {
            let mut buffer = [0; DOCUMENT_BYTES_MAX];
            let mut out = Writer::new(&mut buffer);
            if wish.encode(&mut out).is_ok() {
                self.client.publish(now, Slot::LEAD, out.written());
            }
        }
    }

    /// Whether an instance that was told nothing leads: the first in a room does, and goes on with it until somebody takes
    /// the lead.
    fn leads_by_itself(&self) -> bool {
        match self.musical.standpoint() {
            Standpoint::Asking | Standpoint::Leading => true,
            Standpoint::Off | Standpoint::Following | Standpoint::Refused(_) => {
                let is_alone = self.roster.you.is_some() && self.roster.members.len() == 1;
                is_alone && self.musical.leader().is_none_or(|leader| Some(leader) == self.roster.you)
            }
        }
    }

    /// Says the least delay of what plays in the Room mode.
    fn share_delay(&mut self, now: LocalTime) {
        let sharing = self.ports.values().filter(|port| port.end.gauges.shares_delay());
        let least = sharing.flat_map(|port| {
            port.playing().map(|(lane, _)| port.end.gauges.lanes[lane.0].least_ms.load(Ordering::Relaxed))
        });
        let least = least.filter(|least| least.is_finite()).reduce(f64::max);
        if let Some(delay) = self.own_delay.observe(now, least) {
            let mut buffer = [0; 4];
            let mut out = Writer::new(&mut buffer);
            // Four bytes for a number of four bytes.
            let _ = delay.encode(&mut out);
            self.client.publish(now, Slot::DELAY, out.written());
        }
    }

    /// The next event of the MIDI clock for the DAW that follows, if one is due.
    pub fn poll_clock(&mut self, now: LocalTime) -> Option<Realtime> {
        let map = self.clock.map(now)?;
        self.musical.poll_clock(now, &map)
    }

    /// When the next event of the MIDI clock is due, as far as it is worked out.
    #[must_use]
    pub fn clock_due(&self, now: LocalTime) -> LocalTime {
        self.musical.clock_due(self.clock.map(now).as_ref())
    }

    /// What the MIDI clock has said so far was not heard: a DAW that should run is told so again.
    pub fn repeat_clock(&mut self) {
        self.musical.repeat_clock();
    }

    /// Gives everybody whose DAW follows a cue, this process's among them.
    pub fn cue(&mut self, cue: Cue) {
        self.musical.cue(cue);
    }

    /// Takes the lead of the room's musical time, whoever has it.
    pub fn take_lead(&mut self) {
        self.musical.take_lead();
    }

    /// The room's musical time.
    #[must_use]
    pub const fn musical(&self) -> &MusicalTime {
        &self.musical
    }
}

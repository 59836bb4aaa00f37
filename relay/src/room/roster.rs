//! Who is in the room, as each member is told.

use lockstep_shared::session::SessionId;
use lockstep_shared::wire::{DOCUMENT_BYTES_MAX, Roster, RosterMember, RosterStrip, Writer};

use super::Room;

impl Room {
    /// The roster as each member is to have it.
    pub fn rosters(&self) -> impl Iterator<Item = (SessionId, Vec<u8>)> + '_ {
        let members = self
            .members
            .iter()
            .map(|(&id, member)| RosterMember { id, name: member.profile.name.clone() })
            .collect::<Vec<_>>();
        let strips = self
            .strips
            .iter()
            .map(|(&id, strip)| RosterStrip {
                id,
                member: strip.member,
                channels: strip.channels,
                name: strip.name.clone(),
            })
            .collect::<Vec<_>>();
        let mut roster = Roster { you: None, members, strips };
        let mut is_cut = false;
        self.members.iter().map(move |(&id, member)| {
            roster.you = Some(id);
            let mut buffer = vec![0; DOCUMENT_BYTES_MAX];
            let mut out = Writer::new(&mut buffer);
            if !is_cut && roster.encode(&mut out).is_err() {
                // Even 100 members with 16 strips each fit without their strips' names: 16,306 bytes.
                roster.strips.iter_mut().for_each(|strip| strip.name.clear());
                is_cut = true;
            }
            let mut out = Writer::new(&mut buffer);
            let length = roster.encode(&mut out).map_or(0, |()| out.length());
            buffer.truncate(length);
            (member.session, buffer)
        })
    }
}

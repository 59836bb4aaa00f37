//! Copies on the way to a member, as it asks for them, and on its way here, as the relay asks.

use lockstep_shared::redundancy::{Asked, LossMeter, Patience, Protection};
use lockstep_shared::session::SessionId;
use lockstep_shared::wire::{MemberId, PlayMode};

use super::Room;
use super::member::Member;

impl Room {
    /// How the member wants what it is sent to be protected.
    pub fn set_asked(&mut self, session: SessionId, asked: Asked) {
        if let Some(member) = self.by_session.get(&session).and_then(|id| self.members.get_mut(id)) {
            member.set_asked(asked);
        }
    }

    /// Asks every member for the copies that the loss on its way here calls for; yields what is new.
    ///
    /// The relay waits for nothing by itself: what can be waited for is what those wait who listen.
    pub fn weigh_protection<'a>(
        &mut self,
        loss: impl Fn(SessionId) -> Option<&'a LossMeter>,
    ) -> Vec<(SessionId, Asked)> {
        let listens = |member: &Member| member.is_present && member.profile.play != PlayMode::Nothing;
        let spare: Vec<(MemberId, u16)> = self
            .members
            .iter()
            .filter(|(_, member)| listens(member))
            .map(|(id, member)| (*id, member.asked.spare_frames))
            .collect();
        let mut news = Vec::new();
        for (id, member) in &mut self.members {
            let longest = spare.iter().filter(|(other, _)| other != id).map(|(_, frames)| *frames).max();
            let protection = match (longest, loss(member.session)) {
                (Some(spare_frames), Some(loss)) => {
                    let patience = Patience::usual(spare_frames.into(), member.chunks.count());
                    Protection::wanted(loss, &patience, member.told.protection)
                }
                (None, _) | (_, None) => Protection::NONE,
            };
            let told = Asked { protection, spare_frames: 0 };
            if member.told != told {
                member.told = told;
                news.push((member.session, told));
            }
        }
        news
    }
}

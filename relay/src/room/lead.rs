//! Who leads the room's musical time, and the line that is left of it.
//!
//! One member leads at a time. Whoever asks while nobody leads gets the lead; while somebody does, only a member that
//! *takes* it: the same wish in a repeated document is not a second attempt. When the leader goes the line runs on as
//! it was, and nobody inherits the lead: taking it is something a person does.

use lockstep_shared::time::{GRID_RATE, GridPosition};
use lockstep_shared::timeline::{AuthorId, Segment, Timeline};
use lockstep_shared::wire::{Lead, MemberId, Role, RoomTimeline};

/// What has passed for longer than this is forgotten: 30 s, more than any delay or late datagram reaches back.
const KEEP_FRAMES: f64 = 30.0 * GRID_RATE as f64;

/// The room's musical time.
#[derive(Debug, Default)]
pub(super) struct RoomLead {
    leader: Option<MemberId>,
    /// None until somebody has led.
    line: Option<Timeline>,
}

/// Whether a wish changed what the room was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Everybody hears something new.
    Everybody,
    /// Nobody: the one that asked knows from the document who leads.
    Nobody,
}

impl RoomLead {
    /// Takes a member's wish, after `before` of the same member.
    pub(super) fn wish(
        &mut self,
        member: MemberId,
        before: Option<&Lead>,
        wish: &Lead,
        now: GridPosition,
    ) -> Told {
        let leads = self.leader == Some(member);
        let begins = before.is_none_or(|before| before.role != Role::Lead);
        // Who had taken it before a restart of the relay has it again.
        let takes = wish.take > before.map_or(0, |before| before.take);
        let mut told = Told::Nobody;
        match wish.role {
            Role::Off | Role::Follow => {
                if leads {
                    self.leader = None;
                    told = Told::Everybody;
                }
            }
            Role::Lead if !leads => {
                if takes || (begins && self.leader.is_none()) {
                    self.leader = Some(member);
                    told = Told::Everybody;
                }
            }
            Role::Lead => {}
        }
        if self.leader == Some(member)
            && let Some(proposal) = &wish.proposal
            && before.and_then(|before| before.proposal.as_ref()) != Some(proposal)
        {
            self.adopt(member, proposal, now);
            told = Told::Everybody;
        }
        told
    }

    /// The member has gone.
    pub(super) fn leave(&mut self, member: MemberId) -> Told {
        if self.leader == Some(member) {
            self.leader = None;
            return Told::Everybody;
        }
        Told::Nobody
    }

    /// The room's line, once somebody has led.
    pub(super) const fn line(&self) -> Option<Timeline> {
        self.line
    }

    /// What everybody is told.
    pub(super) fn document(&self) -> RoomTimeline {
        let stands = || Timeline::new(Segment::stopped(GridPosition::default()));
        RoomTimeline { leader: self.leader, timeline: self.line.unwrap_or_else(stands) }
    }

    /// Makes the leader's line the room's, one revision on from whatever was: documents arrive in order, so the last
    /// proposal is the newest, and a member that numbers its own at will cannot hold up the next leader's.
    fn adopt(&mut self, member: MemberId, proposal: &Timeline, now: GridPosition) {
        let revision = self.line.map_or(0, |line| line.revision());
        let mut line = proposal.stamped(revision.saturating_add(1), AuthorId(member.0));
        line.prune(now.plus_f64(-KEEP_FRAMES));
        self.line = Some(line);
    }
}

#[cfg(test)]
mod tests {
    use lockstep_shared::time::{Beats, GridFrame};
    use lockstep_shared::timeline::Intent;

    use super::*;

    const ADA: MemberId = MemberId(3);
    const BEN: MemberId = MemberId(7);

    fn now() -> GridPosition {
        GridFrame(480_000).position()
    }

    fn wish(role: Role, take: u32) -> Lead {
        Lead { role, take, proposal: None }
    }

    #[test]
    fn the_first_that_asks_leads_and_a_second_is_refused_and_told_so() {
        let mut lead = RoomLead::default();
        assert_eq!(lead.wish(ADA, None, &wish(Role::Lead, 0), now()), Told::Everybody);
        assert_eq!(lead.wish(BEN, None, &wish(Role::Lead, 0), now()), Told::Nobody);
        assert_eq!(lead.document().leader, Some(ADA));
    }

    #[test]
    fn the_lead_is_taken_once_for_each_take() {
        let mut lead = RoomLead::default();
        lead.wish(ADA, None, &wish(Role::Lead, 0), now());
        let asked = wish(Role::Lead, 0);
        lead.wish(BEN, None, &asked, now());
        let taken = wish(Role::Lead, 1);
        assert_eq!(lead.wish(BEN, Some(&asked), &taken, now()), Told::Everybody);
        assert_eq!(lead.document().leader, Some(BEN));
        lead.wish(ADA, Some(&wish(Role::Lead, 0)), &wish(Role::Lead, 0), now());
        lead.wish(BEN, Some(&taken), &taken, now());
        assert_eq!(lead.document().leader, Some(BEN));
    }

    #[test]
    fn when_the_leader_goes_the_line_runs_on_and_nobody_inherits_the_lead() {
        let mut lead = RoomLead::default();
        let line = Timeline::new(Segment::stopped(GridPosition::default()))
            .with_intent(AuthorId(ADA.0), &Intent::Start { at: now(), beats: Beats::from_quarters(8.0) });
        lead.wish(ADA, None, &Lead { proposal: Some(line), ..wish(Role::Lead, 0) }, now());
        lead.wish(BEN, None, &wish(Role::Lead, 0), now());
        assert_eq!(lead.leave(ADA), Told::Everybody);
        assert_eq!(lead.leave(BEN), Told::Nobody);
        let document = lead.document();
        assert_eq!(document.leader, None);
        assert!(document.timeline.place(now().plus_f64(48_000.0)).beats > Beats::from_quarters(8.0));
    }

    #[test]
    fn only_the_leaders_line_counts_and_each_of_its_lines_once() {
        let mut lead = RoomLead::default();
        let stopped = Timeline::new(Segment::stopped(GridPosition::default()));
        let first =
            Lead { proposal: Some(stopped.stamped(u32::MAX, AuthorId(ADA.0))), ..wish(Role::Lead, 0) };
        assert_eq!(lead.wish(ADA, None, &first, now()), Told::Everybody);
        let foreign = Lead { proposal: Some(stopped.stamped(9, AuthorId(BEN.0))), ..wish(Role::Lead, 0) };
        assert_eq!(lead.wish(BEN, None, &foreign, now()), Told::Nobody);
        assert_eq!(lead.wish(ADA, Some(&first), &first, now()), Told::Nobody);
        assert_eq!(lead.document().timeline.revision(), 1);
        let taken = Lead { take: 1, ..foreign };
        assert_eq!(lead.wish(BEN, Some(&foreign), &taken, now()), Told::Everybody);
        assert_eq!(lead.document().leader, Some(BEN));
    }
}

//! Who an inviter is: somebody half accepted, somebody known, or ourselves.

use core::net::SocketAddr;

use super::incoming::{Pending, Stage};
use super::link::Health;
use super::policy::Answer;
use super::{ParticipantId, Place, Session};
use crate::rtpmidi::control::Greeting;
use crate::rtpmidi::name::Name;
use crate::time::{LocalTime, Span};

/// A participant heard within this time is here, and no other of its name and host is it.
const SURELY_HERE: Span = Span::from_millis(3_000);

impl Session {
    /// Whose place an inviter gets, if it is somebody known.
    pub(super) fn place_of(
        &self,
        now: LocalTime,
        from: SocketAddr,
        greeting: &Greeting,
    ) -> Option<ParticipantId> {
        let find = |fits: &dyn Fn(&Place) -> bool| {
            self.places.iter().find(|(_, place)| fits(place)).map(|(&id, _)| id)
        };
        let is_called = |place: &Place| place.told == greeting.name || place.name == greeting.name;
        let has_ssrc = |place: &Place| place.last.is_some_and(|trace| trace.theirs.contains(&greeting.ssrc));
        let is_host = |place: &Place| {
            place.last.is_some_and(|trace| trace.control.ip() == from.ip())
                || place.link.as_ref().is_some_and(|link| link.is_host(from.ip()))
                || place.call.as_ref().is_some_and(|call| call.control.ip() == from.ip())
        };
        let is_address = |place: &Place| {
            place.link.as_ref().is_some_and(|link| link.control == from)
                || place.call.as_ref().is_some_and(|call| call.control == from)
                || (place.link.is_none() && place.last.is_some_and(|trace| trace.control == from))
        };
        let is_surely_here = |place: &Place| {
            place
                .link
                .as_ref()
                .is_some_and(|link| link.health == Health::Well && now - link.heard < SURELY_HERE)
        };
        find(&|place| has_ssrc(place) && is_host(place))
            .or_else(|| find(&is_address))
            .or_else(|| find(&|place| has_ssrc(place) && (is_called(place) || greeting.name.is_empty())))
            .or_else(|| {
                find(&|place| {
                    !greeting.name.is_empty() && is_called(place) && is_host(place) && !is_surely_here(place)
                })
            })
    }

    pub(super) fn answer_to(&self, from: SocketAddr, name: &Name, place: Option<ParticipantId>) -> Answer {
        let place = place.and_then(|id| self.places.get(&id));
        let is_ours =
            place.is_some_and(|place| place.call.as_ref().is_some_and(|call| call.control.ip() == from.ip()));
        match self.policy.answer(name, from.ip()) {
            // Whom we invite may invite us.
            _ if is_ours => Answer::Admit,
            Answer::Ask
                if place.is_some_and(|place| place.link.is_some()) || self.is_approved(from, name) =>
            {
                Answer::Admit
            }
            answer @ (Answer::Admit | Answer::Ask | Answer::Refuse) => answer,
        }
    }

    fn is_approved(&self, from: SocketAddr, name: &Name) -> bool {
        self.approved.iter().any(|(ip, approved)| *ip == from.ip() && approved == name)
    }

    pub(super) fn is_own(&self, greeting: &Greeting) -> bool {
        let mut calls = self.places.values().filter_map(|place| place.call.as_ref());
        calls.any(|call| call.ours == greeting.ssrc && call.token() == Some(greeting.token))
    }

    /// Whether a participant is, was or should be at the host of `from`.
    pub(super) fn knows_host(&self, from: SocketAddr) -> bool {
        self.places.values().any(|place| {
            place.last.is_some_and(|trace| trace.control.ip() == from.ip())
                || place.call.as_ref().is_some_and(|call| call.control.ip() == from.ip())
        })
    }

    /// The pending invitation that one to the data port continues. Some inviters draw another token for it, some another
    /// SSRC, so that one of the two has to do where it is not ambiguous.
    pub(super) fn half_open_of(&self, from: SocketAddr, greeting: &Greeting) -> Option<usize> {
        let of_host = self
            .pending
            .iter()
            .enumerate()
            .filter(|(_, pending)| pending.stage == Stage::HalfOpen && pending.control.ip() == from.ip());
        let by = |wanted: fn(&Pending, &Greeting) -> bool| {
            let mut found = of_host.clone().filter(|(_, pending)| wanted(pending, greeting));
            let first = found.next().map(|(place, _)| place);
            first.filter(|_| found.next().is_none())
        };
        by(|pending, greeting| pending.theirs == greeting.ssrc && pending.token == greeting.token)
            .or_else(|| by(|pending, greeting| pending.theirs == greeting.ssrc))
            .or_else(|| by(|pending, greeting| pending.token == greeting.token))
    }
}

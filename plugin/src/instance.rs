//! One plugin instance's place in the process: created silent, joined to the process's link by activation.

use lockstep_shared::session::Invite;

use crate::engine::{Engine, Rendering, Setup};
use crate::shell::{Invites, Seat, take_seat};
use crate::status::{LinkState, Status};
use crate::wiring::wire;

/// The environment variable that names the invite when a project has none.
const INVITE_VARIABLE: &str = "LOCKSTEP_INVITE";
/// The environment variable that names the member when a project does not.
const NAME_VARIABLE: &str = "LOCKSTEP_NAME";

/// What the project saves and the editor edits; never a secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `HOST[:PORT]/ROOM` of the room to join, without its secret; empty joins nothing.
    pub room: String,
    /// The member's name as the others see it.
    pub member_name: String,
    /// This instance's strip as the others see it.
    pub strip_name: String,
}

/// One plugin instance. Creating it opens no socket, thread or port; [`Instance::activate`] does.
#[derive(Debug)]
pub struct Instance {
    settings: Settings,
    /// An invite that was given to this instance and may not be in the machine's file.
    invite: Option<Invite>,
    invites: Invites,
    active: Option<Active>,
}

#[derive(Debug)]
struct Active {
    setup: Setup,
    seat: Option<Seat>,
    /// Why there is no seat.
    trouble: Option<LinkState>,
}

impl Instance {
    /// An instance that has joined nothing. What the environment names stands until a project says otherwise.
    #[must_use]
    pub fn new() -> Self {
        let mut settings =
            Settings { member_name: std::env::var(NAME_VARIABLE).unwrap_or_default(), ..Settings::default() };
        let invite = std::env::var(INVITE_VARIABLE).ok().and_then(|text| Invite::parse(&text).ok());
        if let Some(invite) = &invite {
            settings.room = invite.place();
        }
        Self { settings, invite, invites: Invites::of_user(), active: None }
    }

    /// Changes what to join and under which name. Names take effect at once; another room does with the next
    /// activation, which the caller asks the host for when this returns [`Change::Room`].
    pub fn set_settings(&mut self, settings: Settings) -> Change {
        let change = if settings.room == self.settings.room { Change::Names } else { Change::Room };
        self.settings = settings;
        if let Some(seat) = self.active.as_ref().and_then(|active| active.seat.as_ref()) {
            seat.rename(&self.settings.member_name, &self.strip_name());
        }
        change
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a full invite (`lockstep://HOST[:PORT]/ROOM#SECRET`): its secret goes to the machine-local file,
    /// the rest into the settings. Errors are sentences for the editor; one that says that the invite works until
    /// the DAW closes means just that.
    pub fn accept_invite(&mut self, invite: &str) -> Result<(), String> {
        let invite = Invite::parse(invite).map_err(|error| error.to_string())?;
        self.settings.room = invite.place();
        let kept = self.invites.keep(&invite);
        self.invite = Some(invite);
        kept.map_err(|error| error.to_string())
    }

    /// Starts, or shares, the process's link and returns the audio thread's half.
    pub fn activate(&mut self, setup: Setup) -> Engine {
        let (audio_end, link_end) = wire();
        // The clock's first reading allocates nothing, but it is not the audio thread's to make.
        let _ = crate::shell::clock::now();
        let seat = match (setup.rendering, self.find_invite()) {
            (Rendering::Offline, _) => Err(LinkState::Inactive),
            (Rendering::Realtime, Ok(invite)) => take_seat(
                &invite,
                &self.settings.member_name,
                &self.strip_name(),
                setup.sample_rate,
                link_end,
            )
            .map_err(LinkState::Refused),
            (Rendering::Realtime, Err(state)) => Err(state),
        };
        let (seat, trouble) = match seat {
            Ok(seat) => (Some(seat), None),
            Err(state) => (None, Some(state)),
        };
        self.active = Some(Active { setup, seat, trouble });
        Engine::new(setup, audio_end)
    }

    /// Leaves the link; the last instance to leave ends its thread.
    pub fn deactivate(&mut self) {
        self.active = None;
    }

    /// What the editor shows. Takes a short lock; never called on the audio thread.
    #[must_use]
    pub fn status(&self) -> Status {
        let Some(active) = &self.active else {
            let link = if self.settings.room.is_empty() { LinkState::NoRoom } else { LinkState::Inactive };
            return Status { link, ..Status::default() };
        };
        if active.setup.rendering == Rendering::Offline {
            let notice = "The host renders offline: live audio is off until it plays in real time again.";
            return Status {
                link: LinkState::Inactive,
                notices: vec![notice.to_owned()],
                ..Status::default()
            };
        }
        match (&active.seat, &active.trouble) {
            (Some(seat), _) => seat.status(),
            (None, trouble) => Status { link: trouble.clone().unwrap_or_default(), ..Status::default() },
        }
    }

    fn find_invite(&self) -> Result<Invite, LinkState> {
        let room = &self.settings.room;
        if room.is_empty() {
            return Err(LinkState::NoRoom);
        }
        let given = self.invite.as_ref().filter(|invite| invite.place() == *room).cloned();
        given.or_else(|| self.invites.find(room)).ok_or_else(|| {
            LinkState::Refused(format!("this computer has no invite for {room}: paste the invite once"))
        })
    }

    fn strip_name(&self) -> String {
        let name = if self.settings.strip_name.is_empty() {
            &self.settings.member_name
        } else {
            &self.settings.strip_name
        };
        name.clone()
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

/// What a change of settings touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Names only: in force at once.
    Names,
    /// The room: in force with the next activation.
    Room,
}

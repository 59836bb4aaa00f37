//! One plugin instance's place in the process: created silent, joined to the process's link by activation.

use std::sync::Arc;

use lockstep_shared::session::Invite;

use crate::engine::{Engine, Rendering, Setup};
use crate::link::{Cue, Port};
use crate::shell::{Invites, Seat, take_seat};
use crate::status::{LinkState, Status};
use crate::wiring::{Remote, wire};

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
    /// The way to the host's transport.
    remote: Arc<Remote>,
    /// What the user should know of the last invite.
    notice: Option<String>,
}

#[derive(Debug)]
enum Active {
    /// The host renders faster or slower than time: nothing is joined.
    Offline,
    /// In a room.
    Seated(Seat),
    /// In none, and why; the port waits for one.
    Waiting(LinkState, Option<Box<Port>>),
}

impl Instance {
    /// An instance that has joined nothing. What the environment names stands until a project says otherwise.
    #[must_use]
    pub fn new() -> Self {
        let member_name = std::env::var(NAME_VARIABLE).unwrap_or_default();
        let mut settings = Settings { member_name, ..Settings::default() };
        let (invite, notice) = match std::env::var(INVITE_VARIABLE).map(|text| Invite::parse(&text)) {
            Ok(Ok(invite)) => (Some(invite), None),
            Ok(Err(error)) => (None, Some(format!("{INVITE_VARIABLE} is of no use: {error}"))),
            Err(_) => (None, None),
        };
        if let Some(invite) = &invite {
            settings.room = invite.place();
        }
        Self { settings, invite, invites: Invites::of_user(), active: None, remote: Arc::default(), notice }
    }

    /// The same, in a host whose transport may be reached.
    #[must_use]
    pub fn reaching(self, remote: Arc<Remote>) -> Self {
        Self { remote, ..self }
    }

    /// Changes what to join and under which name; takes effect at once when active.
    pub fn set_settings(&mut self, settings: Settings) {
        let changes_room = settings.room != self.settings.room;
        self.settings = settings;
        if changes_room {
            self.change_room();
        } else if let Some(Active::Seated(seat)) = &self.active {
            seat.rename(&self.settings.member_name, self.strip_name());
        }
    }

    /// The settings in force.
    #[must_use]
    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Takes a full invite (`lockstep://HOST[:PORT]/ROOM#SECRET`): its secret goes to the machine-local file,
    /// the rest into the settings; joins at once when active. Errors are sentences for the editor.
    pub fn accept_invite(&mut self, invite: &str) -> Result<(), String> {
        let invite = Invite::parse(invite).map_err(|error| error.to_string())?;
        self.settings.room = invite.place();
        // An invite that cannot be kept still opens the room, until the DAW closes.
        self.notice = self.invites.keep(&invite).err().map(|error| error.to_string());
        self.invite = Some(invite);
        self.change_room();
        Ok(())
    }

    /// Starts, or shares, the process's link and returns the audio thread's half.
    pub fn activate(&mut self, setup: Setup) -> Engine {
        let (audio_end, link_end) = wire();
        self.active = Some(match setup.rendering {
            Rendering::Offline => Active::Offline,
            Rendering::Realtime => {
                let port = Port::new(link_end, self.strip_name().to_owned(), setup.sample_rate);
                self.seat(Some(Box::new(port.reaching(Arc::clone(&self.remote)))))
            }
        });
        Engine::new(setup, audio_end)
    }

    /// Leaves the link; the last instance to leave ends its thread.
    pub fn deactivate(&mut self) {
        self.active = None;
    }

    /// Leaves the room, and joins the one that is set now.
    fn change_room(&mut self) {
        self.active = match self.active.take() {
            Some(Active::Seated(seat)) => {
                let port = seat.leave();
                Some(self.seat(port))
            }
            Some(Active::Waiting(_, port)) => Some(self.seat(port)),
            other @ (Some(Active::Offline) | None) => other,
        };
    }

    fn seat(&self, port: Option<Box<Port>>) -> Active {
        let Some(mut port) = port else {
            let sentence = "the link was busy: switch the plugin off and on to join".to_owned();
            return Active::Waiting(LinkState::Lost(sentence), None);
        };
        port.rename(self.strip_name().to_owned());
        match self.find_invite() {
            Err(state) => Active::Waiting(state, Some(port)),
            Ok(invite) => match take_seat(&invite, &self.settings.member_name, port) {
                Ok(seat) => Active::Seated(seat),
                Err(sentence) => Active::Waiting(LinkState::Lost(sentence), None),
            },
        }
    }

    /// Gives everybody whose DAW follows a cue. Does nothing unless this one follows too, and nobody's DAW leads.
    pub fn cue(&self, cue: Cue) {
        if let Some(Active::Seated(seat)) = &self.active {
            seat.cue(cue);
        }
    }

    /// Takes the lead of the room's musical time, whoever has it. Does nothing unless the role is Lead.
    pub fn take_lead(&self) {
        if let Some(Active::Seated(seat)) = &self.active {
            seat.take_lead();
        }
    }

    /// What the editor shows. Takes a short lock; never called on the audio thread.
    #[must_use]
    pub fn status(&self) -> Status {
        let mut status = match &self.active {
            None if self.settings.room.is_empty() => Status::default(),
            None => Status { link: LinkState::Inactive, ..Status::default() },
            Some(Active::Offline) => {
                let notice = "The host renders offline: live audio is off until it plays in real time again.";
                Status { link: LinkState::Inactive, notices: vec![notice.to_owned()], ..Status::default() }
            }
            Some(Active::Seated(seat)) => seat.status(),
            Some(Active::Waiting(state, _)) => Status { link: state.clone(), ..Status::default() },
        };
        status.notices.extend(self.notice.clone());
        status
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

    fn strip_name(&self) -> &str {
        let Settings { member_name, strip_name, .. } = &self.settings;
        if strip_name.is_empty() { member_name } else { strip_name }
    }
}

impl Default for Instance {
    fn default() -> Self {
        Self::new()
    }
}

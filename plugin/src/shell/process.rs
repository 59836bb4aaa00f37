//! The links of this process: instances that play in the same room share one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lockstep_shared::session::Invite;

use super::thread::{LinkThread, SharedStatus};
use crate::link::{Cue, Port};
use crate::status::Status;

static LINKS: Mutex<Vec<Shared>> = Mutex::new(Vec::new());
static NEXT_SEAT: AtomicU64 = AtomicU64::new(0);

#[derive(Debug)]
struct Shared {
    invite: Invite,
    link: Arc<LinkThread>,
    seats: usize,
}

/// An active instance's share of a link. The last one to be dropped ends the link's thread.
#[derive(Debug)]
pub struct Seat {
    number: u64,
    invite: Invite,
    link: Arc<LinkThread>,
    status: SharedStatus,
    has_left: bool,
}

/// Shares the link to the invite's room, starting it if this is the first instance there.
pub fn take_seat(invite: &Invite, member_name: &str, port: Box<Port>) -> Result<Seat, String> {
    let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = match links.iter().position(|shared| shared.invite == *invite) {
        Some(place) => &mut links[place],
        None => {
            let link = Arc::new(LinkThread::start(invite.clone(), member_name.to_owned())?);
            links.push(Shared { invite: invite.clone(), link, seats: 0 });
            let last = links.len() - 1;
            &mut links[last]
        }
    };
    shared.seats += 1;
    let number = NEXT_SEAT.fetch_add(1, Ordering::Relaxed);
    let status = SharedStatus::default();
    let link = Arc::clone(&shared.link);
    link.add(number, port, Arc::clone(&status));
    Ok(Seat { number, invite: invite.clone(), link, status, has_left: false })
}

impl Seat {
    /// Changes the names that the others see.
    pub fn rename(&self, member_name: &str, strip_name: &str) {
        self.link.rename(self.number, member_name.to_owned(), strip_name.to_owned());
    }

    /// Leaves the room and takes the instance's port along, to another.
    pub fn leave(mut self) -> Option<Box<Port>> {
        self.has_left = true;
        self.link.remove(self.number)
    }

    /// Gives everybody whose DAW follows a cue.
    pub fn cue(&self, cue: Cue) {
        self.link.cue(cue);
    }

    /// Takes the lead of the room's musical time, whoever has it.
    pub fn take_lead(&self) {
        self.link.take_lead();
    }

    /// What the editor shows.
    #[must_use]
    pub fn status(&self) -> Status {
        self.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if !self.has_left {
            self.link.remove(self.number);
        }
        let mut links = LINKS.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(place) = links.iter().position(|shared| shared.invite == self.invite) else { return };
        links[place].seats -= 1;
        if links[place].seats == 0 {
            // Joined when this seat's own reference goes, after the lock.
            let last = links.swap_remove(place);
            drop(links);
            drop(last);
        }
    }
}

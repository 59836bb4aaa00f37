//! Through which socket a peer is answered.

use core::net::SocketAddr;
use std::collections::BTreeMap;

use super::batch::Inbox;
use super::{Family, Socket};

/// Peers remembered. Anybody can send from many addresses, so the table is emptied when it is full; a member writes
/// itself in again with its next datagram, a few milliseconds later.
const PEERS_MAX: usize = 1_024;

/// Which socket each peer was last heard on. Needed, and kept, only where two sockets take the same family.
#[derive(Debug)]
pub(super) struct Routes {
    families: Vec<Family>,
    heard: Option<BTreeMap<SocketAddr, usize>>,
}

impl Routes {
    pub(super) fn new(sockets: &[Socket]) -> Self {
        let families: Vec<_> = sockets.iter().map(|socket| socket.family).collect();
        let one_each =
            matches!(families.as_slice(), [_] | [Family::V4, Family::V6] | [Family::V6, Family::V4]);
        Self { families, heard: (!one_each).then(BTreeMap::new) }
    }

    pub(super) fn learn(&mut self, index: usize, inbox: &Inbox) {
        let Some(heard) = &mut self.heard else { return };
        for arrival in &inbox.arrivals {
            if heard.len() >= PEERS_MAX && !heard.contains_key(&arrival.from) {
                heard.clear();
            }
            heard.insert(arrival.from, index);
        }
    }

    /// The socket that `peer` was heard on, else the first of its family.
    pub(super) fn socket_towards(&self, peer: SocketAddr) -> Option<usize> {
        let heard = self.heard.as_ref().and_then(|heard| heard.get(&peer).copied());
        heard.or_else(|| self.families.iter().position(|family| family.takes(peer)))
    }
}

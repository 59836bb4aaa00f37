//! How often strangers are heard: invitations of one address and of all together.

use std::collections::BTreeMap;

use core::net::IpAddr;

use crate::session::Bucket;
use crate::time::{LocalTime, Span};

/// Invitations of one address (of one /64 in IPv6) a second, and at once. A participant needs one a second; a dozen behind
/// one router return together.
const EACH_PER_SECOND: f64 = 10.0;
const EACH_BURST: f64 = 24.0;
/// Invitations of all strangers together: a whole room that returns at once, and a flood costs no more than this.
const ALL_PER_SECOND: f64 = 200.0;
const ALL_BURST: f64 = 256.0;
/// An address that has not invited for so long has its whole burst again.
const RESTED_AFTER: Span = Span::from_millis(2_400);
/// Addresses remembered; when so many invited within seconds, nobody else is heard until they rest.
const ADDRESSES_MAX: usize = 1_024;

/// See the module's page.
#[derive(Clone, Debug)]
pub(super) struct InviteLimit {
    each: BTreeMap<IpAddr, Bucket>,
    all: Bucket,
}

/// What an inviter is to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Nothing of ours is at its address.
    Stranger,
    /// A participant is, was or should be at its address: strangers do not use up its share.
    Known,
}

impl InviteLimit {
    pub(super) const fn new() -> Self {
        Self { each: BTreeMap::new(), all: Bucket::full(LocalTime::ZERO, ALL_BURST) }
    }

    /// Whether one more invitation from `address` is heard now.
    pub(super) fn allows(&mut self, now: LocalTime, address: IpAddr, standing: Standing) -> bool {
        let address = network(address);
        match standing {
            Standing::Known => {}
            Standing::Stranger if !self.all.take(now, ALL_PER_SECOND) => return false,
            Standing::Stranger => {}
        }
        if !self.each.contains_key(&address) && self.each.len() >= ADDRESSES_MAX {
            self.each.retain(|_, bucket| !bucket.has_rested(now - RESTED_AFTER));
            if self.each.len() >= ADDRESSES_MAX && standing == Standing::Stranger {
                return false;
            }
        }
        self.each.entry(address).or_insert_with(|| Bucket::full(now, EACH_BURST)).take(now, EACH_PER_SECOND)
    }

    /// Addresses remembered.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.each.len()
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) >> 64 << 64).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_use_up_the_others_share_and_strangers_not_a_participants() {
        let mut limit = InviteLimit::new();
        let now = LocalTime::from_nanos(7);
        let noisy = IpAddr::from([203, 0, 113, 1]);
        let allowed = (0..1_000).filter(|_| limit.allows(now, noisy, Standing::Stranger)).count();
        assert_eq!(allowed, 24);
        let later = now + Span::from_millis(2_000);
        assert!(limit.allows(later, noisy, Standing::Stranger));
        let crowd = (0..60_000_u32)
            .filter(|&each| limit.allows(later, IpAddr::from(each.to_be_bytes()), Standing::Stranger));
        assert_eq!(crowd.count(), 255);
        assert!(limit.allows(later, IpAddr::from([10, 0, 0, 9]), Standing::Known));
        assert!(limit.addresses() <= ADDRESSES_MAX + 1);
    }
}

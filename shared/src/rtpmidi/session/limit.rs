//! How often strangers are heard: invitations of one address and of all together.

use std::collections::BTreeMap;

use core::net::IpAddr;

use crate::time::{LocalTime, Span};

/// Invitations of one address (of one /64 in IPv6): this often on average, and so many at once. A participant needs one
/// a second; a dozen behind one router return together.
const EACH: Rate = Rate { every: Span::from_millis(100), burst: 24 };
/// Invitations of all strangers together: a whole room that returns at once, and a flood costs no more than this.
const ALL: Rate = Rate { every: Span::from_millis(5), burst: 256 };
/// Addresses remembered; when so many invited within seconds, nobody else is heard until they rest.
const ADDRESSES_MAX: usize = 1_024;

/// Lets a thing happen every so often, and `burst` times at once.
#[derive(Clone, Copy, Debug)]
struct Rate {
    every: Span,
    burst: i64,
}

/// When the allowance of a [`Rate`] is whole again.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    whole_at: LocalTime,
}

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
        Self { each: BTreeMap::new(), all: Bucket { whole_at: LocalTime::ZERO } }
    }

    /// Whether one more invitation from `address` is heard now.
    pub(super) fn allows(&mut self, now: LocalTime, address: IpAddr, standing: Standing) -> bool {
        let address = network(address);
        match standing {
            Standing::Known => {}
            Standing::Stranger if !self.all.take(now, ALL) => return false,
            Standing::Stranger => {}
        }
        if !self.each.contains_key(&address) && self.each.len() >= ADDRESSES_MAX {
            self.each.retain(|_, bucket| bucket.whole_at > now);
            if self.each.len() >= ADDRESSES_MAX && standing == Standing::Stranger {
                return false;
            }
        }
        self.each.entry(address).or_insert(Bucket { whole_at: now }).take(now, EACH)
    }

    /// Addresses remembered.
    #[cfg(test)]
    pub(super) fn addresses(&self) -> usize {
        self.each.len()
    }
}

impl Bucket {
    fn take(&mut self, now: LocalTime, rate: Rate) -> bool {
        let whole_at = self.whole_at.max(now) + rate.every;
        if (whole_at - now).nanos() > rate.every.nanos() * rate.burst {
            return false;
        }
        self.whole_at = whole_at;
        true
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

//! Who may connect. Names and addresses are claims that nothing proves: whoever switches this on should know it.

use core::net::IpAddr;

use crate::rtpmidi::name::Name;

/// What becomes of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is accepted.
    Admit,
    /// Somebody is asked.
    Ask,
    /// It is refused.
    Refuse,
}

/// Who may connect: the list first, then where the inviter is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whoever matches one of these is admitted.
    pub list: Vec<Entry>,
    /// What becomes of the others who are in a local network (RFC 1918, link-local, unique local) or on this machine.
    pub local: Answer,
    /// What becomes of everybody else.
    pub remote: Answer,
}

/// Whom a list admits: everything that is given must fit. An entry that gives nothing fits nobody.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The name that the inviter tells.
    pub name: Option<Name>,
    /// Where it is.
    pub network: Option<Network>,
}

/// The addresses that begin with the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// One of them.
    pub address: IpAddr,
    /// How many bits are the same: 32 (IPv4) or 128 (IPv6) for a single address; more count as that.
    pub bits: u8,
}

impl Policy {
    /// Nobody.
    #[must_use]
    pub const fn nobody() -> Self {
        Self { list: Vec::new(), local: Answer::Refuse, remote: Answer::Refuse }
    }

    /// Those on the list, and nobody else.
    #[must_use]
    pub const fn listed(list: Vec<Entry>) -> Self {
        Self { list, local: Answer::Refuse, remote: Answer::Refuse }
    }

    /// Those on the list, and everybody else with approval.
    #[must_use]
    pub const fn approval(list: Vec<Entry>) -> Self {
        Self { list, local: Answer::Ask, remote: Answer::Ask }
    }

    /// Those on the list, and local networks with approval: what a relay starts with.
    #[must_use]
    pub const fn listed_or_local(list: Vec<Entry>) -> Self {
        Self { list, local: Answer::Ask, remote: Answer::Refuse }
    }

    /// Anyone.
    #[must_use]
    pub const fn anyone() -> Self {
        Self { list: Vec::new(), local: Answer::Admit, remote: Answer::Admit }
    }

    /// What becomes of an invitation by `name` from `address`.
    #[must_use]
    pub fn answer(&self, name: &Name, address: IpAddr) -> Answer {
        if self.list.iter().any(|entry| entry.fits(name, address)) {
            Answer::Admit
        } else if is_local(address) {
            self.local
        } else {
            self.remote
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::listed_or_local(Vec::new())
    }
}

impl Entry {
    fn fits(&self, name: &Name, address: IpAddr) -> bool {
        match (&self.name, self.network) {
            (None, None) => false,
            (wanted, network) => {
                wanted.as_ref().is_none_or(|wanted| wanted == name)
                    && network.is_none_or(|network| network.contains(address))
            }
        }
    }
}

impl Network {
    /// The network of one address.
    #[must_use]
    pub const fn single(address: IpAddr) -> Self {
        Self { address, bits: 128 }
    }

    /// Whether `address` is one of its own. An IPv4 address inside IPv6 counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                let bits = u32::from(ours) ^ u32::from(theirs);
                bits.checked_shr(32 - u32::from(self.bits).min(32)).unwrap_or(0) != 0
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                let bits = u128::from(ours) ^ u128::from(theirs);
                bits.checked_shr(128 - u32::from(self.bits).min(128)).unwrap_or(0) != 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => true,
        };
        !differing
    }
}

/// Whether `address` is in a network that no router of the internet leads to, or is this machine's own.
#[must_use]
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(ip) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_holds_what_begins_alike() {
        let network = Network { address: ip("10.1.0.0"), bits: 16 };
        assert!(network.contains(ip("10.1.255.3")));
        assert!(network.contains(ip("::ffff:10.1.2.3")));
        assert!(!network.contains(ip("10.2.0.0")));
        assert!(!network.contains(ip("fe80::1")));
        assert!(Network { address: ip("10.1.0.0"), bits: 0 }.contains(ip("8.8.8.8")));
        assert!(!Network::single(ip("10.1.0.0")).contains(ip("10.1.0.1")));
        assert!(Network { address: ip("2001:db8::"), bits: 32 }.contains(ip("2001:db8:7::1")));
    }

    #[test]
    fn the_list_comes_before_the_place() {
        let by_both =
            Entry { name: Some(Name::new("Keys")), network: Some(Network::single(ip("203.0.113.7"))) };
        let by_name = Entry { name: Some(Name::new("Pads")), network: None };
        let policy = Policy::listed_or_local(vec![by_both, by_name, Entry::default()]);
        let answer = |name, address| policy.answer(&Name::new(name), ip(address));
        assert_eq!(answer("Keys", "203.0.113.7"), Answer::Admit);
        assert_eq!(answer("Keys", "203.0.113.8"), Answer::Refuse);
        assert_eq!(answer("Other", "203.0.113.7"), Answer::Refuse);
        assert_eq!(answer("Pads", "198.51.100.1"), Answer::Admit);
        for local in
            ["192.168.1.2", "169.254.0.9", "127.0.0.1", "fe80::1", "fd00::1", "::1", "::ffff:10.0.0.1"]
        {
            assert_eq!(answer("Other", local), Answer::Ask, "{local}");
        }
        assert_eq!(Policy::nobody().answer(&Name::new("Keys"), ip("127.0.0.1")), Answer::Refuse);
        assert_eq!(Policy::anyone().answer(&Name::default(), ip("198.51.100.1")), Answer::Admit);
    }
}

//! Which host an invite names. Nothing here sends anything: a name that others cannot use must be noticed by the
//! admin, not guessed by asking the network.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::net::UdpSocket;

use crate::config::{Config, Listen};

/// Names that end like this mean something on one network only.
const LOCAL_ENDINGS: [&str; 5] = [".local", ".localdomain", ".internal", ".lan", ".home"];
/// Where a packet to the world would go; documentation addresses (RFC 5737, RFC 3849), never sent to.
const WORLD: [IpAddr; 2] =
    [IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))];

/// A host for invites and how far it reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteHost {
    /// The name or address.
    pub host: String,
    /// Who can use it.
    pub reach: Reach,
}

/// Who can use an invite's host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Whoever the admin thought of, or everybody, as far as this machine can tell.
    World,
    /// Machines on the same network.
    Network,
    /// Programs on this machine.
    Machine,
}

/// The configured host, else what this machine is called or addressed by.
#[must_use]
pub fn invite_host(config: &Config) -> InviteHost {
    if let Some(host) = &config.public_host {
        return InviteHost { host: host.clone(), reach: Reach::World };
    }
    if let Listen::Only(addresses) = &config.listen {
        let loopback_only = addresses.iter().all(|address| address.ip().is_loopback());
        let specific = addresses
            .iter()
            .map(SocketAddr::ip)
            .find(|ip| !ip.is_unspecified() && (loopback_only || !ip.is_loopback()));
        if let Some(ip) = specific {
            return from_address(ip);
        }
    }
    machine_host()
}

/// The first label of this machine's name, for names that mean something on its network only.
#[must_use]
pub fn short_name() -> String {
    let name = hostname().unwrap_or_default();
    let label = name.split('.').next().unwrap_or_default();
    if label.is_empty() { "lockstep".to_owned() } else { label.to_owned() }
}

fn machine_host() -> InviteHost {
    let name = hostname().unwrap_or_default();
    let global = name.contains('.') && !LOCAL_ENDINGS.iter().any(|ending| name.ends_with(ending));
    if global {
        return InviteHost { host: name, reach: Reach::World };
    }
    if let Some(ip) = WORLD.into_iter().find_map(source_towards) {
        return from_address(ip);
    }
    if name.is_empty() || name == "localhost" {
        from_address(IpAddr::V4(Ipv4Addr::LOCALHOST))
    } else {
        InviteHost { host: name, reach: Reach::Network }
    }
}

fn from_address(ip: IpAddr) -> InviteHost {
    InviteHost { host: ip.to_string(), reach: reach(ip) }
}

fn reach(ip: IpAddr) -> Reach {
    match ip {
        _ if ip.is_loopback() => Reach::Machine,
        IpAddr::V4(ip) => {
            // RFC 6598: 100.64.0.0/10 is shared behind carrier-grade NAT.
            let shared = ip.octets()[0] == 100 && ip.octets()[1] & 0xc0 == 64;
            if ip.is_private() || ip.is_link_local() || shared { Reach::Network } else { Reach::World }
        }
        IpAddr::V6(ip) => {
            if ip.is_unique_local() || ip.is_unicast_link_local() {
                Reach::Network
            } else {
                Reach::World
            }
        }
    }
}

/// The address that the routing table would send from; connecting a UDP socket sends nothing.
fn source_towards(target: IpAddr) -> Option<IpAddr> {
    let any =
        if target.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect((target, 9)).ok()?;
    let source = socket.local_addr().ok()?.ip();
    (!source.is_loopback() && !source.is_unspecified()).then_some(source)
}

#[cfg(unix)]
fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_ascii_lowercase();
    let good = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    (good && !name.is_empty()).then_some(name)
}

#[cfg(not(unix))]
fn hostname() -> Option<String> {
    std::env::var("COMPUTERNAME").ok().map(|name| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Overrides;

    fn chosen(listen: &[&str], public_host: Option<&str>) -> InviteHost {
        let over = Overrides {
            listen: listen.iter().map(|&address| address.to_owned()).collect(),
            public_host: public_host.map(str::to_owned),
            ..Overrides::default()
        };
        invite_host(&Config::resolve(None, over).unwrap())
    }

    #[test]
    fn the_admins_word_comes_first_then_the_address_listened_on() {
        let named = chosen(&["127.0.0.1:1"], Some("play.example.org"));
        assert_eq!((named.host.as_str(), named.reach), ("play.example.org", Reach::World));
        for (listen, host, reach) in [
            (&["127.0.0.1:1"][..], "127.0.0.1", Reach::Machine),
            (&["[::1]:1", "127.0.0.1:1"], "::1", Reach::Machine),
            (&["127.0.0.1:1", "10.1.2.3:1"], "10.1.2.3", Reach::Network),
            (&["198.51.100.7:1"], "198.51.100.7", Reach::World),
            (&["[fe80::1]:1"], "fe80::1", Reach::Network),
            (&["100.64.0.1:1"], "100.64.0.1", Reach::Network),
        ] {
            assert_eq!(chosen(listen, None), InviteHost { host: host.to_owned(), reach }, "{listen:?}");
        }
    }

    #[test]
    fn a_relay_that_listens_everywhere_names_something() {
        let host = chosen(&[], None).host;
        assert!(!host.is_empty() && host != "0.0.0.0" && host != "::", "{host}");
    }
}

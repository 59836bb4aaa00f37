//! Token buckets: how often something may happen.

use std::collections::BTreeMap;

use core::net::{IpAddr, SocketAddr};

use crate::time::convert::f64_from_i64;
use crate::time::{LocalTime, Span};

/// Lets `per_second` things happen on average and `burst` at once.
#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    tokens: f64,
    burst: f64,
    refilled: LocalTime,
}

impl Bucket {
    /// Nothing has happened for a while.
    #[must_use]
    pub const fn full(now: LocalTime, burst: f64) -> Self {
        Self { tokens: burst, burst, refilled: now }
    }

    /// Whether nothing has been asked since `before`.
    #[must_use]
    pub fn has_rested(&self, before: LocalTime) -> bool {
        self.refilled <= before
    }

    /// Whether one more may happen now.
    pub fn take(&mut self, now: LocalTime, per_second: f64) -> bool {
        let passed = f64_from_i64((now - self.refilled).nanos().max(0)) * 1e-9;
        self.refilled = self.refilled.max(now);
        self.tokens = (self.tokens + passed * per_second).min(self.burst);
        if self.tokens < 1.0 {
            return false;
        }
        self.tokens -= 1.0;
        true
    }
}

/// Key agreements of one network (an IPv4 /24, an IPv6 /56) a second, and at once.
const HELLOS_PER_SECOND: f64 = 20.0;
const HELLOS_BURST: f64 = 120.0;
/// Networks remembered; beyond, the ones longest at rest are forgotten.
const NETWORKS_MAX: usize = 4_096;

/// Limits key agreements by network. Only proven addresses come here, so nobody fills it with spoofed ones.
#[derive(Debug, Default)]
pub(super) struct HelloLimit {
    networks: BTreeMap<u64, Bucket>,
}

impl HelloLimit {
    pub(super) fn allows(&mut self, now: LocalTime, from: SocketAddr) -> bool {
        if self.networks.len() >= NETWORKS_MAX {
            let rested = now - Span::from_millis(10_000);
            self.networks.retain(|_, bucket| !bucket.has_rested(rested));
            if self.networks.len() >= NETWORKS_MAX {
                return false;
            }
        }
        self.networks
            .entry(network(from.ip()))
            .or_insert_with(|| Bucket::full(now, HELLOS_BURST))
            .take(now, HELLOS_PER_SECOND)
    }
}

fn network(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(ip) => u64::from(u32::from(ip) >> 8),
        // Bit 63 keeps the families apart.
        IpAddr::V6(ip) => match ip.to_ipv4_mapped() {
            Some(ip) => u64::from(u32::from(ip) >> 8),
            None => {
                let [a, b, c, d, e, f, g, ..] = ip.octets();
                u64::from_be_bytes([0x80, a, b, c, d, e, f, g])
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_cannot_use_up_the_others_share() {
        let mut limit = HelloLimit::default();
        let now = LocalTime::ZERO;
        let noisy = SocketAddr::from(([10, 0, 0, 1], 1));
        let quiet = SocketAddr::from(([10, 0, 1, 1], 1));
        let allowed = (0..1_000).filter(|_| limit.allows(now, noisy)).count();
        assert_eq!(allowed, 120);
        assert!(limit.allows(now, quiet));
        assert!(limit.allows(now + Span::from_millis(100), noisy));
    }
}

//! A proof of address that costs the relay no memory: HMAC over address and time.

use core::net::{IpAddr, SocketAddr};

use ring::hmac;

use crate::time::{LocalTime, Span};
use crate::wire::handshake::COOKIE_BYTES;

/// A cookie is good in the slot it was made in and the one after: 10 to 20 s.
const SLOT: Span = Span::from_millis(10_000);

#[derive(Debug)]
pub(super) struct CookieJar {
    key: hmac::Key,
}

impl CookieJar {
    pub(super) fn new(seed: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, seed) }
    }

    pub(super) fn bake(&self, now: LocalTime, from: SocketAddr) -> [u8; COOKIE_BYTES] {
        self.at(slot(now), from)
    }

    pub(super) fn is_good(&self, now: LocalTime, from: SocketAddr, cookie: &[u8; COOKIE_BYTES]) -> bool {
        let slot = slot(now);
        [slot, slot - 1].into_iter().any(|slot| {
            let expected = self.at(slot, from);
            // Constant time: every byte is compared whatever came before.
            expected.iter().zip(cookie).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
        })
    }

    fn at(&self, slot: i64, from: SocketAddr) -> [u8; COOKIE_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(&slot.to_le_bytes());
        match from.ip() {
            IpAddr::V4(ip) => context.update(&ip.octets()),
            IpAddr::V6(ip) => context.update(&ip.octets()),
        }
        context.update(&from.port().to_le_bytes());
        let mut cookie = [0; COOKIE_BYTES];
        cookie.copy_from_slice(&context.sign().as_ref()[..COOKIE_BYTES]);
        cookie
    }
}

fn slot(now: LocalTime) -> i64 {
    now.nanos().div_euclid(SLOT.nanos())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_good_for_its_address_and_its_time_alone() {
        let jar = CookieJar::new(&[1; 32]);
        let here = SocketAddr::from(([127, 0, 0, 1], 5));
        let there = SocketAddr::from(([127, 0, 0, 1], 6));
        let now = LocalTime::ZERO + Span::from_millis(12_000);
        let cookie = jar.bake(now, here);
        assert!(jar.is_good(now, here, &cookie));
        assert!(jar.is_good(now + SLOT, here, &cookie));
        assert!(!jar.is_good(now + SLOT + SLOT, here, &cookie));
        assert!(!jar.is_good(now, there, &cookie));
        assert!(!jar.is_good(now, here, &[0; COOKIE_BYTES]));
    }
}

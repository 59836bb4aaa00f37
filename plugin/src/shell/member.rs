//! Who this process is, and fresh entropy.

use std::sync::OnceLock;

use lockstep_shared::session::{Entropy, MemberKey};

/// Fresh entropy from the operating system, or its sentence when it has none.
pub(super) fn seed() -> Result<[u8; 32], String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)
        .map_err(|error| format!("the operating system gave no randomness: {error}"))?;
    Ok(seed)
}

/// Drawn once a process: a member that returns within ten seconds is the same member.
pub(super) fn key() -> Result<MemberKey, String> {
    static KEY: OnceLock<MemberKey> = OnceLock::new();
    if let Some(key) = KEY.get() {
        return Ok(*key);
    }
    let key = MemberKey::generate(&mut Entropy::new(&seed()?));
    Ok(*KEY.get_or_init(|| key))
}

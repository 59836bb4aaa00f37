//! The Lockstep relay.

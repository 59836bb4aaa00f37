//! Both halves of the session between a member and its relay.

//! What is kept in order.

use crate::midi::message::{Message, System};

/// Messages that are played in the order in which they were sent: those to one channel, the clock, the rest of the
/// system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Lane(usize);

/// The last instant of each lane.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lanes<T> {
    last: [Option<T>; Lane::COUNT],
}

impl Lane {
    const COUNT: usize = 18;
    const CLOCK: Self = Self(16);
    const SYSTEM: Self = Self(17);

    fn of(message: &Message) -> Self {
        match message {
            Message::Voice(channel, _) => Self(channel.index().into()),
            Message::Realtime(_) => Self::CLOCK,
            Message::System(_) | Message::Exclusive(_) => Self::SYSTEM,
        }
    }
}

impl<T: Copy> Lanes<T> {
    /// Lanes on which nothing more happens before `instant`.
    pub(super) const fn from(instant: T) -> Self {
        Self { last: [Some(instant); Lane::COUNT] }
    }

    /// Places `message` with the help of `later`, which takes the lane's last instant, and remembers where. A reset is
    /// of all lanes: it comes after what was sent before it, and before what was sent after it.
    pub(super) fn place(&mut self, message: &Message, instant: T, later: impl Fn(T, T) -> T) -> T {
        if *message == Message::System(System::Reset) {
            let placed = self.last.iter().flatten().fold(instant, |placed, last| later(*last, placed));
            self.last = [Some(placed); Lane::COUNT];
            return placed;
        }
        let last = &mut self.last[Lane::of(message).0];
        let placed = last.map_or(instant, |last| later(last, instant));
        *last = Some(placed);
        placed
    }
}

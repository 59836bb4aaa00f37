//! Two channels as the two that cost least: themselves, or their sum and their difference.

use super::{Channel, Depth, KIND_LEFT_SIDE, KIND_MID_SIDE, KIND_SEPARATE, KIND_SIDE_RIGHT, LosslessError};
use crate::time::CHUNK_FRAMES;

/// Which two channels are coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pair {
    /// Left and right, or the only one.
    Separate,
    /// (left + right) >> 1, and left - right.
    MidSide,
    /// Left, and left - right.
    LeftSide,
    /// Left - right, and right.
    SideRight,
}

impl Pair {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Separate => KIND_SEPARATE,
            Self::MidSide => KIND_MID_SIDE,
            Self::LeftSide => KIND_LEFT_SIDE,
            Self::SideRight => KIND_SIDE_RIGHT,
        }
    }

    pub(super) const fn from_code(code: u8) -> Option<Self> {
        match code {
            KIND_SEPARATE => Some(Self::Separate),
            KIND_MID_SIDE => Some(Self::MidSide),
            KIND_LEFT_SIDE => Some(Self::LeftSide),
            KIND_SIDE_RIGHT => Some(Self::SideRight),
            _ => None,
        }
    }

    /// Bits of the samples of both: a difference has one more.
    pub(super) const fn bits(self, depth: Depth) -> [u32; 2] {
        let bits = depth.bits();
        match self {
            Self::Separate => [bits, bits],
            Self::MidSide | Self::LeftSide => [bits, bits + 1],
            Self::SideRight => [bits + 1, bits],
        }
    }

    /// Left and right again, in place; fails if one of them is beyond the depth.
    pub(super) fn separate(self, samples: &mut [Channel; 2], depth: Depth) -> Result<(), LosslessError> {
        let [first, second] = samples;
        let half = 1 << (depth.bits() - 1);
        let mut beyond = 0;
        for (first, second) in first.iter_mut().zip(second) {
            match self {
                Self::Separate => {}
                Self::MidSide => {
                    // The bit that the mean has lost is the lowest of the difference.
                    let (sum, side) = ((*first << 1) | (*second & 1), *second);
                    (*first, *second) = ((sum + side) >> 1, (sum - side) >> 1);
                }
                Self::LeftSide => *second = *first - *second,
                Self::SideRight => *first += *second,
            }
            beyond |= (*first + half) | (*second + half);
        }
        // Whatever is negative or reaches 2^depth has left a bit there.
        if beyond >> depth.bits() == 0 { Ok(()) } else { Err(LosslessError::Range) }
    }
}

/// The pair whose channels promise to cost least, and these.
pub(super) fn choose([left, right]: &[Channel; 2]) -> (Pair, [Channel; 2]) {
    let mut mid = [0; CHUNK_FRAMES];
    let mut side = [0; CHUNK_FRAMES];
    for ((left, right), (mid, side)) in left.iter().zip(right).zip(mid.iter_mut().zip(&mut side)) {
        *mid = (left + right) >> 1;
        *side = left - right;
    }
    let [for_left, for_right, for_mid, for_side] = [left, right, &mid, &side].map(roughness);
    // Bits are the logarithm of what prediction leaves, so that two channels' add up where these multiply. Each is below
    // 2^32: 62 times 2^26 at most.
    let costs = [
        (for_left * for_right, Pair::Separate),
        (for_mid * for_side, Pair::MidSide),
        (for_left * for_side, Pair::LeftSide),
        (for_side * for_right, Pair::SideRight),
    ];
    let pair = costs.into_iter().min_by_key(|(cost, _)| *cost).map_or(Pair::Separate, |(_, pair)| pair);
    let channels = match pair {
        Pair::Separate => [*left, *right],
        Pair::MidSide => [mid, side],
        Pair::LeftSide => [*left, side],
        Pair::SideRight => [side, *right],
    };
    (pair, channels)
}

/// The sum of the second differences: what a straight line through two samples leaves of the third.
fn roughness(channel: &Channel) -> u64 {
    let mut sum = 1;
    for number in 2..CHUNK_FRAMES {
        let difference = channel[number] - 2 * channel[number - 1] + channel[number - 2];
        sum += u64::from(difference.unsigned_abs());
    }
    sum
}

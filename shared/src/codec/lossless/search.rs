//! Which predictor leaves least: the energy of a residual is a quadratic form of the signal's moments, so that the moments
//! are taken once, and each predictor costs one sum of products. Two levels of 16: the groups' middles, then the group.

use super::Channel;
use super::codebook::{Costs, GROUP, LEAF_COSTS, MOMENTS, ORDER, ROOT_COSTS};
use crate::time::CHUNK_FRAMES;

/// Frames whose residual is of the full order.
const FRAMES: usize = CHUNK_FRAMES - ORDER;

/// What rounding a prediction adds to the energy of each frame, and a little for the codes: with less than that, nothing is
/// gained by predicting better.
const FLOOR: f64 = 0.1 * 56.0;

/// The number of the predictor that promises the fewest bits.
///
/// Real-time: yes. Bound: 32 predictors of 46 products.
pub(super) fn best_predictor(samples: &Channel) -> usize {
    let moments = moments(samples);
    let group = cheapest(&ROOT_COSTS, &moments);
    group * GROUP + cheapest(&LEAF_COSTS[group], &moments)
}

fn cheapest(costs: &Costs, moments: &[f64; MOMENTS]) -> usize {
    let mut sums = [0.0; GROUP];
    for (weights, moment) in costs.iter().zip(moments) {
        for (sum, weight) in sums.iter_mut().zip(weights) {
            *sum += weight * moment;
        }
    }
    let mut best = 0;
    for (number, sum) in sums.iter().enumerate() {
        if *sum < sums[best] {
            best = number;
        }
    }
    best
}

/// The sums of x\[t - i\] x\[t - j\] over the frames that have eight before them, for i <= j, row by row; and the floor.
fn moments(samples: &Channel) -> [f64; MOMENTS] {
    // Backwards, so that what lies before a frame follows it.
    let mut backwards = [0.0; CHUNK_FRAMES];
    for (value, sample) in backwards.iter_mut().zip(samples.iter().rev()) {
        *value = f64::from(*sample);
    }
    let mut table = [[0.0; ORDER + 1]; ORDER + 1];
    for window in backwards.windows(ORDER + 1) {
        for (sum, earlier) in table[0].iter_mut().zip(window) {
            *sum += window[0] * earlier;
        }
    }
    // One row further, everything is a frame earlier: one product enters, one leaves.
    for row in 1..=ORDER {
        for column in row..=ORDER {
            let entering = backwards[FRAMES - 1 + row] * backwards[FRAMES - 1 + column];
            let leaving = backwards[row - 1] * backwards[column - 1];
            table[row][column] = table[row - 1][column - 1] + entering - leaving;
        }
    }
    let mut moments = [FLOOR; MOMENTS];
    let upper = table.iter().enumerate().flat_map(|(row, sums)| &sums[row..]);
    for (moment, sum) in moments.iter_mut().zip(upper) {
        *moment = *sum;
    }
    moments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_the_sums_of_products() {
        let samples: Channel = core::array::from_fn(|n| i32::try_from(n * n * 31 % 257).unwrap() - 128);
        let value = |place: usize| f64::from(samples[place]);
        let mut expected = Vec::new();
        for i in 0..=ORDER {
            for j in i..=ORDER {
                expected.push((ORDER..CHUNK_FRAMES).map(|t| value(t - i) * value(t - j)).sum());
            }
        }
        expected.push(FLOOR);
        assert_eq!(moments(&samples).to_vec(), expected);
    }
}

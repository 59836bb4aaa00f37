//! The predictors that both sides know, and what the encoder needs to choose among them: all of it worked out by the
//! compiler from the reflection coefficients of [`trained`](super::trained).

use super::trained::{LEAVES, ROOTS};

/// Earlier samples that a predictor looks at.
pub(super) const ORDER: usize = 8;

/// Predictors that are compared at a time.
pub(super) const GROUP: usize = 16;

/// Products of coefficients that the energy of a residual needs, and one for the part that does not depend on the signal.
pub(super) const MOMENTS: usize = (ORDER + 1) * (ORDER + 2) / 2 + 1;

/// Fraction bits of the reflection coefficients, and of what is computed from them.
const REFLECTION_BITS: u32 = 20;

/// Fraction bits of the taps. Eight of them sum to less than 2^8 by the binomial theorem, so that a prediction from
/// samples of 25 bits stays below 2^(8 + 16 + 25).
pub(super) const TAP_BITS: u32 = 16;

/// The most bits by which a Rice parameter is widened.
const WIDENING_MAX: u32 = 15;

/// One spectrum's predictors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Predictor {
    /// For order 0 to 8 the taps, of the newest sample first; those beyond the order are zero.
    pub(super) taps: [[i32; ORDER]; ORDER + 1],
    /// For order 0 to 7: how many bits larger the residual is expected to be than that of order 8.
    pub(super) widening: [u32; ORDER],
}

/// 16 predictors side by side: each moment's weight in the cost of each.
pub(super) type Costs = [[f64; GROUP]; MOMENTS];

/// All predictors, those of one root beside each other.
pub(super) static PREDICTORS: [Predictor; GROUP * GROUP] = predictors();

/// What the predictors in the middle of each group cost.
pub(super) static ROOT_COSTS: Costs = costs(&ROOTS, 0);

/// What the predictors of each group cost.
pub(super) static LEAF_COSTS: [Costs; GROUP] = leaf_costs();

const fn predictors() -> [Predictor; GROUP * GROUP] {
    let mut all = [Predictor { taps: [[0; ORDER]; ORDER + 1], widening: [0; ORDER] }; GROUP * GROUP];
    let mut number = 0;
    while number < all.len() {
        all[number] = predictor(&LEAVES[number]);
        number += 1;
    }
    all
}

/// The recursion from reflection coefficients to taps, order by order, in integers.
const fn predictor(reflections: &[i32; ORDER]) -> Predictor {
    let mut taps = [[0; ORDER]; ORDER + 1];
    // The filter that gives the residual: one, and the negated taps.
    let mut filter = [0_i64; ORDER + 1];
    filter[0] = 1 << REFLECTION_BITS;
    let mut order = 1;
    while order <= ORDER {
        let reflection = reflections[order - 1] as i64;
        let before = filter;
        let mut tap = 1;
        while tap <= order {
            let folded = reflection * before[order - tap];
            filter[tap] = before[tap] + ((folded + (1 << (REFLECTION_BITS - 1))) >> REFLECTION_BITS);
            taps[order][tap - 1] = tap_from_filter(filter[tap]);
            tap += 1;
        }
        order += 1;
    }
    Predictor { taps, widening: widening(reflections) }
}

#[expect(clippy::cast_possible_truncation, reason = "below 2^8 with 16 fraction bits")]
const fn tap_from_filter(value: i64) -> i32 {
    const DROPPED: u32 = REFLECTION_BITS - TAP_BITS;
    ((-value + (1 << (DROPPED - 1))) >> DROPPED) as i32
}

/// Each reflection takes its square's share of what the order before has left.
const fn widening(reflections: &[i32; ORDER]) -> [u32; ORDER] {
    let mut widening = [0; ORDER];
    let mut energy = 1.0;
    let mut order = ORDER;
    while order > 0 {
        order -= 1;
        let reflection = reflections[order] as f64 / (1_u32 << REFLECTION_BITS) as f64;
        energy /= 1.0 - reflection * reflection;
        let mut rest = energy;
        // A bit is a factor of four in energy, to the nearest.
        while rest >= 2.0 && widening[order] < WIDENING_MAX {
            rest /= 4.0;
            widening[order] += 1;
        }
    }
    widening
}

const fn leaf_costs() -> [Costs; GROUP] {
    let mut all = [[[0.0; GROUP]; MOMENTS]; GROUP];
    let mut group = 0;
    while group < GROUP {
        all[group] = costs(&LEAVES, group * GROUP);
        group += 1;
    }
    all
}

/// The weights of 16 predictors from `first`. A predictor's cost is the energy that it leaves, as a quadratic form of the
/// signal's moments, times a factor for the bits that its first frames need beyond the others.
const fn costs(reflections: &[[i32; ORDER]], first: usize) -> Costs {
    let mut costs = [[0.0; GROUP]; MOMENTS];
    let mut number = 0;
    while number < GROUP {
        let Predictor { taps, widening } = predictor(&reflections[first + number]);
        let mut filter = [1.0; ORDER + 1];
        let mut tap = 0;
        while tap < ORDER {
            filter[tap + 1] = -(taps[ORDER][tap] as f64) / (1_u32 << TAP_BITS) as f64;
            tap += 1;
        }
        let factor = factor(&widening);
        let mut moment = 0;
        let mut row = 0;
        while row <= ORDER {
            let mut column = row;
            while column <= ORDER {
                let both = if row == column { 1.0 } else { 2.0 };
                costs[moment][number] = factor * both * filter[row] * filter[column];
                moment += 1;
                column += 1;
            }
            row += 1;
        }
        costs[moment][number] = factor;
        number += 1;
    }
    costs
}

/// 64 frames' bits are 32 times the logarithm of their energy, so one bit more is the 32nd root of two.
const fn factor(widening: &[u32; ORDER]) -> f64 {
    const ROOT_32_OF_TWO: f64 = 1.021_897_148_654_116_7;
    let mut factor = 1.0;
    let mut order = 0;
    while order < ORDER {
        let mut bit = 0;
        while bit < widening[order] {
            factor *= ROOT_32_OF_TWO;
            bit += 1;
        }
        order += 1;
    }
    factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflections_become_the_taps_of_their_recursion() {
        // One reflection of -1/2, then 1/4: the taps 1/2, then 1/2 + 1/8 and -1/4.
        let half = 1 << (REFLECTION_BITS - 1);
        let predictor = predictor(&[-half, half / 2, 0, 0, 0, 0, 0, 0]);
        let one = 1 << TAP_BITS;
        assert_eq!(predictor.taps[0], [0; ORDER]);
        assert_eq!(predictor.taps[1][..2], [one / 2, 0]);
        assert_eq!(predictor.taps[2][..3], [one / 2 + one / 8, -one / 4, 0]);
        assert_eq!(predictor.taps[8][..3], [one / 2 + one / 8, -one / 4, 0]);
        // 1 / ((1 - 1/4)(1 - 1/16)) is less than two, which would be half a bit.
        assert_eq!(predictor.widening, [0; ORDER]);
    }

    #[test]
    fn no_prediction_leaves_its_bounds() {
        for (number, Predictor { taps, widening }) in PREDICTORS.iter().enumerate() {
            for (order, taps) in taps.iter().enumerate() {
                let sum: i64 = taps.iter().map(|tap| i64::from(tap.abs())).sum();
                assert!(sum < 1 << (8 + TAP_BITS), "predictor {number} of order {order}");
                assert!(taps[order..].iter().all(|tap| *tap == 0));
            }
            assert!(widening.is_sorted_by(|longer, shorter| longer >= shorter));
            assert!(widening[0] <= WIDENING_MAX);
        }
    }

    #[test]
    fn every_spectrum_is_there_once() {
        let mut leaves = LEAVES;
        leaves.sort_unstable();
        assert!(leaves.windows(2).all(|two| two[0] != two[1]));
        assert!(leaves.iter().flatten().all(|reflection| reflection.abs() < 1 << REFLECTION_BITS));
    }
}

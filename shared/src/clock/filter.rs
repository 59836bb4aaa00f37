//! A Kalman filter of a line's errors.
//!
//! State 0 is an offset in microseconds, state 1 its rate in ppm (which is microseconds a second), and further states
//! are constants that an observation may contain. The means live outside: whoever owns the line folds each correction
//! into it, so that the expected error is always zero and only the covariance is kept here.

/// The covariance of the errors, in microseconds and ppm.
#[derive(Clone, Debug)]
pub(super) struct Filter<const STATES: usize> {
    covariance: [[f64; STATES]; STATES],
}

impl<const STATES: usize> Filter<STATES> {
    /// A filter whose errors are as unsure as `covariance` says.
    pub(super) const fn new(covariance: [[f64; STATES]; STATES]) -> Self {
        Self { covariance }
    }

    /// Lets `seconds` pass while the rate wanders by `wander_ppm` in a second's square root.
    pub(super) fn predict(&mut self, seconds: f64, wander_ppm: f64) {
        let p = &mut self.covariance;
        let power = wander_ppm * wander_ppm;
        let rate_row = p[1];
        for (cell, rate) in p[0].iter_mut().zip(rate_row) {
            *cell += seconds * rate;
        }
        for row in p.iter_mut() {
            row[0] += seconds * row[1];
        }
        p[0][0] += power * seconds.powi(3) / 3.0;
        p[0][1] += power * seconds.powi(2) / 2.0;
        p[1][0] += power * seconds.powi(2) / 2.0;
        p[1][1] += power * seconds;
    }

    /// Adds doubt to what states `first` and `second` have in common.
    pub(super) fn doubt(&mut self, first: usize, second: usize, variance: f64) {
        self.covariance[first][second] += variance;
        if first != second {
            self.covariance[second][first] += variance;
        }
    }

    /// Takes one observation: it is `row` times the errors, plus noise of `variance`, and it came out as `innovation`.
    /// Returns what to add to each state.
    pub(super) fn correct(&mut self, row: &[f64; STATES], innovation: f64, variance: f64) -> [f64; STATES] {
        let cross = self.covariance.map(|of_state| dot(&of_state, row));
        let total = dot(&cross, row) + variance;
        for (of_state, left) in self.covariance.iter_mut().zip(cross) {
            for (cell, right) in of_state.iter_mut().zip(cross) {
                *cell -= left * right / total;
            }
        }
        cross.map(|gain| gain * innovation / total)
    }

    /// The variance of `row` times the errors, before any noise.
    pub(super) fn variance_of(&self, row: &[f64; STATES]) -> f64 {
        dot(&self.covariance.map(|of_state| dot(&of_state, row)), row).max(0.0)
    }

    /// The variance of one state.
    pub(super) fn variance(&self, state: usize) -> f64 {
        self.covariance[state][state].max(0.0)
    }
}

fn dot<const STATES: usize>(left: &[f64; STATES], right: &[f64; STATES]) -> f64 {
    left.iter().zip(right).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_line_is_learned_from_two_points() {
        let mut filter = Filter::new([[1e12, 0.0], [0.0, 1e4]]);
        let (mut offset, mut rate) = (0.0, 0.0);
        for second in 0..4 {
            let truth = 7.0 + 3.0 * f64::from(second);
            let [by, turn] = filter.correct(&[1.0, 0.0], truth - offset, 1e-6);
            (offset, rate) = (offset + by, rate + turn);
            filter.predict(1.0, 0.0);
            offset += rate;
        }
        assert!((rate - 3.0).abs() < 1e-3, "{rate}");
        assert!((offset - 19.0).abs() < 1e-2, "{offset}");
    }

    #[test]
    fn waiting_makes_the_offset_unsure_and_an_observation_makes_it_sure_again() {
        let mut filter = Filter::new([[1.0, 0.0], [0.0, 0.01]]);
        filter.predict(60.0, 0.01);
        let unsure = filter.variance(0);
        assert!(unsure > 36.0, "{unsure}");
        filter.correct(&[1.0, 0.0], 0.0, 1.0);
        assert!(filter.variance(0) < 1.0);
    }
}

//! Every frame is the frame that was sent.

use lockstep_tests::figures::Length;
use lockstep_tests::figures::oracle::oracle_figures;

#[test]
fn every_frame_is_the_frame_that_was_sent() {
    let fell_short: Vec<_> =
        oracle_figures(Length::Quick).into_iter().filter(|figure| !figure.holds()).collect();
    assert!(fell_short.is_empty(), "{fell_short:#?}");
}

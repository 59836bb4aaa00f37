//! Crystals that disagree.

use lockstep_tests::figures::Length;
use lockstep_tests::figures::drift::drift_figures;

#[test]
fn devices_200_ppm_apart_stay_aligned_without_a_gap() {
    let mut fell_short = Vec::new();
    for figure in drift_figures(Length::Quick) {
        println!("{figure}");
        if !figure.holds() {
            fell_short.push(figure.to_string());
        }
    }
    assert!(fell_short.is_empty(), "{fell_short:#?}");
}

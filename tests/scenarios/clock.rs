//! The clocks reach their figures on every family of paths, and survive what happens to clocks.

use lockstep_tests::figures::Length;
use lockstep_tests::figures::clock::clock_figures;

#[test]
fn every_figure_of_the_clocks_holds() {
    let figures = clock_figures(Length::Quick);
    for figure in &figures {
        println!("{figure}");
    }
    let short: Vec<String> =
        figures.iter().filter(|figure| !figure.holds()).map(ToString::to_string).collect();
    assert!(short.is_empty(), "{}", short.join("\n"));
}

//! A short run of the fuzzer.

#[test]
fn heaps_agree_with_the_second_model() {
    for seed in 1..=3 {
        if let Err(failure) = segheap_second_model::run(seed, 100_000, |_| {}) {
            panic!("{failure}");
        }
    }
}

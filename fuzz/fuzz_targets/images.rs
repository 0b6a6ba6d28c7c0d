#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| segheap_fuzz::fuzz::images(bytes));

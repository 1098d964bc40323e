#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| internvit_fuzz::config(data));

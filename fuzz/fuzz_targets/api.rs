#![no_main]

#[path = "../../server/tests/hostile/api.rs"]
mod api;

libfuzzer_sys::fuzz_target!(|data: &[u8]| api::api(data));

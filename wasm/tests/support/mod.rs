#![allow(
    dead_code,
    missing_docs,
    missing_debug_implementations,
    unreachable_pub,
    reason = "each test uses a part"
)]

pub mod calls;
pub mod compare;
pub mod guest;
pub mod heap;
pub mod rng;

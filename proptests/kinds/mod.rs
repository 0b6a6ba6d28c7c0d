//! Each kind against a naive twin: random programs, illegal arguments included,
//! whose answers and whose errors have to be those of a vector, a string, an
//! association list or a big integer.

mod arrays;
mod integers;
mod lives;
mod tables;
mod texts;

//! Each kind against a reference model: a vector, a string, an association list or
//! a big integer. Random programs, with invalid arguments among them, must return
//! the results and errors of the model.

mod arithmetic;
mod arrays;
mod direct;
pub mod integers;
mod lifecycle;
mod naive;
mod records;
mod tables;
mod texts;

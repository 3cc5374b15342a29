//! What all methods share: the attempt that a login is until it ends, where it leads, and its end.

pub mod attempt;
pub mod finish;
pub mod pending;
pub mod return_to;

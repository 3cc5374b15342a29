//! What all methods share: the attempt that a login is until it ends, where it leads, and its end.

pub mod app_attempt;
pub mod attempt;
pub mod challenge;
pub mod confirmation;
pub mod finish;
pub mod hand_back;
pub mod hand_over;
pub mod pending;
pub mod return_to;
mod sealed_fields;

//! What an administrator may say and see: users, identities, merges, imports, policies, the audit log.
//!
//! In reading order: [`credentials`] is who may, [`fields`] what a field may hold, [`user`] and [`identity`] what is said and shown,
//! [`draft`] what was asked for, in order, [`merge`] what two accounts become, [`import`] how a file is read, [`policies`] and [`audit`]
//! what they say, [`page`] how lists are read on. Nothing here knows HTTP or a store.

pub mod audit;
pub mod credentials;
pub mod draft;
pub mod fields;
pub mod identity;
pub mod import;
pub mod merge;
pub mod page;
pub mod policies;
pub mod user;

pub use credentials::{Admins, AdminsError};

//! Passwords: Argon2id with the least parameters that OWASP's Password Storage Cheat Sheet allows. What has no password
//! costs as much time as a wrong one, so time does not tell which accounts there are.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, Salt};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;

use crate::ids::{self, EntropyError};

/// The longest password, in characters: longer ones are no better, and cost time.
pub const LONGEST: usize = 256;

/// How much of the machine's memory one hash takes, in KiB, and how often it goes through it.
const PARAMETERS: (u32, u32, u32) = (19 * 1024, 2, 1);

/// How many are hashed at once: each takes 19 MiB and a processor.
const AT_ONCE: usize = 4;

/// What stands in for the hash of an account that has none: random bytes, of which nobody knows a password.
const HASH_OF_NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$9J+SeIFHh66ymCGahP5owQ$nug1CNYvuODHcT0ES/l/407DANLANd2N+oRXrU6Cm2A";

/// Hashes and verifies passwords, a few at a time.
#[derive(Debug)]
pub struct Passwords {
    places: Arc<Semaphore>,
}

/// A password could not be hashed or verified. Holds no password.
#[derive(Debug)]
pub enum PasswordError {
    /// The operating system gave no random bytes.
    Entropy(EntropyError),
    /// The hash could not be made.
    Hash,
}

impl Passwords {
    /// What to store of a password: a PHC string.
    pub async fn hash(&self, password: &str) -> Result<String, PasswordError> {
        let password = password.to_owned();
        self.work(move || hash(&password)).await?
    }

    /// Whether the password is the one of which `stored` is kept. Without one it takes the same time, and is false.
    pub async fn verify(&self, password: &str, stored: Option<String>) -> Result<bool, PasswordError> {
        let is_there = stored.is_some();
        let (password, stored) = (password.to_owned(), stored.unwrap_or_else(|| HASH_OF_NOBODY.to_owned()));
        let is_right = self.work(move || verify(&password, &stored)).await?;
        Ok(is_right && is_there)
    }

    async fn work<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordError> {
        let place = self.places.clone().acquire_owned().await.map_err(|_| PasswordError::Hash)?;
        let done = tokio::task::spawn_blocking(move || {
            let _place = place;
            work()
        });
        done.await.map_err(|_| PasswordError::Hash)
    }
}

fn argon2id() -> Result<Argon2<'static>, PasswordError> {
    let (memory, passes, lanes) = PARAMETERS;
    let parameters = Params::new(memory, passes, lanes, None).map_err(|_| PasswordError::Hash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, parameters))
}

fn hash(password: &str) -> Result<String, PasswordError> {
    let salt = ids::random_bytes::<16>()?;
    let salt = argon2::password_hash::SaltString::encode_b64(&salt).map_err(|_| PasswordError::Hash)?;
    let hash = argon2id()?.hash_password(password.as_bytes(), Salt::from(&salt)).map_err(|_| PasswordError::Hash)?;
    Ok(hash.to_string())
}

/// The parameters are those of the stored hash, so that old and imported ones go on working.
fn verify(password: &str, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else {
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), &stored).is_ok()
}

impl Default for Passwords {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl From<EntropyError> for PasswordError {
    fn from(error: EntropyError) -> Self {
        Self::Entropy(error)
    }
}

impl std::fmt::Display for PasswordError {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entropy(error) => write!(out, "no random bytes: {error}"),
            Self::Hash => write!(out, "a password could not be hashed"),
        }
    }
}

impl std::error::Error for PasswordError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_for_its_own_hash_alone() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct horse 电池").await.unwrap();
        let parameters = "$argon2id$v=19$m=19456,t=2,p=1$";
        assert!(stored.starts_with(parameters) && HASH_OF_NOBODY.starts_with(parameters), "{stored}");
        assert_eq!(stored.len(), HASH_OF_NOBODY.len());
        assert!(PasswordHash::new(HASH_OF_NOBODY).is_ok(), "else it would cost no time");
        assert_ne!(stored, passwords.hash("correct horse 电池").await.unwrap(), "each has its own salt");
        assert!(passwords.verify("correct horse 电池", Some(stored.clone())).await.unwrap());
        for wrong in ["", "correct horse", "Correct horse 电池"] {
            assert!(!passwords.verify(wrong, Some(stored.clone())).await.unwrap(), "{wrong}");
        }
    }

    #[tokio::test]
    async fn no_password_is_right_where_there_is_none() {
        let passwords = Passwords::default();
        assert!(!passwords.verify("", None).await.unwrap());
        assert!(!passwords.verify("x", Some("not a hash".to_owned())).await.unwrap());
        assert!(!passwords.verify("x", Some(String::new())).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_with_other_parameters_goes_on_working() {
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
        let salt = argon2::password_hash::SaltString::encode_b64(&[7; 16]).unwrap();
        let stored = weak.hash_password(b"secret", &salt).unwrap().to_string();
        assert!(Passwords::default().verify("secret", Some(stored)).await.unwrap());
    }
}

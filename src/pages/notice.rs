//! What became of the last answer to a pending login, in words.

/// What became of the last answer to a pending login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// The code or the password is wrong, or nobody has that account: the words do not tell which.
    WrongProof {
        /// How many wrong answers are left; 1 or more, for at 0 the login is over.
        tries_left: u32,
    },
    /// A code was sent a moment ago.
    TooSoon {
        /// When another one may be asked for.
        seconds: u64,
    },
    /// No more codes for now.
    TooMany,
    /// That is no phone number, or no e-mail address.
    InvalidAddress,
    /// The policy does not offer this.
    NotOffered,
    /// A code is on its way, if an account has that address.
    CodeSent,
}

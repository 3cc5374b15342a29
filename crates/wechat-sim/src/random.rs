//! Random strings in the alphabets that WeChat uses.

use rand::RngExt;

const BASE64URL: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const LOWER_HEX: &[u8] = b"0123456789abcdef";

/// Codes and QR uuids.
pub(crate) fn alphanumeric(length: usize) -> String {
    from_alphabet(ALPHANUMERIC, length)
}

/// The tail of tokens.
pub(crate) fn base64url(length: usize) -> String {
    from_alphabet(BASE64URL, length)
}

/// A group of a `rid`.
pub(crate) fn lower_hex(length: usize) -> String {
    from_alphabet(LOWER_HEX, length)
}

/// Nonces and echostrs: like numbers, so the first is not 0.
pub(crate) fn digits(length: usize) -> String {
    format!("{}{}", from_alphabet(b"123456789", 1), from_alphabet(b"0123456789", length.saturating_sub(1)))
}

/// Keys, and what stands before they are encoded.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    rand::rng().random()
}

fn from_alphabet(alphabet: &[u8], length: usize) -> String {
    let mut rng = rand::rng();
    (0..length).filter_map(|_| alphabet.get(rng.random_range(0..alphabet.len()))).map(|&byte| char::from(byte)).collect()
}

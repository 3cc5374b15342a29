//! `encryptedData` and what else a mini program's session key is for (WeChat docs, "Open data verification and
//! decryption").

use aes::Aes128;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::{CryptoError, blocks, hex, sha1_hex};

const BLOCK: u8 = 16;

/// AES-128-CBC under the decoded session key, padded to 16, in base64.
pub fn encrypt(session_key: &str, iv: &str, plaintext: &str) -> Result<String, CryptoError> {
    let mut data = plaintext.as_bytes().to_vec();
    blocks::pad(&mut data, BLOCK);
    blocks::encrypt::<cbc::Encryptor<Aes128>>(&decode(session_key)?, &decode(iv)?, &mut data)?;
    Ok(STANDARD.encode(data))
}

/// What a server makes of `encryptedData`.
pub fn decrypt(session_key: &str, iv: &str, encrypted_data: &str) -> Result<Vec<u8>, CryptoError> {
    let mut data = STANDARD.decode(encrypted_data).map_err(|_| CryptoError::Ciphertext)?;
    blocks::decrypt::<cbc::Decryptor<Aes128>>(&decode(session_key)?, &decode(iv)?, &mut data)?;
    blocks::unpad(&data, BLOCK).map(<[u8]>::to_vec)
}

/// The `signature` beside `rawData`: the session key goes in as text.
pub fn raw_data_signature(raw_data: &str, session_key: &str) -> String {
    sha1_hex(&[raw_data, session_key])
}

/// The `signature` of `wxa/checksession`: the session key as text is the key.
pub fn session_signature(session_key: &str, message: &str) -> Result<String, CryptoError> {
    let mut mac = Hmac::<Sha256>::new_from_slice(session_key.as_bytes()).map_err(|_| CryptoError::Key)?;
    mac.update(message.as_bytes());
    Ok(hex(&mac.finalize().into_bytes()))
}

fn decode(text: &str) -> Result<Vec<u8>, CryptoError> {
    STANDARD.decode(text).map_err(|_| CryptoError::Key)
}

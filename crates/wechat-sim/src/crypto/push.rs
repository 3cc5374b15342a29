//! WXBizMsgCrypt: how pushed messages and their replies are encrypted and signed (WeChat docs, "Message encryption and
//! decryption").

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{CryptoError, blocks, sha1_hex};

/// Not AES's 16.
const BLOCK: u8 = 32;
const RANDOM: usize = 16;

/// The 43rd character of a key may carry bits that belong to nothing; Tencent's own sample key does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Encrypts `message` for `appid`; `random` is 16 bytes.
pub fn encrypt(encoding_aes_key: &str, random: &str, message: &str, appid: &str) -> Result<String, CryptoError> {
    let key = Key::decode(encoding_aes_key)?;
    let length = u32::try_from(message.len()).map_err(|_| CryptoError::Length)?;
    let mut data = [random.as_bytes(), &length.to_be_bytes(), message.as_bytes(), appid.as_bytes()].concat();
    blocks::pad(&mut data, BLOCK);
    blocks::encrypt::<cbc::Encryptor<Aes256>>(&key.0, key.iv(), &mut data)?;
    Ok(STANDARD.encode(data))
}

/// Decrypts what was encrypted for `appid`, and for no other.
pub fn decrypt(encoding_aes_key: &str, encrypted: &str, appid: &str) -> Result<String, CryptoError> {
    let key = Key::decode(encoding_aes_key)?;
    let mut data = STANDARD.decode(encrypted).map_err(|_| CryptoError::Ciphertext)?;
    blocks::decrypt::<cbc::Decryptor<Aes256>>(&key.0, key.iv(), &mut data)?;
    let data = blocks::unpad(&data, BLOCK)?;
    let (_random, rest) = data.split_at_checked(RANDOM).ok_or(CryptoError::Length)?;
    let (length, rest) = rest.split_first_chunk::<4>().ok_or(CryptoError::Length)?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| CryptoError::Length)?;
    let (message, receiver) = rest.split_at_checked(length).ok_or(CryptoError::Length)?;
    if receiver != appid.as_bytes() {
        return Err(CryptoError::AppId);
    }
    String::from_utf8(message.to_vec()).map_err(|_| CryptoError::Ciphertext)
}

/// `signature` over token, timestamp and nonce; with the ciphertext as a fourth part, `msg_signature`. The parts are
/// sorted by their bytes.
pub fn signature(parts: &[&str]) -> String {
    let mut sorted = parts.to_vec();
    sorted.sort_unstable();
    sha1_hex(&sorted)
}

/// 43 letters and digits that stand for 32 bytes.
pub fn is_encoding_aes_key(text: &str) -> bool {
    Key::decode(text).is_ok()
}

struct Key([u8; 32]);

impl Key {
    fn decode(text: &str) -> Result<Self, CryptoError> {
        if text.len() != 43 || !text.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(CryptoError::Key);
        }
        let bytes = LENIENT.decode(text).map_err(|_| CryptoError::Key)?;
        bytes.try_into().map(Self).map_err(|_| CryptoError::Key)
    }

    fn iv(&self) -> &[u8] {
        self.0.split_at(16).0
    }
}

//! WXBizMsgCrypt: how WeChat encrypts and signs messages, and wants replies to be (WeChat documents, "Message encryption
//! and decryption"). AES-256-CBC under the EncodingAESKey, whose first 16 bytes are the IV, over
//! `random(16) ‖ length(4) ‖ message ‖ app id`, padded to blocks of 32.

use aes::Aes256;
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sha1::{Digest, Sha1};
use subtle::ConstantTimeEq;

use crate::wechat::blocks;

/// Not AES's 16: an ordinary check would refuse half of all messages.
const BLOCK: u8 = 32;

const RANDOM: usize = 16;

/// The 43rd character of a key may carry bits that belong to nothing; the key of Tencent's own samples does.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// A decoded EncodingAESKey.
#[derive(Clone)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// `None` for anything but 43 characters of base64.
    pub(super) fn parse(encoding_aes_key: &str) -> Option<Self> {
        LENIENT.decode(encoding_aes_key).ok()?.try_into().map(Self).ok()
    }

    /// The message that was encrypted for this app. One answer, `None`, for whatever else it is.
    pub(super) fn decrypt(&self, encrypted: &[u8], app_id: &str) -> Option<Vec<u8>> {
        let data = STANDARD.decode(encrypted).ok()?;
        let data = blocks::decrypted::<cbc::Decryptor<Aes256>>(&self.0, self.iv(), data)?;
        let (data, is_padded) = blocks::unpadded(&data, BLOCK);
        let (_random, rest) = data.split_at_checked(RANDOM)?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (message, receiver) = rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
        bool::from(is_padded & receiver.ct_eq(app_id.as_bytes())).then(|| message.to_vec())
    }

    /// `None` only for a message of 4 GiB.
    pub(super) fn encrypt(&self, random: [u8; RANDOM], message: &[u8], app_id: &str) -> Option<String> {
        let length = u32::try_from(message.len()).ok()?;
        let data = [&random[..], &length.to_be_bytes(), message, app_id.as_bytes()].concat();
        blocks::encrypted::<cbc::Encryptor<Aes256>>(&self.0, self.iv(), data, BLOCK).map(|data| STANDARD.encode(data))
    }

    fn iv(&self) -> &[u8] {
        self.0.first_chunk::<16>().map_or(&[], |iv| iv)
    }
}

/// SHA-1 over the parts, sorted by their bytes, in lower-case hex.
pub(super) fn signature(parts: &[&[u8]]) -> String {
    // There are three or four: the standard library's sort is 3 kB of the module for each type.
    let (mut left, mut hash) = (parts.to_vec(), Sha1::new());
    while let Some((at, part)) = left.iter().copied().enumerate().min_by_key(|(_, part)| *part) {
        hash.update(part);
        left.swap_remove(at);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether `given` is the signature of the parts, in a time that says nothing of where they differ.
pub(super) fn is_signature(given: &[u8], parts: &[&[u8]]) -> bool {
    signature(parts).as_bytes().ct_eq(given).into()
}

#[cfg(test)]
pub(in crate::wechat::message_push) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A vector's value; `\n` in it stands for a line feed.
    pub(in crate::wechat::message_push) fn vector(name: &str) -> String {
        let prefix = format!("{name} = ");
        let mut lines = include_str!("vectors.txt").lines();
        let value = lines.find_map(|line| line.strip_prefix(&prefix)).unwrap_or_else(|| panic!("no vector {name}"));
        value.replace("\\n", "\n")
    }

    fn key(name: &str) -> Key {
        Key::parse(&vector(name)).unwrap()
    }

    fn random(name: &str) -> [u8; RANDOM] {
        vector(name).as_bytes().try_into().unwrap()
    }

    fn signed(parts: &[&str]) -> String {
        signature(&parts.iter().map(|part| part.as_bytes()).collect::<Vec<_>>())
    }

    /// Each message decrypts to what Tencent says, and encrypts to the same bytes. Pads 7, 7, 2, 19 and 1.
    #[test]
    fn messages_are_encrypted_as_tencents_samples_are() {
        let reply_key = "V5.encodingAESKey";
        for (encoding_aes_key, app_id, random16, message, encrypted) in [
            ("V3.encodingAESKey", "V3.appid", "V3.random16", "V3.msg", "V3.encrypt"),
            ("V3.encodingAESKey", "V3.appid", "V3.random16", "V3L.msg", "V3L.encrypt"),
            ("V4.encodingAESKey", "V4.appid", "V4.random16", "V4.msg", "V4.encrypt"),
            (reply_key, "V5.appid", "V5.random16", "V5.msg", "V5.encrypt"),
            (reply_key, "V5.appid", "V5.reply_random16", "V5.reply_msg", "V5.reply_encrypt"),
        ] {
            let (key, app_id, message, encrypted) = (key(encoding_aes_key), vector(app_id), vector(message), vector(encrypted));
            assert_eq!(key.decrypt(encrypted.as_bytes(), &app_id).as_deref(), Some(message.as_bytes()), "{message}");
            assert_eq!(key.encrypt(random(random16), message.as_bytes(), &app_id), Some(encrypted), "{message}");
        }
        let padding = |encrypted: &str| {
            let Key(bytes) = key(reply_key);
            let data = STANDARD.decode(vector(encrypted)).unwrap();
            *blocks::decrypted::<cbc::Decryptor<Aes256>>(&bytes, &bytes[..16], data).unwrap().last().unwrap()
        };
        assert_eq!((padding("V5.encrypt"), padding("V5.reply_encrypt")), (19, 1));
    }

    #[test]
    fn the_sample_key_has_trailing_bits_and_is_what_tencent_makes_of_it() {
        let Key(bytes) = key("V3.encodingAESKey");
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, vector("V3.aes_key_hex"));
        for wrong in ["", "abc", &vector("V3.encodingAESKey")[1..], &format!("{}=", vector("V3.encodingAESKey"))] {
            assert!(Key::parse(wrong).is_none(), "{wrong}");
        }
    }

    /// The fourth part sorts wherever its first character puts it: V5's begins with `+`, before the digits.
    #[test]
    fn signatures_are_those_of_tencents_samples() {
        for (parts, expected) in [
            (&["V3.token", "V3.timestamp", "V3.nonce"][..], "V3.signature"),
            (&["V3.token", "V3.timestamp", "V3.nonce", "V3.encrypt"], "V3.msg_signature"),
            (&["V4.token", "V4.timestamp", "V4.nonce"], "V4.signature"),
            (&["V4.token", "V4.timestamp", "V4.nonce", "V4.encrypt"], "V4.msg_signature"),
            (&["V5.token", "V5.verify.timestamp", "V5.verify.nonce"], "V5.verify.signature"),
            (&["V5.token", "V5.plainmode.timestamp", "V5.plainmode.nonce"], "V5.plainmode.signature"),
            (&["V5.token", "V5.timestamp", "V5.nonce"], "V5.signature"),
            (&["V5.token", "V5.timestamp", "V5.nonce", "V5.encrypt"], "V5.msg_signature"),
            (&["V5.token", "V5.reply_timestamp", "V5.reply_nonce", "V5.reply_encrypt"], "V5.reply_msg_signature"),
        ] {
            let parts: Vec<_> = parts.iter().map(|name| vector(name)).collect();
            let parts: Vec<_> = parts.iter().map(String::as_str).collect();
            assert_eq!(signed(&parts), vector(expected), "{expected}");
            let parts: Vec<_> = parts.iter().map(|part| part.as_bytes()).collect();
            assert!(is_signature(vector(expected).as_bytes(), &parts));
            for wrong in [vector(expected).to_uppercase(), vector(expected)[1..].to_owned(), String::new()] {
                assert!(!is_signature(wrong.as_bytes(), &parts), "{wrong}");
            }
        }
    }

    /// Encrypts a whole plaintext, right or wrong.
    fn sealed(plain: &[u8]) -> String {
        let Key(bytes) = key("V3.encodingAESKey");
        let mut data = blocks::encrypted::<cbc::Encryptor<Aes256>>(&bytes, &bytes[..16], plain.to_vec(), BLOCK).unwrap();
        data.truncate(plain.len());
        STANDARD.encode(data)
    }

    fn plain(length: u32, inner: &[u8], padding: &[u8]) -> Vec<u8> {
        [b"aaaabbbbccccdddd", &length.to_be_bytes()[..], inner, padding].concat()
    }

    #[test]
    fn what_is_not_whole_is_nothing() {
        let opened = |plain: &[u8]| key("V3.encodingAESKey").decrypt(sealed(plain).as_bytes(), "wx1");
        // 16 + 4 + 6 + 3 bytes, and 3 of padding.
        assert_eq!(opened(&plain(6, b"abcdefwx1", &[3; 3])).as_deref(), Some(&b"abcdef"[..]));
        for (length, padding) in [(7, 3), (0, 3), (5, 3), (u32::MAX, 3), (0x8000_0000, 3), (i32::MAX as u32, 3), (6, 0), (6, 33), (6, 255)]
        {
            let mut padded = plain(length, b"abcdefwx1", &[3; 3]);
            padded[31] = padding;
            assert_eq!(opened(&padded), None, "length {length}, padding {padding}");
        }
        let uneven = [
            // It fills its blocks, and nothing is left for a padding.
            plain(9, b"abcdefghiwx1", &[]),
            plain(6, b"abcdefwx1", &[1, 2, 3]),
            vec![32; 32],
            vec![16; 16],
            plain(6, b"abcdefwx2", &[3; 3]),
            plain(6, b"abcdefwx", &[4; 4]),
        ];
        for plain in uneven {
            assert_eq!(opened(&plain), None, "{plain:?}");
        }
        let good = sealed(&plain(6, b"abcdefwx1", &[3; 3]));
        let key = key("V3.encodingAESKey");
        for bad in ["", "=", "====", &good[4..], &good[..good.len() - 4], &good.replace('=', ""), &format!("{good}\n"), "AAAA"] {
            assert_eq!(key.decrypt(bad.as_bytes(), "wx1"), None, "{bad}");
        }
        assert!(super::tests::key("V5.encodingAESKey").decrypt(good.as_bytes(), "wx1").is_none(), "another key");
    }

    proptest! {
        #[test]
        fn what_is_encrypted_decrypts(message in proptest::collection::vec(any::<u8>(), 0..200), random in any::<[u8; 16]>(), bytes in any::<[u8; 32]>()) {
            let encrypted = Key(bytes).encrypt(random, &message, "wxb11529c136998cb6").unwrap();
            prop_assert_eq!(Key(bytes).decrypt(encrypted.as_bytes(), "wxb11529c136998cb6"), Some(message));
            prop_assert_eq!(Key(bytes).decrypt(encrypted.as_bytes(), "wxb11529c136998cb7"), None);
        }

        #[test]
        fn no_bytes_make_it_panic(data in proptest::collection::vec(any::<u8>(), 0..100), text in "[A-Za-z0-9+/=]{0,100}") {
            let key = Key([7; 32]);
            let _ = (key.decrypt(&data, "wx1"), key.decrypt(text.as_bytes(), "wx1"), key.decrypt(STANDARD.encode(&data).as_bytes(), "wx1"));
        }
    }
}

//! AES-CBC with PKCS#7 padding, as WeChat encrypts: whole blocks, and every byte of the padding has to be right.

use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use subtle::{Choice, ConstantTimeEq, ConstantTimeLess};

/// Decrypts what fills its blocks, at least one of them; padding included. `None` for another length, of key and iv too.
pub(super) fn decrypted<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], mut data: Vec<u8>) -> Option<Vec<u8>> {
    let mut cipher = C::new_from_slices(key, iv).ok()?;
    let (blocks, rest) = Array::slice_as_chunks_mut(&mut data);
    if blocks.is_empty() || !rest.is_empty() {
        return None;
    }
    cipher.decrypt_blocks(blocks);
    Some(data)
}

/// Pads to whole units of `block` bytes and encrypts. `None` for a key or an iv of another length.
pub(super) fn encrypted<C: KeyIvInit + BlockModeEncrypt>(key: &[u8], iv: &[u8], mut data: Vec<u8>, block: u8) -> Option<Vec<u8>> {
    let mut cipher = C::new_from_slices(key, iv).ok()?;
    let padding = usize::from(block) - data.len().checked_rem(block.into())?;
    data.resize(data.len() + padding, u8::try_from(padding).ok()?);
    let (blocks, _) = Array::slice_as_chunks_mut(&mut data);
    cipher.encrypt_blocks(blocks);
    Some(data)
}

/// What is left of `data` without its padding to `block` bytes, and whether that padding is right: 1 to `block` bytes, each
/// of which says how many they are. Where it is not, nothing is cut off; how long this takes depends on nothing that was
/// encrypted, and whoever asks goes on in either case, so that nobody can find out by trying.
pub(super) fn unpadded(data: &[u8], block: u8) -> (&[u8], Choice) {
    let count = data.last().copied().unwrap_or_default();
    let mut is_right = !count.ct_eq(&0) & !block.ct_lt(&count);
    for (position, byte) in (0..block).zip(data.iter().rev()) {
        is_right &= !position.ct_lt(&count) | byte.ct_eq(&count);
    }
    let padding = if bool::from(is_right) { usize::from(count) } else { 0 };
    match data.len().checked_sub(padding).and_then(|end| data.get(..end)) {
        Some(kept) => (kept, is_right),
        None => (data, Choice::from(0)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn padded(text: &[u8], count: u8) -> Vec<u8> {
        [text, &vec![count; usize::from(count)]].concat()
    }

    #[test]
    fn right_padding_is_taken_off_and_any_other_is_noticed() {
        for block in [16, 32] {
            for count in 1..=block {
                let (kept, is_right) = (padded(b"text", count), true);
                assert_eq!((unpadded(&kept, block).0, bool::from(unpadded(&kept, block).1)), (&b"text"[..], is_right), "{count}");
            }
        }
        let mut wrong_inside = padded(b"text", 9);
        wrong_inside[5] = 8;
        for wrong in [padded(b"text", 17), padded(b"text", 255), vec![0; 16], vec![16; 15], vec![], vec![2], wrong_inside] {
            let (kept, is_right) = unpadded(&wrong, 16);
            assert_eq!((kept, bool::from(is_right)), (&wrong[..], false));
        }
    }

    #[test]
    fn only_whole_blocks_are_decrypted_with_a_key_and_an_iv_of_their_size() {
        let decrypted = |key: usize, iv: usize, data: usize| {
            decrypted::<cbc::Decryptor<aes::Aes128>>(&vec![1; key], &vec![2; iv], vec![3; data]).map(|data| data.len())
        };
        assert_eq!((decrypted(16, 16, 16), decrypted(16, 16, 48)), (Some(16), Some(48)));
        for (key, iv, data) in [(16, 16, 0), (16, 16, 15), (16, 16, 17), (15, 16, 16), (24, 16, 16), (16, 12, 16), (0, 0, 0)] {
            assert_eq!(decrypted(key, iv, data), None, "{key} {iv} {data}");
        }
    }

    proptest! {
        #[test]
        fn padding_is_right_exactly_where_a_plain_reading_says_so(data in proptest::collection::vec(0u8..20, 0..40)) {
            let count = data.last().copied().unwrap_or_default();
            let is_right = (1..=16).contains(&count) && data.len() >= usize::from(count)
                && data.iter().rev().take(usize::from(count)).all(|byte| *byte == count);
            let (kept, found) = unpadded(&data, 16);
            prop_assert_eq!(bool::from(found), is_right);
            prop_assert_eq!(kept.len(), if is_right { data.len() - usize::from(count) } else { data.len() });
        }
    }
}

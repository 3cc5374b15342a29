//! AES-CBC over whole blocks, and PKCS#7 padding to any block size: WeChat's two are 16 and 32.

use cbc::cipher::array::Array;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};

use super::CryptoError;

/// Encrypts in place; what does not fill a block stays as it is, so pad before.
pub(super) fn encrypt<C: KeyIvInit + BlockModeEncrypt>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| CryptoError::Key)?;
    let (blocks, _) = Array::slice_as_chunks_mut(data);
    cipher.encrypt_blocks(blocks);
    Ok(())
}

/// Decrypts in place.
pub(super) fn decrypt<C: KeyIvInit + BlockModeDecrypt>(key: &[u8], iv: &[u8], data: &mut [u8]) -> Result<(), CryptoError> {
    let mut cipher = C::new_from_slices(key, iv).map_err(|_| CryptoError::Key)?;
    let (blocks, rest) = Array::slice_as_chunks_mut(data);
    if blocks.is_empty() || !rest.is_empty() {
        return Err(CryptoError::Ciphertext);
    }
    cipher.decrypt_blocks(blocks);
    Ok(())
}

/// Adds 1 to `block` bytes, each of which says how many they are.
pub(super) fn pad(data: &mut Vec<u8>, block: u8) {
    let block_size = usize::from(block);
    let count = block_size - data.len() % block_size;
    data.extend(std::iter::repeat_n(u8::try_from(count).unwrap_or(block), count));
}

/// What is left of `data` without its padding, all of which must be right.
pub(super) fn unpad(data: &[u8], block: u8) -> Result<&[u8], CryptoError> {
    let count = *data.last().ok_or(CryptoError::Padding)?;
    let end = data.len().checked_sub(usize::from(count)).ok_or(CryptoError::Padding)?;
    let (kept, padding) = data.split_at_checked(end).ok_or(CryptoError::Padding)?;
    let is_right = (1..=block).contains(&count) && padding.iter().all(|&byte| byte == count);
    is_right.then_some(kept).ok_or(CryptoError::Padding)
}

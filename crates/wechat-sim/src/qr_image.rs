//! QR codes as JPEG. WeChat's mini-program codes are round, which nothing but WeChat reads; here they are square.

use jpeg_encoder::{ColorType, Encoder, EncodingError};
use qrcode::types::QrError;
use qrcode::{Color, QrCode};

#[derive(Debug, thiserror::Error)]
pub(crate) enum ImageError {
    #[error("the address does not fit into a QR code: {0}")]
    Code(#[from] QrError),
    #[error("the QR code does not fit into a JPEG: {0}")]
    Jpeg(#[from] EncodingError),
}

/// A picture of about `width` pixels, with the quiet zone that scanners want.
pub(crate) fn jpeg(text: &str, width: usize) -> Result<Vec<u8>, ImageError> {
    const QUIET: usize = 4;
    let code = QrCode::new(text)?;
    let side = code.width();
    let scale = (width / (side + 2 * QUIET)).max(2);
    let mut modules = vec![vec![Color::Light; side + 2 * QUIET]; QUIET];
    for row in code.to_colors().chunks(side) {
        modules.push([&[Color::Light; QUIET], row, &[Color::Light; QUIET]].concat());
    }
    modules.extend(vec![vec![Color::Light; side + 2 * QUIET]; QUIET]);
    let pixels: Vec<u8> = modules
        .iter()
        .flat_map(|row| std::iter::repeat_n(row, scale))
        .flat_map(|row| row.iter().flat_map(|color| std::iter::repeat_n(color.select(0, 255), scale)))
        .collect();
    let side = u16::try_from((side + 2 * QUIET) * scale).unwrap_or(u16::MAX);
    let mut jpeg = Vec::new();
    Encoder::new(&mut jpeg, 90).encode(&pixels, side, side, ColorType::Luma)?;
    Ok(jpeg)
}

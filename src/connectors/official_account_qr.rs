//! PC scan with an official account: a browser shows a QR code, the person scans it in WeChat and follows the account,
//! WeChat's message push says so, and the browser collects the login (WeChat documents, "QR code with parameters").
//!
//! WeChat makes an address of the ticket's name. The code that says it is drawn here: from our own origin, without
//! another call, and sharp at any size.

use std::fmt::Write;

use qrcodegen::{QrCode, QrCodeEcc};

use crate::config::Config;
use crate::error::{Failure, LoginError};
use crate::http::{HttpCall, HttpReply};
use crate::wechat::codes::{self, Picture};

/// The margin that scanners want (ISO/IEC 18004).
const QUIET: i32 = 4;

/// Has WeChat make an address of a ticket's name, for so many seconds.
pub(crate) fn code_call(config: &Config, ticket: &str, seconds: u64, token: &str) -> HttpCall {
    codes::qrcode(&config.wechat, token, ticket, seconds)
}

/// The address.
pub(crate) fn read_code(reply: HttpReply) -> Result<String, Failure> {
    codes::read_qrcode(reply)
}

/// A QR code that says `text`: an image without style, script or text.
pub(crate) fn picture(text: &str) -> Result<Picture, Failure> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium)
        .map_err(|_| Failure::new(LoginError::Internal, "the text does not fit into a QR code"))?;
    let side = code.size() + 2 * QUIET;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/><path d=\""
    );
    for y in 0..code.size() {
        let mut x = 0;
        while x < code.size() {
            let run = (x..code.size()).take_while(|x| code.get_module(*x, y)).fold(0, |run, _| run + 1);
            if run > 0 {
                // Writing to a string cannot fail.
                let _ = write!(svg, "M{} {}h{run}v1h-{run}z", x + QUIET, y + QUIET);
            }
            x += run + 1;
        }
    }
    svg.push_str("\"/></svg>");
    Ok(Picture { media_type: "image/svg+xml", bytes: svg.into_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Draws what the path says, by hand.
    fn modules(svg: &str, side: usize) -> Vec<bool> {
        let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        let mut drawn = vec![false; side * side];
        for piece in path.split('z').filter(|piece| !piece.is_empty()) {
            let (at, rest) = piece.strip_prefix('M').unwrap().split_once('h').unwrap();
            let (x, y) = at.split_once(' ').unwrap();
            let (run, back) = rest.split_once('v').unwrap();
            assert_eq!(back, format!("1h-{run}"));
            let (x, y, run): (usize, usize, usize) = (x.parse().unwrap(), y.parse().unwrap(), run.parse().unwrap());
            drawn[y * side + x..][..run].fill(true);
        }
        drawn
    }

    #[test]
    fn the_image_is_the_code_with_its_quiet_zone() {
        let text = "http://weixin.qq.com/q/kZgfwMTm72WWPkovabbI";
        let picture = picture(text).unwrap();
        let svg = String::from_utf8(picture.bytes).unwrap();
        let code = QrCode::encode_text(text, QrCodeEcc::Medium).unwrap();
        let side = code.size() + 8;
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")), "{svg}");
        let drawn = modules(&svg, side as usize);
        for y in 0..side {
            for x in 0..side {
                assert_eq!(drawn[(y * side + x) as usize], code.get_module(x - 4, y - 4), "{x} {y}");
            }
        }
        assert!(!svg.contains(text) && !svg.contains("<script") && svg.len() < 20_000, "{}", svg.len());
    }

    #[test]
    fn what_does_not_fit_is_a_failure() {
        assert!(picture(&"a".repeat(10_000)).is_err());
    }
}

//! Chromium, its driver, and a font for Chinese pages.

use std::path::PathBuf;

use anyhow::{Context, Result};

use super::apt;
use crate::command::{command, on_path, output};

/// A browser to test with.
pub(crate) struct Browser {
    pub(crate) chromium: PathBuf,
    pub(crate) driver: PathBuf,
}

/// Finds the programs on PATH, or installs Debian's.
pub(crate) fn find() -> Result<Browser> {
    if on_path("chromium").is_none() || on_path("chromedriver").is_none() {
        apt::install(&["chromium", "chromium-driver"], "the browser tests")?;
    }
    // Without one, Chinese text is boxes: a screenshot would show nothing, and widths would be wrong.
    let has_chinese_font = || output(command("fc-list").arg(":lang=zh")).is_ok_and(|fonts| !fonts.is_empty());
    if !has_chinese_font() {
        apt::install(&["fontconfig", "fonts-wqy-microhei"], "Chinese text in the browser tests")?;
    }
    let chromium = on_path("chromium").context("Debian's chromium was installed, but there is no chromium on PATH")?;
    let driver = on_path("chromedriver").context("Debian's chromium-driver was installed, but there is no chromedriver on PATH")?;
    Ok(Browser { chromium, driver })
}

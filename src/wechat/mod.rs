//! WeChat's own API, as builders of calls and parsers of answers. It knows neither sessions nor pages.

pub mod errcode;
pub mod sns;

//! What people cannot do, and why.

use crate::scans::ScanError;

/// Why a person could not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActError {
    /// Nobody put this person.
    #[error("no person {0:?}; PUT /sim/people/{{name}} first")]
    UnknownPerson(String),
    /// No person was named, and nobody is current.
    #[error("name a person, or PUT /sim/current-person first")]
    NobodyHoldsThePhone,
    /// Neither of the two pages.
    #[error("not a URL of /connect/qrconnect or /connect/oauth2/authorize: {0:?}")]
    NotAnAuthorizeUrl(String),
    /// The QR code does not allow it.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// No such app, or one of another kind.
    #[error("{0:?} is not an app that can do this")]
    NotThatKindOfApp(String),
    /// Nothing that this WeChat has shown anywhere, or too old.
    #[error("not a code, ticket or link of this WeChat, or not any more: {0:?}")]
    NotACode(String),
    /// The mini program was released without it.
    #[error("the mini program has no page {0:?}")]
    NoSuchPage(String),
    /// Without one, WeChat asks the person to bind one first.
    #[error("{0:?} has no phone number")]
    NoPhoneNumber(String),
    /// What the SDK answers to a wrong `WXLaunchMiniProgramReq`.
    #[error("launching needs a mobile app, the original id (gh_...) of a mini program of its Open Platform account, and a type 0 to 2")]
    BadLaunch,
    /// Never opened.
    #[error("no such visit of a mini program")]
    NoSuchVisit,
    /// `binderror` of `launchApp`.
    #[error("invalid scene: no app has opened this mini program")]
    InvalidLaunchScene,
    /// Only followers see an account's menu and text box.
    #[error("{0:?} does not follow this account")]
    NotAFollower(String),
    /// The app's console has no server configuration.
    #[error("{0:?} has no server to push to")]
    NoPush(String),
}

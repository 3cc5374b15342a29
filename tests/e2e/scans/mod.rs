//! Scanning a code on a screen, by both methods: from the code to the session the way is one, whoever it is that tells
//! the gate of a scan. What only one of them has is in `mini_program_qr.rs`, and in `official_account_qr.rs` with what WeChat
//! pushes in `message_push/`.

/// Runs each of these stories, `async fn name(method: ScanMethod)`, by both methods: as `mini_program_qr::name` and
/// `official_account_qr::name`.
macro_rules! by_both {
    ($($name:ident),+ $(,)?) => {
        mod mini_program_qr {
            $(#[tokio::test] async fn $name() { super::$name(wxgate_tests::scan::ScanMethod::MiniProgramQr).await; })+
        }
        mod official_account_qr {
            $(#[tokio::test] async fn $name() { super::$name(wxgate_tests::scan::ScanMethod::OfficialAccountQr).await; })+
        }
    };
}

mod accounts;
mod browsers;
mod machines;
mod tickets;

use wxgate_tests::scan::{Code, ScanMethod};
use wxgate_tests::{Builder, Stack, Visitor};

/// The page that everybody wants.
const PAGE: &str = "/orders?page=2";

async fn shop(method: ScanMethod) -> Stack {
    start(Stack::builder(), &[method]).await
}

/// A shop where people may log in by these methods, too.
async fn start(builder: Builder, methods: &[ScanMethod]) -> Stack {
    let stack = methods.iter().fold(builder.without_rate_limit(), |builder, method| builder.scans(*method)).start().await;
    if methods.contains(&ScanMethod::OfficialAccountQr) {
        stack.configure_push().await;
    }
    stack
}

/// A code on this screen, with what a camera reads off it.
async fn shown(visitor: &Visitor, method: ScanMethod) -> (Code, String) {
    let code = visitor.show_code(method.connector(), PAGE).await;
    let text = visitor.read(&code).await;
    (code, text)
}

/// A code that this person has scanned and confirmed.
async fn confirmed(stack: &Stack, visitor: &Visitor, method: ScanMethod, person: &str) -> Code {
    let (code, text) = shown(visitor, method).await;
    stack.phone(method, person).confirm(&text).await;
    code
}

/// Logs in at a screen of one's own, without any question: gives the account.
async fn logged_in(stack: &Stack, method: ScanMethod, person: &str) -> String {
    let visitor = stack.visitor();
    let code = confirmed(stack, &visitor, method, person).await;
    visitor.collect(&code).await.assert_status(200);
    visitor.whoami().await.sub().to_owned()
}

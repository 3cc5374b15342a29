//! What WeChat's error numbers mean for a login. WeChat sends them with HTTP 200, so this is where its refusals are.

use crate::error::LoginError;

/// Classes of WeChat's error table for login: what to do about each.
pub fn login_error(errcode: i64) -> LoginError {
    match errcode {
        // Busy, daily quota, minute quota, clear-quota used up: come back later.
        -1 | 45009 | 45011 | 48006 => LoginError::WechatBusy,
        // Code wrong, expired, used or missing; tokens of this very login gone: begin again.
        40001 | 40003 | 40014 | 40029 | 40030 | 40163 | 41008 | 42001 | 42002 | 42003 | 42007 => LoginError::CodeRejected,
        // Intercepted by WeChat's security, not authorised by the user, account restricted.
        40226 | 50001 | 50002 => LoginError::WechatUserBlocked,
        // App id, secret, scope, permission, address list, and whatever this version does not know: an operator has
        // to look, since trying again gives the same.
        _ => LoginError::WechatMisconfigured,
    }
}

/// Whether WeChat says that the code was exchanged before, or is not known (any more): what the second of two loads
/// of one callback is told.
pub fn is_code_spent(errcode: i64) -> bool {
    matches!(errcode, 40029 | 40163)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_of_the_table_has_its_answer() {
        let table = [
            (LoginError::WechatBusy, &[-1, 45009, 45011][..]),
            (LoginError::CodeRejected, &[40001, 40029, 40163, 41008, 42001, 42003, 42007]),
            (LoginError::WechatUserBlocked, &[40226, 50001, 50002]),
            (LoginError::WechatMisconfigured, &[40002, 40013, 40125, 40164, 40243, 41002, 41004, 45035, 48001, 48004, 99999]),
        ];
        for (error, codes) in table {
            for code in codes {
                assert_eq!(login_error(*code), error, "{code}");
            }
        }
    }
}

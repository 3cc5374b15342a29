//! How often an app may ask: 45009 for a day, 45011 for a minute.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::api_error::ApiError;
use crate::simulator::Simulator;

/// WeChat's limits, each of which a test may lower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// `cgi-bin/token`.
    pub token_per_day: u32,
    /// `cgi-bin/stable_token`.
    pub stable_token_per_day: u32,
    /// `cgi-bin/stable_token`.
    pub stable_token_per_minute: u32,
    /// `cgi-bin/stable_token` with `force_refresh`.
    pub forced_refresh_per_day: u32,
    /// `sns/jscode2session`, for one person.
    pub login_per_person_and_minute: u32,
    /// `wxa/business/getuserphonenumber`.
    pub phone_number_per_minute: u32,
    /// `wxa/getwxacodeunlimit`.
    pub wxacode_per_minute: u32,
    /// `wxa/generatescheme` and `wxa/generate_urllink` together.
    pub links_per_day: u32,
    /// `cgi-bin/qrcode/create`.
    pub qrcode_per_day: u32,
    /// `cgi-bin/user/info`.
    pub user_info_per_day: u32,
    /// `cgi-bin/clear_quota`, in 30 days.
    pub clear_quota_per_month: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            token_per_day: 2_000,
            stable_token_per_day: 500_000,
            stable_token_per_minute: 10_000,
            forced_refresh_per_day: 20,
            login_per_person_and_minute: 100,
            phone_number_per_minute: 3_000,
            wxacode_per_minute: 5_000,
            links_per_day: 500_000,
            qrcode_per_day: 100_000,
            user_info_per_day: 5_000_000,
            clear_quota_per_month: 10,
        }
    }
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    TokenPerDay,
    StableTokenPerDay,
    StableTokenPerMinute,
    ForcedRefreshPerDay,
    LoginPerMinute,
    PhoneNumberPerMinute,
    WxacodePerMinute,
    LinksPerDay,
    QrcodePerDay,
    UserInfoPerDay,
    ClearQuotaPerMonth,
}

impl Counted {
    fn limit(self, limits: &Limits) -> u32 {
        match self {
            Self::TokenPerDay => limits.token_per_day,
            Self::StableTokenPerDay => limits.stable_token_per_day,
            Self::StableTokenPerMinute => limits.stable_token_per_minute,
            Self::ForcedRefreshPerDay => limits.forced_refresh_per_day,
            Self::LoginPerMinute => limits.login_per_person_and_minute,
            Self::PhoneNumberPerMinute => limits.phone_number_per_minute,
            Self::WxacodePerMinute => limits.wxacode_per_minute,
            Self::LinksPerDay => limits.links_per_day,
            Self::QrcodePerDay => limits.qrcode_per_day,
            Self::UserInfoPerDay => limits.user_info_per_day,
            Self::ClearQuotaPerMonth => limits.clear_quota_per_month,
        }
    }

    /// Minutes, and days in Beijing; a month is 30 days.
    fn period(self, now: u64) -> u64 {
        const BEIJING: u64 = 8 * 3600;
        const DAY: u64 = 24 * 3600;
        match self {
            Self::StableTokenPerMinute | Self::LoginPerMinute | Self::PhoneNumberPerMinute | Self::WxacodePerMinute => now / 60,
            Self::ClearQuotaPerMonth => now / (30 * DAY),
            _ => now.saturating_add(BEIJING) / DAY,
        }
    }

    fn refusal(self) -> ApiError {
        match self {
            Self::StableTokenPerMinute | Self::LoginPerMinute | Self::PhoneNumberPerMinute => ApiError::MinuteQuota,
            Self::ClearQuotaPerMonth => ApiError::ClearQuotaUsedUp,
            // getwxacodeunlimit says 45009 for its minute as well (WeChat docs).
            _ => ApiError::DailyQuota,
        }
    }
}

/// What has been asked for so far.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    pub(crate) limits: Limits,
    spent: HashMap<(String, Counted), (u64, u32)>,
}

impl Quotas {
    /// Counts one call of `who`, an appid, or refuses it.
    pub(crate) fn spend(&mut self, who: &str, what: Counted, now: u64) -> Result<(), ApiError> {
        let period = what.period(now);
        let (last, count) = self.spent.entry((who.to_owned(), what)).or_insert((period, 0));
        if *last != period {
            (*last, *count) = (period, 0);
        }
        if *count >= what.limit(&self.limits) {
            return Err(what.refusal());
        }
        *count = count.saturating_add(1);
        Ok(())
    }

    /// `cgi-bin/clear_quota`: everything of the app but the number of such calls, and of forced refreshes.
    pub(crate) fn clear(&mut self, appid: &str) {
        self.spent.retain(|(who, what), _| who != appid || matches!(what, Counted::ClearQuotaPerMonth | Counted::ForcedRefreshPerDay));
    }
}

impl Simulator {
    /// Lowers (or raises) how often apps may ask; what was asked for counts.
    pub fn set_limits(&self, limits: Limits) {
        self.with(|wechat| wechat.quotas.limits = limits);
    }

    /// The limits in force.
    pub fn limits(&self) -> Limits {
        self.with(|wechat| wechat.quotas.limits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_days_limit_begins_anew_at_midnight_in_beijing() {
        let mut quotas = Quotas { limits: Limits { token_per_day: 1, ..Limits::default() }, ..Quotas::default() };
        let before_midnight = 16 * 3600 - 1;
        assert_eq!(quotas.spend("wx1", Counted::TokenPerDay, before_midnight), Ok(()));
        assert_eq!(quotas.spend("wx1", Counted::TokenPerDay, before_midnight), Err(ApiError::DailyQuota));
        assert_eq!(quotas.spend("wx2", Counted::TokenPerDay, before_midnight), Ok(()));
        assert_eq!(quotas.spend("wx1", Counted::TokenPerDay, before_midnight + 1), Ok(()));
    }

    #[test]
    fn clearing_forgives_one_app_all_but_what_it_forced() {
        let mut quotas =
            Quotas { limits: Limits { token_per_day: 1, forced_refresh_per_day: 1, ..Limits::default() }, ..Quotas::default() };
        for what in [Counted::TokenPerDay, Counted::ForcedRefreshPerDay] {
            assert_eq!(quotas.spend("wx1", what, 0), Ok(()));
        }
        quotas.clear("wx1");
        assert_eq!(quotas.spend("wx1", Counted::TokenPerDay, 0), Ok(()));
        assert_eq!(quotas.spend("wx1", Counted::ForcedRefreshPerDay, 0), Err(ApiError::DailyQuota));
    }
}

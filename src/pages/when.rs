//! Times in words.

use super::html::Html;
use super::language::Language;
use crate::error::Text;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// "3 days ago", or a date where it is longer ago than a month.
pub(super) fn ago(html: &mut Html, time: u64, now: u64) {
    let passed = now.saturating_sub(time);
    if passed < HOUR {
        html.say(Text { zh: "不到一小时前", en: "less than an hour ago" });
    } else if passed < DAY {
        html.count(passed / HOUR, Text { zh: " 小时前", en: " hour ago" }, Text { zh: " 小时前", en: " hours ago" });
    } else if passed < 31 * DAY {
        html.count(passed / DAY, Text { zh: " 天前", en: " day ago" }, Text { zh: " 天前", en: " days ago" });
    } else {
        html.say(Text { zh: "", en: "on " });
        date(html, time);
    }
}

/// "9 March 2024", as it was in China: a page knows no other time zone of its readers.
pub(super) fn date(html: &mut Html, time: u64) {
    let (year, month, day) = civil(time.saturating_add(8 * HOUR).min(END_OF_9999) / DAY);
    match html.language() {
        Language::ZhCn => html.number(year).text("年").number(month).text("月").number(day).text("日"),
        Language::En => html.number(day).text(" ").text(month_name(month)).text(" ").number(year),
    };
}

/// "40 seconds", "5 minutes": of a time that is still to pass, so never less than there is.
pub(super) fn lasting(html: &mut Html, seconds: u64) {
    if seconds <= 90 {
        html.count(seconds, Text { zh: " 秒", en: " second" }, Text { zh: " 秒", en: " seconds" });
    } else {
        html.count(seconds.div_ceil(60), Text { zh: " 分钟", en: " minute" }, Text { zh: " 分钟", en: " minutes" });
    }
}

const END_OF_9999: u64 = 253_402_300_799;

/// Year, month and day of a number of days since 1970, after Howard Hinnant's `civil_from_days`: years begin in March, so that the
/// leap day is their last.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn month_name(month: u64) -> &'static str {
    match month {
        1 => "January",
        2 => "February",
        3 => "March",
        4 => "April",
        5 => "May",
        6 => "June",
        7 => "July",
        8 => "August",
        9 => "September",
        10 => "October",
        11 => "November",
        _ => "December",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(language: Language, write: impl FnOnce(&mut Html)) -> String {
        let mut html = Html::new(language);
        write(&mut html);
        html.finish()
    }

    #[test]
    fn a_date_is_that_of_china() {
        for (time, chinese, english) in [
            (0, "1970年1月1日", "1 January 1970"),
            (951_753_599, "2000年2月28日", "28 February 2000"),
            (951_753_600, "2000年2月29日", "29 February 2000"),
            (951_840_000, "2000年3月1日", "1 March 2000"),
            (1_735_660_800, "2025年1月1日", "1 January 2025"),
            (4_107_513_600, "2100年3月1日", "1 March 2100"),
            (u64::MAX, "9999年12月31日", "31 December 9999"),
        ] {
            assert_eq!(written(Language::ZhCn, |html| date(html, time)), chinese);
            assert_eq!(written(Language::En, |html| date(html, time)), english);
        }
    }

    #[test]
    fn what_is_near_is_counted_and_what_is_far_is_dated() {
        let now = 1_767_225_600;
        for (passed, chinese, english) in [
            (0, "不到一小时前", "less than an hour ago"),
            (HOUR, "1 小时前", "1 hour ago"),
            (DAY - 1, "23 小时前", "23 hours ago"),
            (DAY, "1 天前", "1 day ago"),
            (31 * DAY - 1, "30 天前", "30 days ago"),
            (31 * DAY, "2025年12月1日", "on 1 December 2025"),
        ] {
            assert_eq!(written(Language::ZhCn, |html| ago(html, now - passed, now)), chinese);
            assert_eq!(written(Language::En, |html| ago(html, now - passed, now)), english);
        }
        assert_eq!(written(Language::En, |html| ago(html, now + DAY, now)), "less than an hour ago", "clocks differ");
    }

    #[test]
    fn a_wait_is_never_said_too_short() {
        for (seconds, words) in
            [(1, "1 second"), (60, "60 seconds"), (90, "90 seconds"), (91, "2 minutes"), (300, "5 minutes"), (301, "6 minutes")]
        {
            assert_eq!(written(Language::En, |html| lasting(html, seconds)), words);
        }
    }
}

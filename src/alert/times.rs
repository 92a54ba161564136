//! How times are printed in texts (`elastalert.util.pretty_ts`).

use crate::config::{OptionSpec, Properties, opt};
use crate::event::time::parse_iso;
use crate::event::{Timestamp, fuzzy_time, python};
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::{Offset, TimeZone};
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

pub(super) const OPTIONS: &[OptionSpec] = &[
    opt("use_local_time")
        .bool()
        .default("true")
        .doc("Print times in the time zone of the process instead of the event's own."),
    opt("custom_pretty_ts_format")
        .default("%Y-%m-%d %H:%M %Z")
        .doc("How times are printed in texts, as a strftime pattern."),
];

const DEFAULT_FORMAT: &str = "%Y-%m-%d %H:%M %Z";

/// Where and how times are printed.
#[derive(Debug, Clone)]
pub struct Times {
    zone: TimeZone,
    local: bool,
    format: Cow<'static, str>,
}

impl Times {
    pub(super) fn new(properties: &Properties, zone: &TimeZone) -> Self {
        Self {
            zone: zone.clone(),
            local: properties.bool("use_local_time").unwrap_or(true),
            format: properties
                .text("custom_pretty_ts_format")
                .map_or(Cow::Borrowed(DEFAULT_FORMAT), Cow::Owned),
        }
    }

    /// The time that lies `back` before a match's timestamp; a value that is no time is printed as it is.
    pub fn pretty(&self, timestamp: &Value, back: Duration) -> String {
        let Some(mut time) = timestamp.as_str().and_then(|text| self.read(text)) else {
            return python::str(timestamp);
        };
        time.micros = time.event_time().minus(back).0;
        if self.local {
            strftime(time, Some(&self.zone), None, &self.format)
        } else {
            strftime(time, None, Some(self.epoch(time)), &self.format)
        }
    }

    /// `%s` of a time that is not local: C takes what a clock at its own offset shows for the local standard time.
    fn epoch(&self, time: Timestamp) -> i64 {
        let civil = time.civil();
        let Ok(instant) = self.zone.to_timestamp(civil) else {
            return time.micros.div_euclid(1_000_000);
        };
        let info = self.zone.to_offset_info(instant);
        let standard = self.zone.preceding(instant).find(|was| !was.dst().is_dst());
        let offset = match standard {
            Some(standard) if info.dst().is_dst() => standard.offset(),
            _ => info.offset(),
        };
        offset
            .to_timestamp(civil)
            .map_or_else(|_| instant.as_second(), |instant| instant.as_second())
    }

    /// Reads a time, also as [`Times::local`] left it: with the name that the process's zone has at that time.
    fn read(&self, text: &str) -> Option<Timestamp> {
        let mut time = parse_iso(text).or_else(|| fuzzy_time::parse(text))?;
        let name = text.rsplit(' ').next().unwrap_or_default();
        if name.chars().all(char::is_alphabetic)
            && let Ok(instant) = self.zone.to_timestamp(time.civil())
            && let offset = self.zone.to_offset_info(instant)
            && offset.abbreviation() == name
        {
            time.micros = instant.as_microsecond();
            time.offset_seconds = offset.offset().seconds();
        }
        Some(time)
    }

    /// As `TimeEnhancement` prints it: always local, always in the default form. `None`: not a time.
    pub fn local(&self, timestamp: &Value) -> Option<String> {
        let time = parse_iso(timestamp.as_str()?)?;
        Some(strftime(time, Some(&self.zone), None, DEFAULT_FORMAT))
    }
}

/// Prints a time in a zone, or on the clock of its own offset; `epoch` is what `%s` prints if that is not the time itself.
fn strftime(time: Timestamp, zone: Option<&TimeZone>, epoch: Option<i64>, format: &str) -> String {
    let instant = jiff::Timestamp::from_microsecond(time.micros).unwrap_or_default();
    let own = || TimeZone::fixed(Offset::from_seconds(time.offset_seconds).unwrap_or(Offset::UTC));
    let zoned = instant.to_zoned_datetime(zone.cloned().unwrap_or_else(own));
    // For Python an offset has no name, for jiff it has.
    let nameless = zone.is_none() && time.offset_seconds != 0;
    let format = pythonic(format, nameless, epoch);
    let config = Config::new().custom(PosixCustom::new()).lenient(true);
    BrokenDownTime::from(&zoned)
        .to_string_with_config(&config, &format)
        .unwrap_or(format)
}

/// Rewrites the directives that mean something else to Python and C: `%f` has six digits, `%Z` may be empty, `%q`, `%Q` and `%N` are none, and the C locale
/// has no other form of what `E` and `O` ask for.
fn pythonic(format: &str, nameless: bool, epoch: Option<i64>) -> String {
    let mut out = String::with_capacity(format.len());
    let mut rest = format;
    while let Some((text, directive)) = rest.split_once('%') {
        out.push_str(text);
        let is_modifier = |c: char| "_-0^#123456789".contains(c);
        let spec = directive.trim_start_matches(is_modifier);
        let flags = directive.strip_suffix(spec).unwrap_or_default();
        let other_form = match spec.split_at_checked(1) {
            Some(("E", letter)) if letter.starts_with(|c| "cCxXyY".contains(c)) => letter,
            Some(("O", letter)) if letter.starts_with(|c| "deHImMSuUVwWyg".contains(c)) => letter,
            _ => spec,
        };
        let mut letters = other_form.chars();
        match letters.next() {
            Some('f') if flags.is_empty() => out.push_str("%6f"),
            Some('Z') if flags.is_empty() && nameless => {}
            Some('s') if epoch.is_some() => out.extend(epoch.map(|epoch| epoch.to_string())),
            Some(letter @ ('q' | 'Q' | 'N')) => {
                out.push_str("%%");
                out.push_str(flags);
                out.push(letter);
            }
            letter => {
                out.push('%');
                out.push_str(flags);
                out.extend(letter);
            }
        }
        rest = letters.as_str();
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn times(local: bool, format: &str) -> Times {
        Times {
            zone: TimeZone::posix("JST-9").unwrap(),
            local,
            format: Cow::Owned(format.to_owned()),
        }
    }

    #[test]
    fn local_or_own_zone() {
        let time = json!("2026-03-02T00:01:00Z");
        assert_eq!(
            times(true, DEFAULT_FORMAT).pretty(&time, Duration::from_secs(300)),
            "2026-03-02 08:56 JST"
        );
        assert_eq!(
            times(false, DEFAULT_FORMAT).pretty(&time, Duration::ZERO),
            "2026-03-02 00:01 UTC"
        );
        assert_eq!(
            times(false, DEFAULT_FORMAT)
                .pretty(&json!("2026-03-02T00:01:00+02:00"), Duration::ZERO),
            "2026-03-02 00:01 "
        );
        assert_eq!(
            times(true, DEFAULT_FORMAT).pretty(&json!(5), Duration::ZERO),
            "5"
        );
    }

    #[test]
    fn a_time_that_is_pretty_already_is_read_again() {
        let times = times(true, DEFAULT_FORMAT);
        let pretty = times.local(&json!("2026-03-02T00:01:02Z")).unwrap();
        assert_eq!(pretty, "2026-03-02 09:01 JST");
        assert_eq!(
            times.pretty(&json!(pretty), Duration::from_secs(300)),
            "2026-03-02 08:56 JST"
        );
    }

    #[test]
    fn patterns_are_those_of_the_c_locale() {
        let time = json!("2026-03-02T00:01:02.5Z");
        for (format, expected) in [
            ("%Y年%m月%d日", "2026年03月02日"),
            ("%a %A %b %B %p", "Mon Monday Mar March AM"),
            ("%c|%x|%X", "Mon Mar  2 00:01:02 2026|03/02/26|00:01:02"),
            ("%-d %e %f %% %z %K", "2  2 500000 % +0000 %K"),
            (
                "%Ey %Om %_OH %EH %% %q %Q %-N %",
                "26 03  0 %EH % %q %Q %-N %",
            ),
            // Midnight, as if that were in Japan.
            ("%s %%s", "1772377262 %s"),
        ] {
            assert_eq!(times(false, format).pretty(&time, Duration::ZERO), expected);
        }
    }
}

//! How a date's pattern has zones and offsets written, as Java's `DateTimeFormatter` reads them.

use super::zone::Zone;

/// How an offset or zone is written. What each takes, an OpenSearch was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ZoneForm {
    /// An offset that has one of these lengths, longest first: `+01` has 3, `+0100` 5, `+01:00` 6, `+010203` 7 and `+01:02:03` 9; `Z` only where it says so.
    Offset { lengths: &'static [usize], z: bool },
    /// `GMT`, an offset behind it if it is not zero.
    Localized { lengths: &'static [usize] },
    /// `Z`, an offset with colons, alone or behind `UTC`, `GMT` or `UT`, a zone's name, and what else there is.
    Name(Besides),
}

/// What is taken besides the names of zones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Besides {
    Nothing,
    /// `CEST` and the like.
    Abbreviations,
    /// `+01` and `+0100`.
    Offsets,
}

const COLONS: &[usize] = &[9, 6];

/// Names of zones in winter and in summer, and a place that has them. A place's clocks go by its own rules, whichever name is written.
const ABBREVIATIONS: &[(&str, &str, &str)] = &[
    ("EST", "EDT", "America/New_York"),
    ("CST", "CDT", "America/Chicago"),
    ("MST", "MDT", "America/Denver"),
    ("PST", "PDT", "America/Los_Angeles"),
    ("AKST", "AKDT", "America/Anchorage"),
    ("AST", "ADT", "America/Halifax"),
    ("NST", "NDT", "America/St_Johns"),
    ("HST", "HDT", "Pacific/Honolulu"),
    ("BRT", "BRST", "America/Sao_Paulo"),
    ("ART", "ARST", "America/Argentina/Buenos_Aires"),
    ("WET", "WEST", "Europe/Lisbon"),
    ("CET", "CEST", "Europe/Paris"),
    ("EET", "EEST", "Europe/Athens"),
    ("MSK", "MSD", "Europe/Moscow"),
    ("SAST", "SAST", "Africa/Johannesburg"),
    ("PKT", "PKST", "Asia/Karachi"),
    ("IST", "IST", "Asia/Kolkata"),
    ("WIB", "WIB", "Asia/Jakarta"),
    ("SGT", "SGT", "Asia/Singapore"),
    ("HKT", "HKST", "Asia/Hong_Kong"),
    ("AWST", "AWDT", "Australia/Perth"),
    ("JST", "JDT", "Asia/Tokyo"),
    ("KST", "KDT", "Asia/Seoul"),
    ("ACST", "ACDT", "Australia/Adelaide"),
    ("AEST", "AEDT", "Australia/Sydney"),
    ("NZST", "NZDT", "Pacific/Auckland"),
];

impl ZoneForm {
    /// What a named format takes: nearly everything.
    pub(super) const NAMED: Self = Self::Name(Besides::Offsets);

    /// What the named format takes that knows no names of zones.
    pub(super) const OFFSET: Self = Self::Offset {
        lengths: &[6, 5, 3],
        z: true,
    };

    /// From a pattern's letter, so many times; `None` if it stands for no zone, or not so often.
    pub(super) fn of_letters(letter: char, count: usize) -> Option<Self> {
        let offset = |lengths, z| Some(Self::Offset { lengths, z });
        match (letter, count) {
            ('X' | 'x', 1) => offset(&[5, 3], letter == 'X'),
            ('X' | 'x', 2) => offset(&[5], letter == 'X'),
            ('X' | 'x', 3) => offset(&[6], letter == 'X'),
            ('X' | 'x', 4) => offset(&[7, 5], letter == 'X'),
            ('X' | 'x', 5) => offset(COLONS, letter == 'X'),
            ('Z', 1..=3) => offset(&[5], false),
            ('Z', 5) => offset(COLONS, true),
            ('Z' | 'O', 4) => Some(Self::Localized { lengths: COLONS }),
            ('O', 1) => Some(Self::Localized {
                lengths: &[9, 6, 3, 2],
            }),
            ('z', 1..=3) => Some(Self::Name(Besides::Abbreviations)),
            ('z', 4) | ('V', 2) => Some(Self::Name(Besides::Nothing)),
            _ => None,
        }
    }

    /// The zone with which a text begins, and what follows it.
    pub(super) fn read(self, text: &str) -> Option<(Zone, &str)> {
        match self {
            Self::Offset { z, .. } if z && text.starts_with('Z') => zulu(text),
            Self::Offset { lengths, .. } => offset(lengths, text),
            Self::Localized { lengths } => {
                let rest = text.strip_prefix("GMT")?;
                Some(offset(lengths, rest).unwrap_or((Zone::UTC, rest)))
            }
            Self::Name(besides) => {
                let lengths = match besides {
                    Besides::Offsets => &[9, 6, 5, 3],
                    Besides::Nothing | Besides::Abbreviations => COLONS,
                };
                zulu(text)
                    .or_else(|| offset(lengths, text))
                    .or_else(|| name(text, besides))
            }
        }
    }
}

fn zulu(text: &str) -> Option<(Zone, &str)> {
    Some((Zone::UTC, text.strip_prefix('Z')?))
}

fn offset<'t>(lengths: &[usize], text: &'t str) -> Option<(Zone, &'t str)> {
    if !text.starts_with(['+', '-']) {
        return None;
    }
    lengths.iter().find_map(|&length| {
        let (offset, rest) = text.split_at_checked(length)?;
        Some((Zone::parse(offset)?, rest))
    })
}

fn name(text: &str, besides: Besides) -> Option<(Zone, &str)> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "/_+-:".contains(c);
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at_checked(end)?;
    if name.starts_with(['+', '-']) {
        return None;
    }
    for prefix in ["UTC", "GMT", "UT"] {
        if let Some(after) = name.strip_prefix(prefix)
            && (after.is_empty() || after.starts_with(['+', '-']))
        {
            let after = text.get(prefix.len()..)?;
            return Some(offset(COLONS, after).unwrap_or((Zone::UTC, after)));
        }
    }
    if besides == Besides::Abbreviations
        && let Some((.., place)) = ABBREVIATIONS
            .iter()
            .find(|(winter, summer, _)| name == *winter || name == *summer)
    {
        return Some((Zone::parse(place)?, rest));
    }
    // Names of the database that are offsets, which Java does not know as zones.
    if matches!(name, "EST" | "MST" | "HST") {
        return None;
    }
    Some((Zone::parse(name)?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: &[&str] = &[
        "Z",
        "+01",
        "+1",
        "+0100",
        "+01:00",
        "+010203",
        "+01:02:03",
        "UTC",
        "GMT",
        "UTC+1",
        "GMT+1",
        "UTC+01:00",
        "UTC+0100",
        "GMT-2",
        "GMT+10:00",
        "GMT0",
        "Europe/Berlin",
        "europe/berlin",
        "EST",
        "CEST",
        "CET",
        "+18:00",
        "+18:01",
        "+19",
        "",
    ];

    #[track_caller]
    fn check(form: ZoneForm, taken: &str) {
        let is_taken = |text: &&&str| form.read(text).is_some_and(|(_, rest)| rest.is_empty());
        let found: Vec<&str> = TEXTS.iter().filter(is_taken).copied().collect();
        assert_eq!(found.join(" "), taken);
    }

    #[track_caller]
    fn check_letters(letters: &str, taken: &str) {
        let letter = letters.chars().next().unwrap();
        check(ZoneForm::of_letters(letter, letters.len()).unwrap(), taken);
    }

    /// What an OpenSearch took for dates.
    #[test]
    fn letters_and_what_they_take() {
        check_letters("X", "Z +01 +0100");
        check_letters("XX", "Z +0100");
        check_letters("XXX", "Z +01:00 +18:00");
        check_letters("XXXX", "Z +0100 +010203");
        check_letters("XXXXX", "Z +01:00 +01:02:03 +18:00");
        check_letters("x", "+01 +0100");
        check_letters("xxxx", "+0100 +010203");
        check_letters("Z", "+0100");
        check_letters("ZZZZ", "GMT GMT+10:00");
        check_letters("ZZZZZ", "Z +01:00 +01:02:03 +18:00");
        check_letters("O", "GMT GMT+1 GMT-2 GMT+10:00");
        check_letters("OOOO", "GMT GMT+10:00");
        let names = "Z +01:00 +01:02:03 UTC GMT UTC+01:00 GMT+10:00 GMT0 Europe/Berlin CET +18:00";
        check_letters("VV", names);
        check_letters("zzzz", names);
        check_letters(
            "z",
            "Z +01:00 +01:02:03 UTC GMT UTC+01:00 GMT+10:00 GMT0 Europe/Berlin EST CEST CET +18:00",
        );
        check(
            ZoneForm::NAMED,
            "Z +01 +0100 +01:00 +01:02:03 UTC GMT UTC+01:00 GMT+10:00 GMT0 Europe/Berlin CET +18:00",
        );
        assert_eq!(ZoneForm::of_letters('V', 1), None);
    }

    #[test]
    fn abbreviations_are_of_places() {
        for (winter, summer, place) in ABBREVIATIONS {
            let form = ZoneForm::Name(Besides::Abbreviations);
            let place = Zone::parse(place).unwrap();
            assert_eq!(form.read(winter), Some((place.clone(), "")), "{winter}");
            assert_eq!(form.read(summer), Some((place, "")), "{summer}");
        }
    }
}

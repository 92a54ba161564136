//! `test-rule` cases: what `elastalert-test-rule` prints. The family's page says what of it is compared (V12) and where tripline differs
//! (V15).

mod compare;
mod stage;

use compare::{
    alerts, alerts_of, exit_code, id, output, same, saved, time, with_matches, without_silences,
};
use serde_json::Value;
use stage::Run;

/// Replays one case.
pub fn run(case: &Value, name: &str) -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    for (file, content) in [("rule.yaml", "rule_yaml"), ("config.yaml", "config_yaml")] {
        if let Some(text) = case[content].as_str() {
            std::fs::write(directory.path().join(file), text).unwrap();
        }
    }
    std::fs::write(directory.path().join("docs.json"), case["docs"].to_string()).unwrap();
    let run = Run::of(case, directory.path());
    let expected = &case["expected"];
    match Difference::of(name) {
        Difference::None => {
            exit_code(&run, expected)?;
            output(&run, expected)?;
            saved(expected, directory.path())?;
            alerts(&run, &alerts_of(expected["stderr"].as_str().unwrap()), name)
        }
        Difference::Alerts => {
            exit_code(&run, expected)?;
            output(&run.without_silences(), &without_silences(expected))
        }
        Difference::Matches(ids) => {
            exit_code(&run, expected)?;
            output(&run, &with_matches(expected, ids.len()))?;
            let alerts = alerts_of(&run.errors);
            let actual: Vec<&str> = alerts.iter().map(|alert| id(alert)).collect();
            same("alerts", &actual, &ids.to_vec())
        }
        Difference::Times(times) => {
            exit_code(&run, expected)?;
            output(&run, &with_matches(expected, times.len()))?;
            let alerts = alerts_of(&run.errors);
            let actual: Vec<&str> = alerts.iter().map(|alert| time(alert)).collect();
            same("alerts", &actual, &times.to_vec())
        }
        Difference::Works => exit_code(&run, expected),
        Difference::NoConfiguration => {
            let with = with_configuration(case);
            same("exit code", &run.code, &0)?;
            output(&run, &with["expected"])?;
            alerts(
                &run,
                &alerts_of(with["expected"]["stderr"].as_str().unwrap()),
                name,
            )
        }
    }
}

/// How tripline's outcome differs, as the family's `polling-only.json` tags it and V15 describes it.
enum Difference {
    None,
    /// `realert` by event time: other alerts, as many matches.
    Alerts,
    /// Each of these documents matches.
    Matches(&'static [&'static str]),
    /// There is a match at each of these times.
    Times(&'static [&'static str]),
    /// No configuration is needed: as the same case with one.
    NoConfiguration,
    /// It works, whatever comes out.
    Works,
}

impl Difference {
    fn of(name: &str) -> Self {
        let tags = std::fs::read_to_string(super::folder().join("service/polling-only.json"));
        let tags: Value = serde_json::from_str(&tags.unwrap()).unwrap();
        match tags[name].as_str().and_then(|tag| tag.split(':').next()) {
            None => Self::None,
            Some("matches") => Self::Alerts,
            Some(_) => match name.strip_suffix("-formatted").unwrap_or(name) {
                "testrule-data-blacklist" => Self::Matches(&["d00", "d02", "d06", "d08"]),
                // The third event of each three, counted at its time.
                "testrule-data-count" => Self::Times(&COUNTED),
                "testrule-es-count" => Self::Times(&COUNTED[..3]),
                // The maximum of two minutes is above 30 from d04 on: at each event and each tick, the last
                // of which is at the end of the range.
                "testrule-data-metric" => Self::Times(&MEASURED),
                "testrule-es-metric" => Self::Times(&MEASURED_UNTIL_0640),
                "testrule-no-config" => Self::NoConfiguration,
                _ => Self::Works,
            },
        }
    }
}

const COUNTED: [&str; 4] = [
    "2026-03-02T00:01:20Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:07:20Z",
];

const MEASURED: [&str; 14] = [
    "2026-03-02T00:02:40Z",
    "2026-03-02T00:03:00Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:40Z",
    "2026-03-02T00:05:00Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:40Z",
    "2026-03-02T00:07:00Z",
    "2026-03-02T00:07:20Z",
    "2026-03-02T00:07:21Z",
];

const MEASURED_UNTIL_0640: [&str; 12] = [
    "2026-03-02T00:02:40Z",
    "2026-03-02T00:03:00Z",
    "2026-03-02T00:03:20Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:00Z",
    "2026-03-02T00:04:40Z",
    "2026-03-02T00:05:00Z",
    "2026-03-02T00:05:20Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:00Z",
    "2026-03-02T00:06:40Z",
    "2026-03-02T00:06:40Z",
];

/// The case that one without configuration is to be like.
fn with_configuration(case: &Value) -> Value {
    let other = super::cases("service")
        .into_iter()
        .find(|other| {
            other.value["config_yaml"].is_string()
                && other.value["rule_yaml"] == case["rule_yaml"]
                && other.value["docs"] == case["docs"]
                && other.value["args"] == case["args"]
        })
        .unwrap();
    other.value
}

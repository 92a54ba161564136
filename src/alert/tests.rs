use super::enhancements::{ENHANCEMENTS, Enhanced};
use super::*;
use crate::config::{Service, Sources};
use crate::event::EventTime;
use crate::filter::Mapping;
use crate::rule::load::Loader;
use serde_json::{Value, json};
use std::sync::Arc;

static FAILING: EnhancementEntry = EnhancementEntry {
    names: &["mine.Failing"],
    doc: "Changes the match, then fails.",
    run: |matched, _| {
        matched.insert("half".to_owned(), json!("done"));
        Err("no luck".to_owned())
    },
};

static DROPPING: EnhancementEntry = EnhancementEntry {
    names: &["mine.Dropping"],
    doc: "Drops matches with `drop`.",
    run: |matched, _| {
        Ok(if matched.contains_key("drop") {
            Enhanced::Dropped
        } else {
            Enhanced::Kept
        })
    },
};

static REGISTRY: [&EnhancementEntry; 3] = [ENHANCEMENTS[0], &FAILING, &DROPPING];

fn process() -> Process {
    Process {
        zone: TimeZone::UTC,
        working_directory: PathBuf::new(),
        enhancements: &REGISTRY,
    }
}

fn rule(options: &str) -> Arc<Rule> {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rule.yaml");
    let rule = format!("name: r\ntype: any\nindex: i\nalert: debug\n{options}");
    std::fs::write(&file, rule).unwrap();
    let sources = Sources {
        path: None,
        environment: &|_| None,
        expand: true,
        rule_options: OPTIONS,
        known: &|_| true,
    };
    let loader = Loader {
        service: &Service::load(&sources).0,
        environment: &|_| None,
        working_directory: directory.path(),
        mapping: &Mapping::default(),
        text_options: OPTIONS,
        alerter_options: &[],
    };
    let mut loaded = loader.files(&[file]);
    assert_eq!(loaded.rules.len(), 1, "{:?}", loaded.problems);
    loaded.rules.remove(0)
}

fn document(value: impl Into<Value>) -> Document {
    let Value::Object(document) = value.into() else {
        panic!("no object");
    };
    document
}

fn with_alert<T>(options: &str, matches: &[Value], look: impl FnOnce(&Alert<'_>) -> T) -> T {
    let rule = rule(options);
    let template = Template::new(&rule.properties(), &process()).unwrap();
    let matches: Vec<Document> = matches.iter().cloned().map(document).collect();
    look(&Alert {
        id: "a",
        rule: &rule,
        template: &template,
        matches: &matches,
        time: WallTime(0),
        now: WallTime(0),
        ticket: None,
    })
}

/// Documents that all pass the filter.
struct Seen(Vec<Value>);

impl TopCounts for Seen {
    fn visit(
        &self,
        _rule: &Rule,
        _after: EventTime,
        _until: EventTime,
        visitor: &mut dyn FnMut(&Document),
    ) {
        for document in &self.0 {
            visitor(document.as_object().unwrap());
        }
    }
}

#[test]
fn what_always_fails_is_said_at_load() {
    for options in [
        "alert_text: '{'\nalert_text_args: [a]\n",
        "alert_text: ''\nalert_subject: '{{ x|nope }}'\nalert_text_type: alert_text_jinja\n",
        "summary_table_type: html\nsummary_table_fields: [a, a]\n",
    ] {
        with_alert(options, &[json!({})], |alert| {
            assert_eq!(alert.template.warnings.len(), 1, "{options}");
        });
    }
}

#[test]
fn what_the_rule_works_out_can_be_printed() {
    let options = "alert_text: '{0} {1} {2}'\nalert_text_args: [realert, category, priority]\nalert_text_type: alert_text_only\n";
    let body = with_alert(options, &[json!({})], |alert| {
        alert.body(BodyStyle::default()).unwrap()
    });
    assert_eq!(body, "0:01:00 <MISSING VALUE> 2\n\n");
}

#[test]
fn keys_of_several_fields_are_printed_joined() {
    let keys = "query_key: [user, n]\naggregation_key: [host.name]\n";
    for (text, expected) in [
        (
            "alert_text: '{0} {1}'\nalert_text_args: [query_key, aggregation_key]\nalert_text_type: alert_text_only\n",
            "user,n host.name\n\n",
        ),
        (
            "alert_text: '{{ query_key }} {{ aggregation_key }}'\nalert_text_type: alert_text_jinja\n",
            "user,n host.name\n\n",
        ),
    ] {
        let body = with_alert(&format!("{keys}{text}"), &[json!({})], |alert| {
            alert.body(BodyStyle::default()).unwrap()
        });
        assert_eq!(body, expected);
    }
    let rule = rule(&format!(
        "{keys}include_rule_params_in_matches: [query_key]\n"
    ));
    let preparation = Preparation::new(&rule.properties(), &process()).unwrap();
    let mut matches = vec![document(json!({}))];
    preparation.run(&rule, &mut matches, &Seen(Vec::new()));
    assert_eq!(
        matches,
        [document(json!({"rule_param_query_key": "user,n"}))]
    );
}

#[test]
fn secrets_of_the_service_are_not_printed() {
    let secret = "es_password: s3cret\nkibana_password: s3cret\n";
    for text in [
        "alert_text: '{0}{1}'\nalert_text_args: [es_password, kibana_password]\n",
        "alert_text: '{{ _data }}'\nalert_text_type: alert_text_jinja\n",
    ] {
        let body = with_alert(&format!("{secret}{text}"), &[json!({})], |alert| {
            alert.body(BodyStyle::default()).unwrap()
        });
        assert!(!body.contains("s3cret"), "{body}");
    }
}

#[test]
fn fences_stand_around_the_summary_table() {
    let options = "summary_table_fields: [a]\nsummary_table_type: markdown\nalert_text_type: aggregation_summary_only\n";
    let style = BodyStyle {
        fence: Some(("```\n", "```\n")),
        ..BodyStyle::default()
    };
    let body = with_alert(options, &[json!({"a": 1})], |alert| {
        alert.body(style).unwrap()
    });
    assert!(
        body.starts_with("```\nAggregation") && body.ends_with("| 1 | 1 |\n\n```\n"),
        "{body}"
    );
}

#[test]
fn top_counts_look_into_lists_and_past_long_texts() {
    let rule = rule("top_count_keys: [u.n, port]\ntop_count_number: 2\n");
    let preparation = Preparation::new(&rule.properties(), &process()).unwrap();
    let mut matches = vec![document(json!({"@timestamp": "2026-03-02T00:01:00Z"}))];
    let seen = Seen(vec![
        json!({"u": [{"n": "b"}, {"n": ["a", "b"]}], "port": 1}),
        json!({"u.n": "c", "port": "x".repeat(257)}),
        json!({"u": {"n": "c"}, "port": "y"}),
    ]);
    let prepared = preparation.run(&rule, &mut matches, &seen);
    assert_eq!(prepared, Prepared::default());
    assert_eq!(
        Value::from(matches[0].clone()),
        json!({
            "@timestamp": "2026-03-02T00:01:00Z",
            "top_events_u.n.keyword": {"c": 2, "a": 1},
            "top_events_port.keyword": {"y": 1},
        })
    );
}

#[test]
fn enhancements_drop_matches_and_fail() {
    let rule = rule("match_enhancements: [mine.Dropping, mine.Failing]\n");
    let preparation = Preparation::new(&rule.properties(), &process()).unwrap();
    let mut matches = vec![document(json!({"drop": 1})), document(json!({"keep": 1}))];
    let prepared = preparation.run(&rule, &mut matches, &Seen(Vec::new()));
    assert_eq!(
        prepared.errors,
        ["Error running match enhancement: no luck"]
    );
    assert!(matches.is_empty());
    let mut matched = document(json!({"keep": 1}));
    let (enhanced, errors) = preparation.enhance(&mut matched);
    assert_eq!((enhanced, errors.len()), (Enhanced::Kept, 1));
    assert_eq!(Value::from(matched), json!({"keep": 1}));
}

#[test]
fn unknown_enhancements_and_jinja_filters_are_refused() {
    let rule = rule(
        "match_enhancements: [my.Own]\njinja_filters: [my.filter]\nalert_text_type: alert_text_jinja\n",
    );
    assert!(Preparation::new(&rule.properties(), &process()).is_err());
    assert!(Template::new(&rule.properties(), &process()).is_err());
}

#[test]
fn kibana_is_asked_for_short_links() {
    let rule = rule(
        "generate_kibana_discover_url: true\nkibana_discover_app_url: app/discover#/\nkibana_discover_index_pattern_id: i\n\
         kibana_url: https://k/base/\nshorten_kibana_discover_url: true\nkibana_username: u\nkibana_password: p\n",
    );
    let preparation = Preparation::new(&rule.properties(), &process()).unwrap();
    let mut matches = vec![document(json!({"@timestamp": "2026-03-02T00:01:00Z"}))];
    preparation.run(&rule, &mut matches, &Seen(Vec::new()));
    let short = preparation.short_link(&rule, &matches).unwrap();
    assert_eq!(short.url, "https://k/base/api/short_url");
    assert_eq!(short.login, Some(("u".to_owned(), "p".to_owned())));
    let url = short.body["params"]["url"].as_str().unwrap();
    assert!(url.starts_with("/app/discover#/?_g="), "{url}");
    short.apply(&mut matches, "abc");
    assert_eq!(matches[0]["kibana_discover_url"], "https://k/base/goto/abc");
    // A link of somebody else's making is left alone.
    assert_eq!(preparation.short_link(&rule, &matches), None);
}

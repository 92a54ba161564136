use super::*;
use crate::config::{SourceFile, Sources, opt};
use crate::rule::Due;
use std::fs;
use std::time::Duration;

/// A folder with rule files and a configuration.
struct Folder {
    folder: tempfile::TempDir,
    service: Service,
}

const TEXTS: &[OptionSpec] = &[
    opt("alert_subject"),
    opt("alert_text"),
    opt("alert_text_args").texts(),
];
const ALERTERS: &[OptionSpec] = &[opt("email").texts(), opt("smtp_host")];

impl Folder {
    fn new(config: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join("rules").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let path = folder.path().join("config.yml");
        fs::write(&path, config).unwrap();
        let (mut service, problems) = Service::load(&Sources {
            path: Some(&path),
            environment: &|_| None,
            expand: true,
            rule_options: &[options::OPTIONS],
            known: &|_| false,
        });
        assert!(!problems.iter().any(Problem::is_error), "{problems:?}");
        service.rules_folders = vec![folder.path().join("rules")];
        Self { folder, service }
    }

    fn load(&self) -> Loaded {
        Loader {
            service: &self.service,
            environment: &|_| None,
            working_directory: self.folder.path(),
            mapping: &Mapping::default(),
            text_options: &[TEXTS],
            alerter_options: &[ALERTERS],
        }
        .folders(&|_, _| ())
    }

    /// The problems, with the folder's own name taken out.
    fn problems(&self) -> Vec<String> {
        let folder = format!("{}/", self.folder.path().display());
        let shown = |problem: &Problem| problem.to_string().replace(&folder, "");
        self.load().problems.iter().map(shown).collect()
    }

    /// The only rule.
    #[track_caller]
    fn rule(&self) -> Arc<Rule> {
        let loaded = self.load();
        let [rule] = &loaded.rules[..] else {
            panic!("{:?}", self.problems())
        };
        Arc::clone(rule)
    }
}

const BASE: &str = "name: x\nindex: i\nalert: debug\ntype: any\n";

#[track_caller]
fn check(rule: &str, expected: &[&str]) {
    assert_eq!(Folder::new("", &[("r.yaml", rule)]).problems(), expected);
}

#[test]
fn the_waf_rule_loads() {
    let folder = Folder::new(
        "buffer_time: {minutes: 5}\nalert_time_limit: {minutes: 60}\n",
        &[(
            "asm_alert.yaml",
            "index: log-virocana-asm
filter: []
name: \"Attack to WWW.BLUECORE.NET\"
type: blacklist
compare_key: \"violation_rating\"
blacklist: [\"1\", \"2\", \"3\", \"4\", \"5\"]
timeframe:
  minutes: 1
timestamp_field: \"time\"
alert:
- \"email\"
alert_subject: \"[WWW.BLUECORE.NET] ASMからの攻撃通知\"
email: [\"soc@example.net\", \"oncall@example.com\"]
smtp_host: \"127.0.0.1\"
",
        )],
    );
    let rule = folder.rule();
    assert_eq!(rule.name, "Attack to WWW.BLUECORE.NET");
    assert_eq!(rule.type_name, "blacklist");
    assert_eq!(rule.realert, Duration::from_secs(60));
    assert_eq!(rule.realert_key(), rule.name);
    assert_eq!(rule.alert_time_limit, Duration::from_secs(3600));
    assert!(rule.index.matches("log-virocana-asm") && !rule.index.matches("log"));
    assert_eq!(rule.properties().text("priority").as_deref(), Some("2"));
    let problems = folder.problems();
    let [problem] = &problems[..] else {
        panic!("{problems:?}")
    };
    assert!(
        problem.contains("note[N0606]: `timeframe` has no effect here"),
        "{problem}"
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    check(
        "name: x\ntype: whitelist\nindex: 5\ncompare_key: a\nwhitelist: [\"1\"]\ntimeframe: 5m\nalert_sujbect: y\nrealert: {minute: 1}\n",
        &[
            "rules/r.yaml:2:7: error[E0602]: the option `ignore_null` is missing: whether events without the field are no match (true) or a match (false) (add `ignore_null: true` to let events without the field pass, or `ignore_null: false` to make each of them a match)",
            "rules/r.yaml:2:7: error[E0602]: the option `alert` is missing: the alerters (name an alerter: `alert: debug` prints alerts)",
            "rules/r.yaml:3:8: error[E0601]: `index` takes text, found an integer `5` (quote it: \"5\"; name the index events belong to, or `index: \"*\"`)",
            "rules/r.yaml:6:1: note[N0606]: `timeframe` has no effect here: this type looks at each event alone",
            "rules/r.yaml:6:12: error[E0601]: `timeframe` takes an object such as {minutes: 5}, found text `5m` (write timeframe: {minutes: 5})",
            "rules/r.yaml:7:1: warning[W0604]: unknown option `alert_sujbect` (did you mean `alert_subject`?)",
            "rules/r.yaml:8:11: error[E0605]: `realert` has no unit `minute`, it takes one of `weeks`, `days`, `hours`, `minutes`, `seconds`, `milliseconds`, `microseconds` (did you mean `minutes`?)",
        ],
    );
    check(
        "name: x\ntype: blacklist\nindex: i\nalert: debug\ncompare_key: rating\nblacklist: [0, \"1\"]\n",
        &[
            "rules/r.yaml:6:13: error[E0411]: an entry of blacklist must be text, found an integer (quote it: \"0\". It then equals events that carry the text; a number in an event is never equal to text)",
        ],
    );
}

#[test]
fn options_of_the_service_are_checked_in_a_rule_as_well() {
    let refused = |option: &str, says: &str| {
        let problem = format!(
            "rules/r.yaml:5:{}: error[E0601]: {says}",
            option.find(':').unwrap() + 3
        );
        let found = Folder::new("", &[("r.yaml", &format!("{BASE}{option}\n"))]).problems();
        assert!(
            found.iter().any(|other| other.starts_with(&problem)),
            "{found:?} {problem}"
        );
    };
    refused(
        "use_ssl: maybe",
        "`use_ssl` takes true or false, found text `maybe`",
    );
    refused(
        "verify_certs: 1",
        "`verify_certs` takes true or false, found an integer `1`",
    );
    refused(
        "priority: high",
        "`priority` takes a whole number, found text `high`",
    );
    refused(
        "max_query_size: many",
        "`max_query_size` takes a whole number",
    );
    refused("include_fields: host", "`include_fields` takes a list");
    refused("notify_alert: 5", "`notify_alert` takes text or a list");
    refused(
        "notify_all_errors: x",
        "`notify_all_errors` takes true or false",
    );
    refused("es_username: 5", "`es_username` takes text");
}

#[test]
fn what_the_configuration_has_of_them_is_its_own_matter() {
    let folder = Folder::new(
        "priority: high\nmax_query_size: \"10\"\n",
        &[("r.yaml", BASE)],
    );
    assert_eq!(
        folder.rule().properties().text("priority").as_deref(),
        Some("high")
    );
}

#[test]
fn the_clause_of_a_list_is_part_of_the_filter_that_texts_print() {
    let rule = "name: x\nindex: i\nalert: debug\ntype: blacklist\ncompare_key: a\nblacklist: [b]\nfilter: [{term: {c: d}}]\n";
    let filter = |rule: &str| {
        let rule = Folder::new("", &[("r.yaml", rule)]).rule();
        rule.properties()
            .get("filter")
            .unwrap()
            .to_value()
            .to_string()
    };
    assert_eq!(
        filter(rule),
        r#"[{"term":{"c":"d"}},{"query_string":{"query":"a:\"b\""}}]"#
    );
    assert_eq!(
        filter(&format!("{rule}filter_by_list: false\n")),
        r#"[{"term":{"c":"d"}}]"#
    );
}

#[test]
fn a_python_class_is_told_from_a_misspelling() {
    let with = |name: &str| BASE.replace("any", name);
    check(
        &with("whitelists"),
        &[
            "rules/r.yaml:4:7: error[E0712]: there is no rule type `whitelists` (did you mean `whitelist`?)",
        ],
    );
    check(
        &with("my.rules.Type"),
        &[
            "rules/r.yaml:4:7: error[E0711]: `my.rules.Type` is a Python class, which cannot be run here (say it with one of ElastAlert's own types; what a class decides from one event alone, a filter often can)",
        ],
    );
    check(
        &with("nonsense"),
        &[
            "rules/r.yaml:4:7: error[E0712]: there is no rule type `nonsense` (there are any, blacklist, cardinality, change, flatline, frequency, metric_aggregation, new_term, percentage_match, spike, spike_aggregation, whitelist)",
        ],
    );
    check(
        "name: x\nindex: i\nalert: debug\n",
        &[
            "rules/r.yaml:1:1: error[E0602]: the option `type` is missing: the rule type (name a rule type: `type: any` matches every event the filter picks)",
        ],
    );
    check(
        "- name: x\n",
        &["rules/r.yaml:1:1: error[E0107]: a rule is an object, found a list"],
    );
    check(
        "name: *.log\n",
        &[
            "rules/r.yaml:1:7: error[E0103]: not valid YAML: while parsing node, found unknown anchor (`*` begins an alias, so quote it: name: '*.log')",
        ],
    );
}

#[test]
fn a_bad_rule_stops_no_other_rule() {
    let folder = Folder::new(
        "",
        &[
            ("a.yaml", &BASE.replace("any", "ane")),
            ("b.yml", BASE),
            (
                "sub/c.yaml",
                &BASE.replace("name: x", "name: y\nis_enabled: false"),
            ),
            ("d.yaml", BASE),
            ("e.yaml", "index: i\nalert: debug\ntype: any\n"),
            ("..data/f.yaml", BASE),
            ("g.yaml.bak", BASE),
        ],
    );
    let loaded = folder.load();
    let names: Vec<&str> = loaded.rules.iter().map(|rule| rule.name.as_str()).collect();
    let path = folder.folder.path().join("rules");
    assert_eq!(
        names,
        ["x", path.join("e").to_str().unwrap()],
        "a rule without a name has its path"
    );
    assert_eq!(
        loaded.disabled,
        [Disabled {
            name: "y".to_owned(),
            file: path.join("sub/c.yaml")
        }]
    );
    assert_eq!(
        folder.problems(),
        [
            "rules/a.yaml:4:7: error[E0712]: there is no rule type `ane` (did you mean `any`?)",
            "rules/d.yaml:1:7: error[E0704]: two rules are called `x` (give it another `name`)",
        ]
    );
    let related = loaded.problems[1].related.as_deref().unwrap();
    assert!(related.0.path().ends_with("b.yml"));
}

#[test]
fn imports_fill_what_the_rule_lacks() {
    let folder = Folder::new(
        "",
        &[
            (
                "r.yaml",
                "import: [one.part, two.part]\nname: x\nfilter: [{term: {f: own}}]\nalert: debug\n",
            ),
            (
                "one.part",
                "type: any\nindex: one\nfilter: [{term: {f: one}}]\nname: no\nowner: one\n",
            ),
            (
                "two.part",
                "import: deep/three.part\nindex: two\nfilter: [{term: {f: two}}]\n",
            ),
            (
                "deep/three.part",
                "import: four.part\nindex: three\nowner: three\nfilter: [{term: {f: three}}]\n",
            ),
            ("deep/four.part", "category: four\n"),
        ],
    );
    let loaded = folder.load();
    assert_eq!(loaded.files.len(), 5);
    let rule = folder.rule();
    assert_eq!(
        (rule.name.as_str(), rule.index.text.as_str()),
        ("x", "two"),
        "own names win, later imports win"
    );
    assert_eq!(rule.properties().text("owner").as_deref(), Some("three"));
    assert_eq!(
        rule.properties().text("category").as_deref(),
        Some("four"),
        "beside the importing file"
    );
    assert_eq!(
        rule.properties().value("filter").unwrap(),
        serde_json::json!([
            {"term": {"f": "one"}},
            {"term": {"f": "three"}},
            {"term": {"f": "two"}},
            {"term": {"f": "own"}},
        ])
    );
    assert!(!rule.properties().contains("import"));
}

#[test]
fn imports_that_cannot_be_followed() {
    let check = |files: &[(&str, &str)], expected: &str| {
        assert_eq!(Folder::new("", files).problems(), [expected]);
    };
    check(
        &[
            ("a.yaml", "import: b.part\n"),
            ("b.part", "import: c.part\n"),
            ("c.part", "import: b.part\n"),
        ],
        "rules/c.part:1:9: error[E0703]: rules/b.part imports itself (remove one of the imports)",
    );
    check(
        &[("a.yaml", "import: a.yaml\n")],
        "rules/a.yaml:1:9: error[E0703]: rules/a.yaml imports itself (remove one of the imports)",
    );
    check(
        &[("a.yaml", "import: none.yaml\n")],
        "rules/a.yaml:1:9: error[E0702]: the imported file rules/none.yaml does not exist (imports are looked for beside the rule)",
    );
    check(
        &[("a.yaml", "import: {a: b}\n")],
        "rules/a.yaml:1:9: error[E0701]: `import` takes a path or a list of paths, found an object",
    );
}

#[test]
fn the_configuration_is_the_default() {
    let folder = Folder::new(
        "realert: {hours: 1}\ntimestamp_field: time\nmax_aggregation: 5\n",
        &[(
            "r.yaml",
            &format!("{BASE}aggregation: {{minutes: 5}}\nquery_key: [a, b]\naggregation_key: c\n"),
        )],
    );
    let rule = folder.rule();
    assert_eq!(rule.realert, Duration::from_secs(3600));
    assert_eq!(rule.time.path, crate::event::FieldPath::new("time"));
    assert_eq!(rule.query_key.as_ref().unwrap().name, "a,b");
    let aggregation = rule.aggregation.as_ref().unwrap();
    assert_eq!(aggregation.max, 5);
    assert_eq!(aggregation.key.as_ref().unwrap().name, "c");
    assert!(matches!(aggregation.due, Due::After(after) if after == Duration::from_secs(300)));
    let rule = Folder::new(
        "",
        &[(
            "r.yaml",
            &format!("{BASE}aggregation: {{schedule: \"*/5 * * * *\"}}\n"),
        )],
    )
    .rule();
    assert_eq!(rule.realert, Duration::ZERO, "matches are collected anyway");
    assert!(matches!(
        rule.aggregation.as_ref().unwrap().due,
        Due::Schedule(_)
    ));
    let none = Folder::new(
        "",
        &[("r.yaml", &format!("{BASE}aggregation: {{minutes: 0}}\n"))],
    )
    .rule();
    assert!(none.aggregation.is_none());
}

#[test]
fn what_does_not_fit_together() {
    let with = |more: &str| format!("{BASE}{more}\n");
    check(
        &with("aggregation: {schedule: \"61 * * * *\"}"),
        &[
            "rules/r.yaml:5:25: error[E0706]: `aggregation.schedule` is no cron expression: Component error: Number out of bounds. (five fields: minute, hour, day, month, day of the week, such as \"*/5 * * * *\")",
        ],
    );
    check(
        &with("aggregation: {minute: 5}"),
        &[
            "rules/r.yaml:5:15: error[E0605]: `aggregation` has no unit `minute`, it takes one of `weeks`, `days`, `hours`, `minutes`, `seconds`, `milliseconds`, `microseconds` (did you mean `minutes`?)",
        ],
    );
    check(
        &with("aggregation: 5m"),
        &[
            "rules/r.yaml:5:14: error[E0601]: `aggregation` takes an object such as {minutes: 5}, found text `5m` (write aggregation: {minutes: 5})",
        ],
    );
    check(
        &with("use_terms_query: true"),
        &[
            "rules/r.yaml:5:1: warning[W0709]: `use_terms_query` has no effect in a rule of type `any` (it is an option of flatline, frequency, new_term, spike)",
            "rules/r.yaml:5:18: error[E0705]: `use_terms_query` counts per `query_key`, and there is none (add `query_key`, or remove `use_terms_query`)",
        ],
    );
    check(
        &with("scan_entire_timeframe: true"),
        &[
            "rules/r.yaml:5:1: note[N0606]: `scan_entire_timeframe` has no effect here: events come in by themselves, nothing is queried",
            "rules/r.yaml:5:24: error[E0708]: `scan_entire_timeframe` needs a `timeframe` (remove `scan_entire_timeframe`: it has no effect here)",
        ],
    );
    check(
        &with("timestamp_type: unx"),
        &[
            "rules/r.yaml:5:17: error[E0401]: unknown timestamp_type \"unx\" (use iso, unix, unix_ms, unix_us or custom)",
        ],
    );
    check(
        &with("use_strftime_index: true").replace("index: i", "index: log-%y.%M"),
        &[
            "rules/r.yaml:2:8: warning[W0707]: `%y` in an index stands for a year of two digits (`%Y.%m.%d` is most common)",
            "rules/r.yaml:2:8: warning[W0707]: `%M` in an index stands for minutes (`%Y.%m.%d` is most common)",
        ],
    );
    check(
        &BASE.replace("index: i", "index: log-%Y.%m.%d"),
        &[
            "rules/r.yaml:2:8: warning[W0707]: `%` stands for itself in this index (add `use_strftime_index: true` if a date is meant)",
        ],
    );
    check(
        &with("num_event: 5\nrule_link: here\nalert_text_args: [rule_link]\njira_server: x"),
        &[
            "rules/r.yaml:5:1: warning[W0604]: unknown option `num_event` (did you mean `num_events`?)",
        ],
    );
}

#[test]
fn options_of_other_types_are_told_from_misspellings() {
    check(
        &format!("{BASE}blacklist: []\nblackist: []\nlimit_execution: \"* 8-17 * * *\"\n"),
        &[
            "rules/r.yaml:5:1: warning[W0709]: `blacklist` has no effect in a rule of type `any` (it is an option of blacklist)",
            "rules/r.yaml:6:1: warning[W0604]: unknown option `blackist` (did you mean `blacklist`?)",
        ],
    );
}

#[test]
fn references_stand_for_other_options() {
    let rule = Folder::new(
        "",
        &[(
            "r.yaml",
            &format!("{BASE}alert_subject: $owner$\nowner: $team$\nteam: red\nalert_text: \"$none$\"\nloop: $pool$\npool: $loop$\nlist: [{{a: $team$}}]\n"),
        )],
    )
    .rule();
    assert_eq!(
        rule.properties().text("alert_subject").as_deref(),
        Some("red")
    );
    assert_eq!(
        rule.properties().text("alert_text").as_deref(),
        Some("$none$")
    );
    assert_eq!(
        rule.properties().value("list").unwrap(),
        serde_json::json!([{"a": "red"}])
    );
}

#[test]
fn state_is_kept_unless_its_meaning_changes() {
    let list = BASE.replace("any", "blacklist") + "compare_key: a\nblacklist: [\"1\"]\n";
    let print = |rule: String| {
        Folder::new("", &[("r.yaml", &rule)])
            .rule()
            .state_fingerprint
    };
    let first = print(list.clone());
    assert_eq!(
        first,
        print(format!(
            "{list}alert_subject: other\nrealert: {{hours: 1}}\n"
        ))
    );
    assert_ne!(first, print(format!("{list}query_key: q\n")));
    assert_ne!(first, print(list.replace("\"1\"", "\"2\"")));
    assert_ne!(first, print(format!("{list}timestamp_field: t\n")));
}

#[test]
fn a_problem_in_the_configuration_is_said_once() {
    let folder = Folder::new(
        "realert: 5m\n",
        &[
            ("a.yaml", BASE),
            ("b.yaml", &BASE.replace("name: x", "name: y")),
        ],
    );
    assert_eq!(
        folder.problems(),
        [
            "config.yml:1:10: error[E0601]: `realert` takes an object such as {minutes: 5}, found text `5m` (write realert: {minutes: 5})"
        ]
    );
    let source = SourceFile::new(Path::new("config.yml"), "realert: 5m\n");
    assert_eq!(
        format!("{source:?}"),
        "\"config.yml\"",
        "texts are not printed: passwords may stand in them"
    );
}

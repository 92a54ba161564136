//! `tripline explain` and `tripline check --data` on rules that people run, with events such as their senders send: what they say must be what
//! the program does.

use std::path::Path;
use std::process::Command;

/// Runs the program at the top of the project; what it printed.
fn run(words: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(words)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
}

/// One line of a tree.
struct Line<'t> {
    depth: usize,
    matched: bool,
    asks: &'t str,
}

fn line(text: &str) -> Line<'_> {
    let inner = text.trim_start_matches(' ');
    let depth = (text.len() - inner.len()) / 2;
    let matched = inner.starts_with("✓ ");
    let asks = inner.trim_start_matches(['✓', '✗']).trim_start();
    Line {
        depth,
        matched,
        asks,
    }
}

/// Holds every mark against the marks below it.
#[track_caller]
fn check_marks(tree: &[Line<'_>]) {
    for (at, clause) in tree.iter().enumerate() {
        let below: Vec<bool> = tree
            .iter()
            .skip(at + 1)
            .take_while(|other| other.depth > clause.depth)
            .filter(|other| other.depth == clause.depth + 1)
            .map(|other| other.matched)
            .collect();
        let expected = match clause.asks {
            "all of" => !below.contains(&false),
            "any of" => below.contains(&true),
            "none of" => !below.contains(&true),
            _ => {
                assert!(below.is_empty(), "{}", clause.asks);
                continue;
            }
        };
        assert!(!below.is_empty(), "{}", clause.asks);
        assert_eq!(clause.matched, expected, "{} over {below:?}", clause.asks);
    }
}

/// A rule, and for each event whether it matches and what the sentence must name.
fn check(rule: &str, events: &[(bool, &str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    let file = file.to_str().unwrap();
    for (matches, named, event) in events {
        std::fs::write(file, format!("{event}\n")).unwrap();
        let told = run(&["explain", rule, file]);
        let (tree, sentence) = told.trim_end().split_once("\n\n").unwrap_or(("", &told));
        let start = if *matches {
            "The event matches:"
        } else {
            "The event does not match:"
        };
        assert!(
            sentence.starts_with(start) && sentence.contains(named),
            "{rule} {event}\n{told}"
        );
        let lines: Vec<Line<'_>> = tree.lines().map(line).collect();
        assert_eq!(
            lines.first().map(|root| root.matched),
            Some(*matches),
            "{told}"
        );
        check_marks(&lines);
        let longest = told.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(500) && lines.len() < 40, "{told}");
        let hits = format!("'hits': {}", u8::from(*matches));
        let tried = run(&["test-rule", rule, "--data", file]);
        assert!(tried.contains(&hits), "{rule} {event}\n{told}\n{tried}");
    }
    let all: Vec<String> = events
        .iter()
        .map(|(_, _, event)| format!("{event}\n"))
        .collect();
    std::fs::write(file, all.concat()).unwrap();
    let checked = run(&["check", rule, "--data", file]);
    let matching = events.iter().filter(|(matches, ..)| *matches).count();
    let count = format!("{matching} of {} event", events.len());
    assert!(checked.contains(&count), "{rule}\n{checked}");
    assert!(
        matching == 0 || !(checked.contains("W0241") || checked.contains("W0242")),
        "{rule}\n{checked}"
    );
}

/// Events of an F5 ASM, as Logstash keeps them.
const ASM: &str = r#"{"@timestamp":"2018-04-06T05:00:00.224Z","attack_type":"ATTACK","dest_ip":"10.20.0.80","ip_client":"198.51.100.35","method":"METHOD","policy_name":"/Common/www.bluecore.net","request_status":"STATUS","response_code":"200","severity":"Informational","sig_names":"N/A","support_id":"2508780119460000000","time":"2018-04-06T05:00:00Z","uri":"/api/v1/stock","violation_rating":"RATING"}"#;

fn asm(method: &str, status: &str, rating: &str) -> String {
    ASM.replace("METHOD", method)
        .replace("STATUS", status)
        .replace("RATING", rating)
}

#[test]
fn requests_at_a_firewall() {
    let [quiet, passed, blocked, odd] = [
        asm("GET", "passed", "0"),
        asm("POST", "alerted", "5"),
        asm("POST", "blocked", "5"),
        asm("TRACE", "passed", "0"),
    ];
    check(
        "rules/asm_alert.yaml",
        &[
            (
                false,
                "violation_rating is \"1\" or violation_rating is \"2\" or violation_rating is \"3\" or 2 more, but the event has \"0\"",
                &quiet,
            ),
            (true, "violation_rating is \"5\"", &passed),
            (true, "violation_rating is \"5\"", &blocked),
        ],
    );
    check(
        "rules/asm_let_through.yaml",
        &[
            (
                false,
                "violation_rating is \"4\" or violation_rating is \"5\", but the event has \"0\"",
                &quiet,
            ),
            (true, "violation_rating is \"5\"", &passed),
            (
                false,
                "excludes events where request_status is \"blocked\", and the event has \"blocked\"",
                &blocked,
            ),
        ],
    );
    check(
        "rules/asm_unexpected_method.yaml",
        &[
            (
                false,
                "excludes events where method is \"get\", and the event has \"GET\"",
                &quiet,
            ),
            (true, "every clause is fulfilled", &odd),
        ],
    );
}

#[test]
fn other_alarms() {
    let modsecurity = |code: &str, rule: &str| {
        r#"{"@timestamp":"2024-05-05T10:00:00Z","transaction":{"client_ip":"203.0.113.9","request":{"method":"GET","uri":"/?id=1"},"messages":[{"message":"SQL Injection","details":{"ruleId":"942100"}},{"message":"Inbound Anomaly Score Exceeded","details":{"ruleId":"RULE"}}],"response":{"http_code":CODE}}}"#
            .replace("CODE", code)
            .replace("RULE", rule)
    };
    check(
        "rules/modsecurity_anomaly.yaml",
        &[
            (true, "every clause", &modsecurity("403", "949110")),
            (
                false,
                "transaction.response.http_code >= 400, but the event has 200",
                &modsecurity("200", "949110"),
            ),
            (
                false,
                "ruleId.keyword is \"949110\", but the event has \"942100\" and \"980130\"",
                &modsecurity("403", "980130"),
            ),
        ],
    );
    let suricata = |kind: &str| {
        format!(
            r#"{{"timestamp":"2024-05-05T10:00:00.000000+0000","src_ip":"10.0.0.1","src_port":4711,"dest_ip":"192.0.2.7",{kind}}}"#
        )
    };
    check(
        "rules/suricata_high_severity.yaml",
        &[
            (
                true,
                "every clause",
                &suricata(
                    r#""event_type":"alert","alert":{"signature_id":2024792,"signature":"ET MALWARE","severity":1}"#,
                ),
            ),
            (
                false,
                "alert.severity is 1, but the event has 3",
                &suricata(
                    r#""event_type":"alert","alert":{"signature_id":2013028,"signature":"ET POLICY","severity":3}"#,
                ),
            ),
            (
                false,
                "event_type is \"alert\", but the event has \"flow\" (terms: flow). Another clause fails, too.",
                &suricata(r#""event_type":"flow","flow":{"pkts_toserver":3}"#),
            ),
        ],
    );
    let sshd = |message: &str| {
        format!(
            r#"{{"@timestamp":"2024-05-05T10:00:00Z","program":"sshd","host":"a","message":"{message}"}}"#
        )
    };
    check(
        "rules/ssh_root_login.yaml",
        &[
            (
                true,
                "every clause",
                &sshd("Accepted password for root from 10.0.0.9 port 4711 ssh2"),
            ),
            (
                false,
                "message has the phrase \"accepted password for root\"",
                &sshd("Accepted publickey for root from 10.0.0.9 port 4711 ssh2"),
            ),
        ],
    );
}

#[test]
fn rules_of_sigma() {
    let at = |members: &str| format!(r#"{{"@timestamp":"2024-05-05T10:00:00Z",{members}}}"#);
    let sigma = |name: &str| {
        let path = format!("tests/data/rules/sigma/{name}.yaml");
        assert!(
            Path::new(env!("CARGO_MANIFEST_DIR")).join(&path).is_file(),
            "{path}"
        );
        path
    };
    check(
        &sigma("deprecated-windows-win_security_group_modification_logging"),
        &[
            (
                true,
                "event.code is \"4728\" (the event has \"4728\"",
                &at(r#""event":{"code":"4728"},"winlog":{"channel":"Security"}"#),
            ),
            (
                false,
                "event.code is \"4728\" or event.code is \"4729\" or event.code is \"4730\" or 3 more, but the event has \"4625\"",
                &at(r#""event":{"code":"4625"},"winlog":{"channel":"Security"}"#),
            ),
        ],
    );
    check(
        &sigma("rules-application-django-appframework_django_exceptions"),
        &[
            (
                true,
                "logger is like \"*disallowedhost*\"",
                &at(
                    r#""level":"ERROR","logger":"django.security.DisallowedHost","message":"Invalid HTTP_HOST header""#,
                ),
            ),
            (
                false,
                "any field is like \"*suspiciousoperation*\"",
                &at(
                    r#""level":"WARNING","logger":"django.request","message":"Not Found: /favicon.ico""#,
                ),
            ),
        ],
    );
    check(
        &sigma("rules-web-webserver_generic-web_sql_injection_in_access_logs"),
        &[
            (
                true,
                "url.original.keyword is like",
                &at(
                    r#""event":{"dataset":"zeek.http"},"http":{"request":{"method":"GET"},"response":{"status_code":200}},"url":{"original":"/a?id=1%20or%201=1#"}"#,
                ),
            ),
            (
                false,
                "excludes events where http.response.status_code is 404, and the event has 404",
                &at(
                    r#""event":{"dataset":"zeek.http"},"http":{"request":{"method":"GET"},"response":{"status_code":404}},"url":{"original":"/a?id=1%20or%201=1#"}"#,
                ),
            ),
            (
                false,
                "any field is like",
                &at(
                    r#""event":{"dataset":"zeek.http"},"http":{"request":{"method":"GET"},"response":{"status_code":200}},"url":{"original":"/index.html"}"#,
                ),
            ),
        ],
    );
    check(
        &sigma("deprecated-windows-proc_creation_win_lolbins_by_office_applications"),
        &[(
            false,
            "no such field, only process.executable with \"C:",
            &at(
                r#""process":{"executable":"C:\\Windows\\mshta.exe","parent":{"executable":"C:\\Office\\WINWORD.EXE"}}"#,
            ),
        )],
    );
    check(
        &sigma("rules-macos-file_event-file_event_macos_susp_startup_item_created"),
        &[(
            false,
            "TargetFilename begins with \"/library/startupitems/\" or",
            &at(r#""TargetFilename":"/Library/StartupItems/x/x.plist""#),
        )],
    );
    check(
        &sigma("deprecated-windows-file_event_win_lsass_memory_dump_file_creation"),
        &[
            (
                true,
                "every clause",
                &at(r#""file":{"path":"C:\\Temp\\lsass.dmp"}"#),
            ),
            (
                false,
                "file.path is like \"*lsass*\"",
                &at(r#""file":{"path":"C:\\Temp\\notes.dmp"}"#),
            ),
        ],
    );
}

#[test]
fn published_rules() {
    let at = |members: &str| format!(r#"{{"@timestamp":"2024-05-05T10:00:00Z",{members}}}"#);
    let folder = "tests/data/rules/published";
    check(
        &format!("{folder}/ferozsalam+elastalert-ci/firefox-user-detection.yaml"),
        &[
            (
                true,
                "every clause",
                &at(
                    r#""clientip":"10.0.0.1","agent":"Mozilla/5.0 (X11; rv:59.0) Gecko/20100101 Firefox/59.0""#,
                ),
            ),
            (
                false,
                "any field is like \"*firefox*\", but the event has none like that",
                &at(r#""clientip":"10.0.0.1","agent":"curl/8.5.0""#),
            ),
        ],
    );
    check(
        &format!("{folder}/endemio+docker-efk/elastalert-telegram-dist.yaml"),
        &[
            (
                true,
                "type is \"critical\" (the event has \"CRITICAL\"",
                &at(r#""type":"CRITICAL","@log_name":"app","message":"out of disk""#),
            ),
            (
                false,
                "type is \"error\" or type is \"critical\", but the event has \"INFO\"",
                &at(r#""type":"INFO","@log_name":"app","message":"started""#),
            ),
        ],
    );
    check(
        &format!("{folder}/dft-bluebadge+elastalert/Successful_print_SFTP.yaml"),
        &[
            (
                true,
                "every clause",
                &at(r#""bluebadge":{"message":"Sftp complete: 12 files"}"#),
            ),
            (
                false,
                "bluebadge.message has the phrase \"sftp complete\", but the event has no such field",
                &at(r#""message":"Sftp complete: 12 files""#),
            ),
        ],
    );
}

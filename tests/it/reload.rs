//! Rules edited under the running service: what is loaded, what goes on, and what starts anew.

use crate::process::{Home, post, wait_for};
use serde_json::{Value, json};
use std::path::Path;

/// A rule whose alerts append their matches to `alerts`.
fn rule(home: &Home, options: &str) -> String {
    let alerts = home.path("alerts");
    format!(
        "index: logs\nalert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n{options}"
    )
}

/// Takes one event in.
#[track_caller]
fn send(home: &Home, number: u32, more: &Value) {
    let mut event = json!({"@timestamp": "2018-04-06T05:07:14Z", "number": number});
    let members = event.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    let (status, _) = post(
        &home.address("http"),
        "application/json",
        event.to_string().as_bytes(),
    )
    .unwrap();
    assert_eq!(status, 200);
}

/// Waits until the log says something for the `times`th time.
#[track_caller]
fn wait_for_log(home: &Home, what: &str, times: usize) {
    wait_for(&format!("{what:?} in the log"), || {
        (home.logged().matches(what).count() >= times).then_some(())
    });
}

/// The `number`s of the matches that alerts were sent for.
fn numbers(home: &Home) -> Vec<u64> {
    let alerts = home.alerts();
    alerts
        .iter()
        .map(|matched| matched["number"].as_u64().unwrap())
        .collect()
}

#[track_caller]
fn wait_for_numbers(home: &Home, expected: &[u64]) {
    wait_for(&format!("the alerts {expected:?}"), || {
        (numbers(home) == expected).then_some(())
    });
}

/// Puts a file in another's place at once, as editors and deployments do.
fn replace(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

const EVERY: &str = "type: any\nrealert: {minutes: 0}\n";

#[test]
fn rules_come_change_break_and_go() {
    let home = Home::new();
    let first = rule(
        &home,
        &format!("name: first\n{EVERY}filter: [{{term: {{kind: a}}}}]\n"),
    );
    home.write("rules/first.yaml", &first);
    let _process = home.start();
    let second = rule(
        &home,
        &format!("name: second\n{EVERY}filter: [{{term: {{kind: b}}}}]\n"),
    );
    home.write("rules/second.yaml", &second);
    wait_for_log(&home, "rule added rule=\"second\"", 1);
    let mut number = 100;
    wait_for("an alert of the new rule", || {
        number += 1;
        send(&home, number, &json!({"kind": "b"}));
        (!numbers(&home).is_empty()).then_some(())
    });
    // A version that cannot be loaded changes nothing.
    replace(
        &home.path("rules/first.yaml"),
        "name: first\ntype: any\nfilter: [\n",
    );
    wait_for_log(&home, "the rule goes on as it was", 1);
    send(&home, 2, &json!({"kind": "a"}));
    wait_for("the alert of the old version", || {
        (numbers(&home).last() == Some(&2)).then_some(())
    });
    replace(
        &home.path("rules/first.yaml"),
        &first.replace("kind: a", "kind: c"),
    );
    wait_for_log(&home, "rule reset", 1);
    assert!(home.logged().contains("because=\"filter\""));
    std::fs::remove_file(home.path("rules/second.yaml")).unwrap();
    wait_for_log(&home, "rule removed rule=\"second\"", 1);
    send(&home, 3, &json!({"kind": "b"}));
    send(&home, 4, &json!({"kind": "a"}));
    send(&home, 5, &json!({"kind": "c"}));
    wait_for("the alert of the edited rule", || {
        (numbers(&home).last() == Some(&5)).then_some(())
    });
    let alerted: Vec<u64> = numbers(&home);
    let of_edited: Vec<u64> = alerted.into_iter().filter(|number| *number < 100).collect();
    assert_eq!(of_edited, [2, 5]);
}

#[test]
fn a_window_goes_on_unless_its_meaning_changes() {
    let home = Home::new();
    let burst = rule(
        &home,
        "name: burst\ntype: frequency\nnum_events: 5\ntimeframe: {hours: 1}\nrealert: {minutes: 0}\n",
    );
    home.write("rules/burst.yaml", &burst);
    let _process = home.start();
    send(&home, 1, &json!({}));
    send(&home, 2, &json!({}));
    let three = burst.replace("num_events: 5", "num_events: 3\nalert_text: other");
    replace(&home.path("rules/burst.yaml"), &three);
    wait_for_log(&home, "rule migrated", 1);
    assert!(home.logged().contains("alert_text, num_events"));
    send(&home, 3, &json!({}));
    wait_for_numbers(&home, &[3]);
    send(&home, 4, &json!({}));
    send(&home, 5, &json!({}));
    let longer = three.replace("hours: 1", "hours: 2");
    replace(&home.path("rules/burst.yaml"), &longer);
    wait_for_log(&home, "rule reset", 1);
    assert!(home.logged().contains("because=\"timeframe\""));
    for number in 6..9 {
        send(&home, number, &json!({}));
    }
    wait_for_numbers(&home, &[3, 8]);
}

#[test]
fn silences_and_pending_aggregations_go_on() {
    let home = Home::new();
    let quiet = rule(
        &home,
        "name: quiet\ntype: any\nfilter: [{term: {kind: q}}]\nquery_key: client\nrealert: {hours: 1}\n",
    );
    let together = rule(
        &home,
        "name: together\ntype: any\nfilter: [{term: {kind: t}}]\naggregation: {seconds: 4}\n",
    );
    home.write("rules/quiet.yaml", &quiet);
    home.write("rules/together.yaml", &together);
    let _process = home.start();
    send(&home, 1, &json!({"kind": "q", "client": "a"}));
    wait_for_numbers(&home, &[1]);
    send(&home, 2, &json!({"kind": "t"}));
    replace(
        &home.path("rules/quiet.yaml"),
        &format!("{quiet}alert_text: other\n"),
    );
    replace(
        &home.path("rules/together.yaml"),
        &format!("{together}alert_text: other\n"),
    );
    wait_for_log(&home, "remembers rule=\"quiet\"", 1);
    wait_for_log(&home, "remembers rule=\"together\"", 1);
    send(&home, 3, &json!({"kind": "q", "client": "a"}));
    send(&home, 4, &json!({"kind": "t"}));
    wait_for_numbers(&home, &[1, 2, 4]);
    send(&home, 5, &json!({"kind": "q", "client": "b"}));
    wait_for_numbers(&home, &[1, 2, 4, 5]);
}

#[test]
fn imports_and_lists_elsewhere_are_watched() {
    let home = Home::new();
    std::fs::create_dir(home.path("shared")).unwrap();
    home.write("shared/common.yaml", "alert_subject: one\n");
    home.write("bad.txt", "x\n");
    let listed = rule(
        &home,
        "name: listed\ntype: blacklist\ncompare_key: client\nblacklist: [\"!file bad.txt\"]\nrealert: {minutes: 0}\n\
         import: ../shared/common.yaml\n",
    );
    home.write("rules/listed.yaml", &listed);
    let _process = home.start();
    replace(&home.path("shared/common.yaml"), "alert_subject: two\n");
    wait_for_log(&home, "rule migrated", 1);
    replace(&home.path("bad.txt"), "x\ny\n");
    let mut number = 0;
    wait_for("an alert of the longer list", || {
        number += 1;
        send(&home, number, &json!({"client": "y"}));
        (!numbers(&home).is_empty()).then_some(())
    });
}

#[test]
fn a_kubernetes_volume_is_loaded_once() {
    let home = Home::new();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(home.path(&format!("rules/{name}"))).unwrap();
        let options = format!("name: mounted\n{EVERY}alert_text: {text}\n");
        home.write(&format!("rules/{name}/r.yaml"), &rule(&home, &options));
        std::os::unix::fs::symlink(name, home.path("rules/..data_tmp")).unwrap();
        std::fs::rename(home.path("rules/..data_tmp"), home.path("rules/..data")).unwrap();
    };
    version("..2026_1", "one");
    std::os::unix::fs::symlink("..data/r.yaml", home.path("rules/r.yaml")).unwrap();
    let _process = home.start();
    version("..2026_2", "two");
    std::fs::remove_dir_all(home.path("rules/..2026_1")).unwrap();
    wait_for_log(&home, "remembers rule=\"mounted\"", 1);
    send(&home, 1, &json!({}));
    wait_for_numbers(&home, &[1]);
    assert_eq!(
        home.logged().matches("loaded rules=1").count(),
        2,
        "at start and after the swap"
    );
}

#[test]
fn pinned_rules_stay() {
    let home = Home::new();
    home.write("rules/r.yaml", &rule(&home, &format!("name: r\n{EVERY}")));
    let mut command = home.command();
    let process = crate::process::Process(command.arg("--pin_rules").spawn().unwrap());
    home.ready();
    home.write("rules/r.yaml", "name: r\ntype: [\n");
    process.signal("HUP");
    wait_for_log(&home, "rules are pinned", 1);
    send(&home, 1, &json!({}));
    wait_for_numbers(&home, &[1]);
}

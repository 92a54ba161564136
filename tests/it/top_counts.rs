//! `top_count_keys` of the running service: what the rule saw around its match, also before a crash.

use crate::process::{Home, JSON, post, wait_for};
use serde_json::{Value, json};

#[track_caller]
fn send(home: &Home, event: &Value) {
    let (status, _) = post(&home.address("http"), JSON, event.to_string().as_bytes()).unwrap();
    assert_eq!(status, 200);
}

#[test]
fn what_the_rule_saw_is_counted_across_a_crash() {
    let home = Home::new();
    let alerts = home.path("alerts");
    home.write(
        "rules/many.yaml",
        &format!(
            "name: many\nindex: logs\ntype: blacklist\ncompare_key: kind\nblacklist: [bad]\nfilter_by_list: false\n\
             filter: [{{term: {{host: h}}}}]\ntop_count_keys: [user.name, path]\ntop_count_number: 2\n\
             alert: command\ncommand: [tee, -a, {alerts:?}]\npipe_match_json: true\n"
        ),
    );
    let mut process = home.start();
    let event = |number: u32, kind: &str, user: &str, more: &Value| {
        let mut event = json!({
            "@timestamp": format!("2018-04-06T05:07:{number:02}Z"), "kind": kind, "host": "h", "user": {"name": user}
        });
        let members = event.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        event
    };
    send(
        &home,
        &event(1, "good", "ann", &json!({"path": ["/a", "/b"]})),
    );
    send(&home, &event(2, "good", "bob", &json!({"path": "/a"})));
    send(&home, &event(3, "good", "eve", &json!({"host": "another"})));
    process.signal("KILL");
    process.exit_within(crate::process::PATIENCE).unwrap();
    let _process = home.start();
    send(&home, &event(4, "bad", "bob", &json!({"path": 5})));
    let alert = wait_for("the alert", || home.alerts().into_iter().next());
    let counts = |key: &str| serde_json::to_string(&alert[key]).unwrap();
    assert_eq!(
        counts("top_events_user.name.keyword"),
        r#"{"bob":2,"ann":1}"#
    );
    assert_eq!(counts("top_events_path.keyword"), r#"{"/a":2,"/b":1}"#);
}

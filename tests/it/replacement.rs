//! A machine is replaced by another: what the old one wrote to Elasticsearch is all that the new one has.

use crate::process::{Home, PATIENCE, wait_for};
use crate::support::http::{block_on, request};
use crate::support::server::{self, opensearch, unique};
use serde_json::Value;
use std::collections::BTreeMap;

/// The documents of an index, and how many times each is there.
fn documents(url: &str, index: &str) -> Vec<Value> {
    block_on(async {
        request("POST", &format!("{url}/{index}/_refresh"), None).await;
        let path = format!("{url}/{index}/_search?size=1000&ignore_unavailable=true");
        let (_, answer) = request("GET", &path, None).await;
        let hits = answer["hits"]["hits"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        hits.into_iter().map(|hit| hit["_source"].clone()).collect()
    })
}

#[test]
fn a_new_machine_goes_on_where_the_old_one_stopped() {
    let Some(url) = opensearch() else { return };
    let index = unique("replaced");
    let home = Home::new();
    let config = std::fs::read_to_string(home.path("config.yml")).unwrap();
    let config = config.replace("elastalert_status", &index);
    home.write(
        "config.yml",
        &format!(
            "{config}{}retry: {{first: {{milliseconds: 200}}, longest: {{seconds: 1}}}}\n",
            server::options(url)
        ),
    );
    // One alert per client and hour.
    home.add_rule("silenced");
    let (together, failing, works) = (
        home.path("together"),
        home.path("failing"),
        home.path("works"),
    );
    home.write(
        "rules/together.yaml",
        &format!(
            "name: together\nindex: logs\ntype: any\nfilter: [{{term: {{kind: together}}}}]\naggregation: {{seconds: 15}}\n\
             aggregation_key: client\nalert: command\ncommand: [tee, -a, {together:?}]\npipe_match_json: true\n"
        ),
    );
    // Works once a file is there.
    home.write(
        "rules/failing.yaml",
        &format!(
            "name: failing\nindex: logs\ntype: any\nfilter: [{{term: {{kind: failing}}}}]\nrealert: {{minutes: 0}}\nalert: command\n\
             command: [sh, -c, 'test -e {works} && cat >> {failing}']\npipe_match_json: true\nfail_on_non_zero_exit: true\n",
            works = works.display(),
            failing = failing.display(),
        ),
    );
    let mut process = home.start();
    assert_eq!(home.post("silenced", "a", 1), 200);
    home.wait_for_alert("a");
    for (kind, number) in [("together", 2), ("together", 3), ("failing", 4)] {
        assert_eq!(home.post(kind, "a", number), 200);
    }
    let unsent = |documents: &[Value]| {
        let unsent = documents.iter().filter(|one| one["alert_sent"] == false);
        unsent.count()
    };
    wait_for("everything in OpenSearch", || {
        let silences = documents(url, &format!("{index}_silence"));
        let alerts = documents(url, &index);
        (unsent(&alerts) == 3 && alerts.len() == 4 && !silences.is_empty()).then_some(())
    });
    process.0.kill().unwrap();
    process.0.wait().unwrap();
    std::fs::remove_dir_all(home.path("tripline-state")).unwrap();

    let mut process = home.start();
    assert!(
        home.logged().contains("taken over from Elasticsearch"),
        "{}",
        home.logged()
    );
    std::fs::write(&works, "").unwrap();
    assert_eq!(home.post("silenced", "a", 5), 200);
    assert_eq!(home.post("silenced", "b", 6), 200);
    assert_eq!(home.post("together", "a", 7), 200);
    home.wait_for_alert("b");
    let numbers = |file: &str| {
        let numbers = home.matches(file);
        numbers
            .iter()
            .map(|one| one["number"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    wait_for("the failed alert", || {
        (numbers("failing") == [4]).then_some(())
    });
    wait_for("the aggregation", || {
        (numbers("together").len() == 3).then_some(())
    });
    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
    // The silence of `a` was known.
    assert_eq!(home.alerted(), ["a", "b"]);
    assert_eq!(numbers("together"), [2, 3, 7]);
    assert_eq!(numbers("failing"), [4]);

    wait_for("every document once, and sent", || {
        let documents = documents(url, &index);
        let mut times: BTreeMap<u64, usize> = BTreeMap::new();
        for document in &documents {
            let number = document["match_body"]["number"].as_u64().unwrap();
            *times.entry(number).or_default() += 1;
        }
        let all = [1, 2, 3, 4, 6, 7].map(|number| (number, 1));
        (unsent(&documents) == 0 && times == BTreeMap::from(all)).then_some(())
    });
}

//! Random histories with crashes, compared with a plain map.

use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<Change>, Commit),
    /// Elasticsearch takes so many changes; some of what it says is lost.
    Forward {
        count: usize,
        heard: bool,
    },
    Flush,
    /// The process is killed; the next one applies the whole journal again.
    Crash,
}

/// What becomes of document `id` of an index: written with a time and a flag, or deleted.
type Change = (Index, u8, Option<(i64, bool)>);

fn change() -> impl Strategy<Value = Change> {
    let index = prop::sample::select(&[Index::Alerts, Index::Silence, Index::Status][..]);
    (index, 0..6u8, prop::option::of((0..5i64, any::<bool>())))
}

fn step() -> impl Strategy<Value = Step> {
    let commit = prop::sample::select(&[Commit::Durable, Commit::Lazy][..]);
    prop_oneof![
        5 => (prop::collection::vec(change(), 1..6), commit).prop_map(|(c, k)| Step::Apply(c, k)),
        3 => (1..4usize, any::<bool>()).prop_map(|(count, heard)| Step::Forward { count, heard }),
        1 => Just(Step::Flush),
        2 => Just(Step::Crash),
    ]
}

fn write((index, id, content): &Change) -> Write {
    let id = format!("d{id}");
    let Some((time, flag)) = *content else {
        return delete(*index, &id);
    };
    match index {
        Index::Silence => silence(&id, if flag { "r" } else { "s" }, NOW.0 + time, 1),
        Index::Alerts => alert(&id, NOW.0 + time, flag),
        Index::Status | Index::Error | Index::Past => status(&id, NOW.0 + time),
    }
}

type Map = BTreeMap<(Index, String), String>;

fn apply_to(map: &mut Map, write: &Write) {
    let key = (write.index, write.id.to_string());
    match &write.op {
        Op::Put(document) => {
            map.insert(key, serde_json::to_string(document).unwrap());
        }
        Op::Delete => {
            map.remove(&key);
        }
    }
}

fn forward(documents: &Documents, remote: &mut Map, count: usize, heard: bool) -> usize {
    let changes = documents.outgoing(0, count, usize::MAX).unwrap();
    for change in &changes {
        let key = (change.index, change.id.clone());
        match &change.json {
            Some(json) => remote.insert(key, json.clone()),
            None => remote.remove(&key),
        };
    }
    if heard {
        let positions: Vec<u64> = changes.iter().map(|change| change.position).collect();
        documents.acknowledge(&positions).unwrap();
    }
    changes.len()
}

/// Everything the store answers, against the map.
fn check_against(documents: &Documents, expected: &Map) {
    let mut found = Map::new();
    for index in Index::ALL {
        for stored in documents.newest(index).unwrap() {
            let stored = stored.unwrap();
            found.insert((index, stored.id), stored.json);
        }
    }
    assert_eq!(&found, expected);
    let bytes: usize = found
        .iter()
        .map(|((_, id), json)| id.len() + json.len())
        .sum();
    assert_eq!(documents.size().unwrap(), bytes as u64);

    let (mut unsent, mut silences) = (Vec::new(), BTreeMap::new());
    for ((index, id), json) in expected {
        let document: Document = serde_json::from_str(json).unwrap();
        if *index == Index::Silence {
            let key = document["rule_name"].as_str().unwrap().to_owned();
            let until = parse_iso(document["until"].as_str().unwrap())
                .unwrap()
                .micros;
            let last = silences.entry(key).or_insert(until);
            *last = until.max(*last);
        } else if *index == Index::Alerts && document["alert_sent"] == false {
            unsent.push(id.clone());
        }
    }
    let mut found_unsent: Vec<String> = documents
        .unsent_alerts()
        .unwrap()
        .into_iter()
        .map(|stored| stored.id)
        .collect();
    found_unsent.sort();
    assert_eq!(found_unsent, unsent);
    let found_silences: BTreeMap<String, i64> = documents
        .silences()
        .unwrap()
        .into_iter()
        .map(|silence| (silence.key, silence.until.0))
        .collect();
    assert_eq!(found_silences, silences);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_and_elasticsearch_end_as_the_journal_says(steps in prop::collection::vec(step(), 1..25)) {
        let mut directories = vec![TempDir::new().unwrap()];
        let mut documents = open(&directories[0]);
        let (mut journal, mut expected, mut remote) = (Vec::new(), Map::new(), Map::new());
        for step in steps {
            match step {
                Step::Apply(changes, commit) => {
                    let writes: Vec<(u64, Write)> = (journal.len() as u64 + 1..)
                        .zip(changes.iter().map(write))
                        .collect();
                    documents.apply(&writes, commit).unwrap();
                    for (_, write) in &writes {
                        apply_to(&mut expected, write);
                    }
                    journal.extend(writes);
                }
                Step::Forward { count, heard } => {
                    forward(&documents, &mut remote, count, heard);
                }
                Step::Flush => documents.flush().unwrap(),
                Step::Crash => {
                    let next = TempDir::new().unwrap();
                    let before = directories.last().unwrap().path().join(FILE);
                    std::fs::copy(before, next.path().join(FILE)).unwrap();
                    documents = open(&next);
                    documents.apply(&journal, Commit::Lazy).unwrap();
                    directories.push(next);
                }
            }
            check_against(&documents, &expected);
        }
        while forward(&documents, &mut remote, 7, true) > 0 {}
        prop_assert_eq!(remote, expected);
    }
}

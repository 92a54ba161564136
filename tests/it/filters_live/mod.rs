//! Random documents and random filters, put both to a real OpenSearch and to us.
//!
//! The seeds are [`SEEDS`]; `TRIPLINE_LIVE_SEED` asks for another one, `random` for a new one each time (it is printed).
//! `TRIPLINE_LIVE_ROUNDS` asks for more rounds per seed (default 6, one per kind of mapping; a round is an index of 40 documents and 400
//! filters).
//!
//! Left out is what one document cannot answer: limits on how many terms a server tries (`max_expansions`, `rewrite: top_terms_N`), scores
//! (`min_score`), scripts and joins; there are few enough words that the default limits are never met. `now` is only asked for in ways that
//! the second of the answer does not change, as documents have dates that are years old.

mod dates;
mod fulltext;
mod lucene;
mod mappings;
mod queries;
mod recorded;
mod values;
mod verdict;

use crate::golden::filters::{Index, node};
use crate::support::dice::Dice;
use crate::support::http::{block_on, request};
use crate::support::server::{opensearch, unique};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};
use tripline::event::WallTime;
use tripline::filter::Mapping;
use verdict::Verdict;

/// What is run unless another seed is asked for: the first ones.
const SEEDS: &[u64] = &[1, 2, 3];
/// Kinds of mappings.
const KINDS: u64 = 6;
const DOCUMENTS: usize = 40;
/// How many where each has an index of its own.
const APART: usize = 12;
const FILTERS: usize = 400;
/// How many filters a server is asked for at once.
const TOGETHER: usize = 20;
/// How many disagreements are printed.
const SHOWN: usize = 100;

/// What to make an index of and ask it.
struct Round {
    /// The kind of mapping, for messages.
    kind: String,
    /// What the index is made with.
    create: Value,
    /// The same for us.
    mapping: Mapping,
    documents: Vec<Map<String, Value>>,
    filters: Vec<Value>,
    /// Whether each document has an index of its own, as fields typed by the event mean it.
    apart: bool,
}

/// Makes a random document.
type MakeDocument = dyn FnMut(&mut Dice) -> Map<String, Value>;

impl Round {
    fn random(kind: u64, dice: &mut Dice) -> Self {
        let mut document: Box<MakeDocument> = Box::new(values::document);
        let mut ask: fn(&mut Dice) -> Value = queries::filter;
        let (kind, create, mapping) = match kind % KINDS {
            0 => ("dynamic", json!({}), Mapping::dynamic()),
            1 => {
                let create = json!({"mappings": recorded::logstash_template()});
                ("logstash", create, Mapping::logstash())
            }
            2 => {
                let (mapping, settings) = values::explicit();
                let create = json!({"mappings": mapping, "settings": settings});
                let mapping = Mapping::explicit(&node(&create)).unwrap();
                document = Box::new(values::typed_document);
                ("explicit", create, mapping)
            }
            3 => {
                let (mapping, settings) = mappings::mapping(dice);
                let create = json!({"mappings": mapping, "settings": settings});
                let ours = Mapping::explicit(&node(&create));
                let ours = ours.unwrap_or_else(|problems| panic!("{create}: {problems:?}"));
                document = Box::new(move |dice| mappings::document(dice, &mapping));
                ("random", create, ours)
            }
            4 => ("by event", json!({}), Mapping::dynamic()),
            _ => {
                let mapping = dates::mapping(dice);
                let create = json!({"mappings": mapping});
                document = Box::new(dates::document);
                ask = dates::filter;
                let ours = Mapping::explicit(&node(&create)).unwrap();
                ("dates", create, ours)
            }
        };
        let apart = kind == "by event";
        let count = if apart { APART } else { DOCUMENTS };
        let documents = (0..count).map(|_| document(dice)).collect();
        Self {
            kind: kind.to_owned(),
            create,
            mapping,
            documents,
            filters: (0..FILTERS).map(|_| ask(dice)).collect(),
            apart,
        }
    }
}

/// What a server answered: which documents, or why none.
type Answer = Result<Vec<Option<bool>>, String>;

struct Server {
    url: String,
    index: String,
    apart: bool,
    client: reqwest::Client,
}

impl Server {
    /// The index of the document with that number.
    fn index_of(&self, document: usize) -> String {
        if self.apart {
            format!("{}-{document}", self.index)
        } else {
            self.index.clone()
        }
    }

    /// Makes the index and puts the documents into it; which it took.
    /// `None` when it does not take the mapping.
    async fn fill(&self, round: &Round) -> Option<Vec<Result<(), String>>> {
        let mut create = round.create.clone();
        if create.get("settings").is_none() {
            create["settings"] = json!({});
        }
        create["settings"]["number_of_shards"] = json!(1);
        create["settings"]["number_of_replicas"] = json!(0);
        let indices = if self.apart { round.documents.len() } else { 1 };
        for at in 0..indices {
            let url = format!("{}/{}", self.url, self.index_of(at));
            let (status, answer) = request("PUT", &url, Some(create.clone())).await;
            if status != 200 {
                assert_eq!(round.kind, "random", "{create}: {answer}");
                return None;
            }
        }
        let mut lines = String::new();
        for (at, document) in round.documents.iter().enumerate() {
            let action = json!({"index": {"_index": self.index_of(at), "_id": at.to_string()}});
            lines.push_str(&action.to_string());
            lines.push('\n');
            lines.push_str(&Value::Object(document.clone()).to_string());
            lines.push('\n');
        }
        let url = format!("{}/_bulk?refresh=true", self.url);
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/x-ndjson")
            .body(lines)
            .send()
            .await
            .unwrap();
        let answer: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
        let items = answer["items"].as_array();
        let items = items.unwrap_or_else(|| panic!("{answer}")).iter();
        let taken = items.map(|item| match &item["index"]["error"] {
            Value::Null => Ok(()),
            error => Err(error.to_string()),
        });
        Some(taken.collect())
    }

    /// Asks for several filters at once.
    async fn ask(&self, filters: &[Value], taken: &[bool]) -> Vec<Answer> {
        let mut lines = String::new();
        for filter in filters {
            let entries: Vec<Value> = filter
                .as_array()
                .unwrap()
                .iter()
                .map(|entry| match entry.get("query") {
                    Some(inner) if inner.as_object().is_some_and(|inner| !inner.is_empty()) => {
                        inner.clone()
                    }
                    _ => entry.clone(),
                })
                .collect();
            let body = json!({"size": 1000, "_source": false, "query": {"bool": {"filter": {"bool": {"must": entries}}}}});
            lines.push_str(&format!("{{}}\n{body}\n"));
        }
        let pattern = if self.apart { "-*" } else { "" };
        let url = format!("{}/{}{pattern}/_msearch", self.url, self.index);
        let sent = self
            .client
            .post(url)
            .header("content-type", "application/x-ndjson")
            .body(lines)
            .send()
            .await
            .unwrap();
        let answer: Value = serde_json::from_str(&sent.text().await.unwrap()).unwrap();
        let Some(answers) = answer["responses"].as_array() else {
            // One that cannot be read fails all that are asked with it.
            if let [_] = filters {
                let cause = &answer["error"]["root_cause"][0];
                assert!(cause.is_object(), "{answer}");
                return vec![Err(cause.to_string())];
            }
            let (first, second) = filters.split_at(filters.len() / 2);
            let mut answers = Box::pin(self.ask(first, taken)).await;
            answers.extend(Box::pin(self.ask(second, taken)).await);
            return answers;
        };
        answers
            .iter()
            .map(|answer| self.read(answer, taken))
            .collect()
    }

    fn read(&self, answer: &Value, taken: &[bool]) -> Answer {
        let Some(hits) = answer["hits"]["hits"].as_array() else {
            let cause = &answer["error"]["root_cause"][0];
            return Err(if cause.is_null() {
                answer.to_string()
            } else {
                cause.to_string()
            });
        };
        let failures = answer["_shards"]["failures"].as_array();
        assert!(self.apart || failures.is_none(), "{answer}");
        let mut found: Vec<Option<bool>> =
            taken.iter().map(|taken| taken.then_some(false)).collect();
        for hit in hits {
            found[hit["_id"].as_str().unwrap().parse::<usize>().unwrap()] = Some(true);
        }
        for failure in failures.into_iter().flatten() {
            let index = failure["index"].as_str().unwrap();
            let number = index.rsplit('-').next().unwrap();
            found[number.parse::<usize>().unwrap()] = None;
        }
        Ok(found)
    }
}

/// What filters were compared to.
#[derive(Default)]
struct Outcome {
    compared: usize,
    /// How many differ as they should, by why.
    meant: BTreeMap<&'static str, usize>,
    disagreements: Vec<String>,
}

/// Compares one round.
async fn compare(url: &str, round: Round) -> Outcome {
    tripline::tls::install_provider();
    let server = Server {
        url: url.to_owned(),
        index: unique("live"),
        apart: round.apart,
        client: reqwest::Client::new(),
    };
    let mut outcome = Outcome::default();
    let kind = &round.kind;
    let Some(taken) = server.fill(&round).await else {
        return outcome;
    };
    let mut mapping = round.mapping.clone();
    let mut documents = Vec::new();
    let mut of_one = Vec::new();
    for (document, answer) in round.documents.iter().zip(&taken) {
        let mut alone = round.mapping.clone();
        let mapping = if round.apart {
            &mut alone
        } else {
            &mut mapping
        };
        let ours = mapping.learn(document);
        if ours.is_ok() != answer.is_ok() {
            let shown = Value::Object(document.clone());
            outcome.disagreements.push(format!(
                "[{kind}] document {shown}\nserver {answer:?}\nours {ours:?}"
            ));
        }
        documents.push(answer.is_ok().then(|| document.clone()));
        alone.close();
        of_one.push(alone);
    }
    if !round.apart {
        mapping.close();
    }
    let now = since_1970();
    let index = Index {
        mapping,
        documents,
        name: server.index.clone(),
        now: WallTime(i64::try_from(now.as_micros()).unwrap()),
    };
    let taken: Vec<bool> = taken.iter().map(Result::is_ok).collect();
    let mut answers = Vec::new();
    for filters in round.filters.chunks(TOGETHER) {
        answers.extend(server.ask(filters, &taken).await);
    }
    let of_one: Vec<Option<Index>> = of_one
        .into_iter()
        .zip(&index.documents)
        .enumerate()
        .map(|(at, (mapping, document))| {
            // Their numbers are their ids.
            let mut documents = vec![None; at];
            documents.push(Some(document.clone()?));
            Some(Index {
                mapping,
                documents,
                name: index.name.clone(),
                now: index.now,
            })
        })
        .collect();
    for (filter, answer) in round.filters.iter().zip(&answers) {
        outcome.compared += 1;
        let ours = say(&index, filter);
        let verdict = if round.apart {
            let alone: Vec<_> = of_one
                .iter()
                .map(|index| {
                    Some(say(index.as_ref()?, filter).map(|found| found.contains(&Some(true))))
                })
                .collect();
            verdict::apart(filter, answer, &ours, &alone, &index.documents)
        } else {
            verdict::together(filter, answer, &ours, &index.documents)
        };
        match verdict {
            Verdict::Same => {}
            Verdict::Meant(why) => *outcome.meant.entry(why).or_default() += 1,
            Verdict::Different(text) => outcome
                .disagreements
                .push(format!("[{kind}] {filter}\n{text}")),
        }
    }
    for at in 0..if round.apart {
        round.documents.len()
    } else {
        1
    } {
        request("DELETE", &format!("{url}/{}", server.index_of(at)), None).await;
    }
    outcome
}

/// What we say; a panic is a disagreement.
fn say(index: &Index, filter: &Value) -> verdict::Ours {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| index.answer(filter)))
        .unwrap_or_else(|_| Ok(Vec::new()))
}

#[expect(clippy::disallowed_methods, reason = "the server reads the clock, too")]
fn since_1970() -> std::time::Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap()
}

fn seeds() -> Vec<u64> {
    match std::env::var("TRIPLINE_LIVE_SEED").as_deref() {
        Ok("random") => vec![u64::from(since_1970().subsec_nanos())],
        Ok(seed) => vec![
            seed.parse()
                .expect("TRIPLINE_LIVE_SEED: a number or random"),
        ],
        Err(_) => SEEDS.to_vec(),
    }
}

/// Runs a seed.
fn run(url: &str, seed: u64, rounds: u64, total: &mut Outcome) {
    println!("TRIPLINE_LIVE_SEED={seed} TRIPLINE_LIVE_ROUNDS={rounds}");
    let mut dice = Dice(seed);
    let mut recorded = (rounds > KINDS).then(recorded::Files::read);
    for at in 0..rounds {
        // After a round of each kind come as many about recorded filters with something changed in them.
        let round = match &mut recorded {
            Some(recorded) if at % (2 * KINDS) >= KINDS => recorded.changed(&mut dice),
            _ => Round::random(at, &mut dice),
        };
        let found = block_on(compare(url, round));
        total.compared += found.compared;
        for (why, count) in found.meant {
            *total.meant.entry(why).or_default() += count;
        }
        let texts = found.disagreements.into_iter();
        total
            .disagreements
            .extend(texts.map(|text| format!("seed {seed}: {text}")));
    }
}

#[test]
fn filters_live() {
    let Some(url) = opensearch() else { return };
    let rounds = std::env::var("TRIPLINE_LIVE_ROUNDS").map_or(KINDS, |text| text.parse().unwrap());
    let mut outcome = Outcome::default();
    for seed in seeds() {
        run(url, seed, rounds, &mut outcome);
    }
    let disagreements = &outcome.disagreements;
    println!(
        "{} filters compared, {} disagreements",
        outcome.compared,
        disagreements.len()
    );
    for (why, count) in &outcome.meant {
        println!("{count} differ as they should: {why}");
    }
    let mut kinds = BTreeMap::<&str, usize>::new();
    for text in disagreements {
        *kinds.entry(text.split(']').next().unwrap()).or_default() += 1;
    }
    let shown: Vec<&str> = disagreements
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect();
    assert!(
        disagreements.is_empty(),
        "{kinds:?}\n{}",
        shown.join("\n\n")
    );
}

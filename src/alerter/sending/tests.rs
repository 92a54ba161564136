use super::*;
use crate::alert::{BodyStyle, Process, Template};
use crate::alerter::{Alerter, SendError};
use crate::config::{Data, Node, Packed, Properties, Span};
use crate::engine::{AlertId, PendingAlert};
use crate::event::{Document, FieldPath};
use crate::filter::{Filter, Mapping};
use crate::rule::{Common, IndexPattern, TimeField, TimeFormat, types};
use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tokio::sync::Semaphore;

/// What an alerter for tests does with alerts.
#[derive(Debug, Clone, Copy)]
enum Does {
    /// Sends when the test allows it.
    Wait,
    Fail,
    Panic,
    Hang,
    /// Keeps the alert's body.
    Body,
}

#[derive(Debug)]
struct Fake {
    does: Does,
    shared: Arc<Shared>,
}

/// What the alerters of a test have in common.
#[derive(Debug)]
struct Shared {
    /// Begun attempts, `RULE ALERT`.
    begun: Mutex<Vec<String>>,
    begun_count: Semaphore,
    allowed: Semaphore,
}

impl Alerter for Fake {
    fn info(&self) -> Document {
        Document::new()
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let line = format!("{} {}", alert.rule.name, alert.id);
            self.shared.begun.lock().unwrap().push(line);
            self.shared.begun_count.add_permits(1);
            match self.does {
                Does::Wait => {
                    self.shared.allowed.acquire().await.unwrap().forget();
                    Ok(())
                }
                Does::Fail => Err(SendError::Content("refused".to_owned())),
                Does::Panic => panic!("a bug"),
                Does::Hang => std::future::pending().await,
                Does::Body => {
                    let body = alert.body(BodyStyle::default())?;
                    self.shared.begun.lock().unwrap().push(body);
                    Ok(())
                }
            }
        })
    }
}

struct Harness {
    shared: Arc<Shared>,
    sending: Sending,
    outcomes: mpsc::Receiver<Ended>,
}

impl Harness {
    /// Rules `a` to `h`, each with one alerter; there is no other rule.
    fn new(does: Does, limits: Limits) -> Self {
        let shared = Arc::new(Shared {
            begun: Mutex::default(),
            begun_count: Semaphore::new(0),
            allowed: Semaphore::new(0),
        });
        let alerter: Arc<dyn Alerter> = Arc::new(Fake {
            does,
            shared: Arc::clone(&shared),
        });
        let outlets: HashMap<String, Arc<Outlet>> = ('a'..='h')
            .map(|name| {
                (
                    name.to_string(),
                    Arc::new(outlet(&name.to_string(), &alerter)),
                )
            })
            .collect();
        let (sender, outcomes) = mpsc::channel(64);
        let sources = Sources {
            outlet: Arc::new(move |name| outlets.get(name).cloned()),
            now: Arc::new(|| WallTime(0)),
        };
        Self {
            shared,
            sending: Sending::start(sources, limits, sender),
            outcomes,
        }
    }

    async fn deliver(&self, rule: &str, alert: &str) {
        let alert = PendingAlert {
            id: AlertId(alert.into()),
            rule: rule.into(),
            matches: vec![Document::from_iter([("ip".to_owned(), "10.0.0.1".into())])],
            time: WallTime(0),
        };
        let delivery = Delivery {
            alert: Arc::new(alert),
            alerter: 0,
            attempt: 1,
            ticket: None,
        };
        self.sending.deliveries().send(delivery).await.unwrap();
    }

    /// Waits for so many more attempts, then names all that have begun.
    async fn begun(&self, more: u32) -> Vec<String> {
        let permits = self.shared.begun_count.acquire_many(more);
        permits.await.unwrap().forget();
        self.shared.begun.lock().unwrap().clone()
    }

    fn allow(&self, count: usize) {
        self.shared.allowed.add_permits(count);
    }

    async fn outcome(&mut self) -> (String, Result<(), String>) {
        let outcome = self.outcomes.recv().await.unwrap().outcome;
        (outcome.alert.0.to_string(), outcome.result.map(drop))
    }
}

fn outlet(name: &str, alerter: &Arc<dyn Alerter>) -> Outlet {
    let process = Process {
        zone: jiff::tz::TimeZone::UTC,
        working_directory: PathBuf::new(),
        enhancements: crate::alert::enhancements::ENHANCEMENTS,
    };
    // Two placeholders, and no field.
    let node = |text| Node::text(text, &Span::nowhere());
    let no_fields = Node {
        data: Data::Seq(Vec::new()),
        ..node("")
    };
    let options = crate::config::Mapping(vec![
        (node("alert_text"), node("{0} {1}")),
        (node("alert_text_args"), no_fields),
    ]);
    let template = Template::new(&Properties::new(options), &process).unwrap();
    Outlet {
        rule: Arc::new(rule(name)),
        exits: vec![Exit {
            name: "fake",
            alerter: Arc::clone(alerter),
            template: Arc::new(template),
            secrets: crate::alerter::Secrets::default(),
        }],
        short_links: None,
    }
}

pub(in crate::alerter) fn rule(name: &str) -> Rule {
    let hour = Duration::from_secs(3600);
    let time = TimeField {
        path: FieldPath::new("@timestamp"),
        format: TimeFormat::Iso,
    };
    let common = Common {
        name: name.to_owned(),
        span: Span::nowhere(),
        query_key: None,
        time: time.clone(),
        timeframe: None,
        buffer_time: hour,
        run_every: hour,
        working_directory: PathBuf::new(),
        mapping: Mapping::default(),
        filters: Arc::default(),
    };
    let any = types::find("any").unwrap();
    Rule {
        name: name.to_owned(),
        file: Path::new("").into(),
        index: Arc::new(IndexPattern::new("", crate::rule::IndexStyle::Plain)),
        filter: Filter::load(&[], &Mapping::default()).unwrap(),
        type_name: "any",
        kind: (any.build)(&Properties::default(), &common).unwrap(),
        time: Arc::new(time),
        query_key: None,
        include: None,
        realert: hour,
        exponential_realert: None,
        realert_key: None,
        counted: None,
        aggregation: None,
        hours: None,
        alert_time_limit: hour,
        options: Packed::default(),
        state_fingerprint: 0,
    }
}

#[tokio::test]
async fn one_rule_in_order_others_beside_it() {
    let mut harness = Harness::new(Does::Wait, Limits::default());
    for (rule, alert) in [("a", "1"), ("a", "2"), ("b", "3")] {
        harness.deliver(rule, alert).await;
    }
    assert_eq!(harness.begun(2).await, ["a 1", "b 3"]);
    harness.allow(2);
    assert_eq!(harness.begun(1).await, ["a 1", "b 3", "a 2"]);
    harness.allow(1);
    let mut ended = Vec::new();
    for _ in 0..3 {
        ended.push(harness.outcome().await.0);
    }
    ended.sort();
    assert_eq!(ended, ["1", "2", "3"]);
}

#[tokio::test]
async fn places_are_limited_and_given_to_who_waited_longest() {
    let limits = Limits {
        at_once: 2,
        ..Limits::default()
    };
    let mut harness = Harness::new(Does::Wait, limits);
    for (rule, alert) in [("a", "1"), ("a", "2"), ("b", "3"), ("c", "4"), ("d", "5")] {
        harness.deliver(rule, alert).await;
    }
    assert_eq!(harness.begun(2).await, ["a 1", "b 3"]);
    // Whichever ends first, the next is the rule that came third, and `a` has to queue again.
    harness.allow(1);
    assert_eq!(harness.begun(1).await[2..], ["c 4"]);
    harness.allow(4);
    for _ in 0..5 {
        assert_eq!(harness.outcome().await.1, Ok(()));
    }
    assert_eq!(harness.begun(2).await.len(), 5);
}

#[tokio::test]
async fn a_lane_does_not_get_far_ahead_of_the_journal() {
    let mut harness = Harness::new(Does::Wait, Limits::default());
    harness.allow(100);
    for alert in 0..10 {
        harness.deliver("a", &alert.to_string()).await;
    }
    let mut ended = Vec::new();
    for _ in 0..UNJOURNALLED {
        ended.push(harness.outcomes.recv().await.unwrap());
    }
    // Another rule's lane goes on beside it; by then this one would have begun another attempt.
    harness.deliver("b", "11").await;
    assert_eq!(harness.outcome().await.0, "11");
    let begun = harness.shared.begun.lock().unwrap().len();
    assert_eq!(begun, UNJOURNALLED + 1);
    drop(ended);
    let mut rest = Vec::new();
    for _ in UNJOURNALLED..10 {
        rest.push(harness.outcome().await.0);
    }
    assert_eq!(rest, ["4", "5", "6", "7", "8", "9"]);
}

#[tokio::test]
async fn failures_are_outcomes() {
    let mut harness = Harness::new(Does::Fail, Limits::default());
    harness.deliver("a", "1").await;
    assert_eq!(
        harness.outcome().await,
        ("1".to_owned(), Err("refused".to_owned()))
    );
    harness.deliver("gone", "2").await;
    let gone = Err("rule \"gone\" no longer exists".to_owned());
    assert_eq!(harness.outcome().await, ("2".to_owned(), gone));

    let mut harness = Harness::new(Does::Panic, Limits::default());
    for alert in ["1", "2"] {
        harness.deliver("a", alert).await;
        let (id, result) = harness.outcome().await;
        assert_eq!(id, alert);
        assert!(result.unwrap_err().contains("unexpectedly"));
    }

    let limits = Limits {
        attempt: Duration::from_millis(1),
        ..Limits::default()
    };
    let mut harness = Harness::new(Does::Hang, limits);
    harness.deliver("a", "1").await;
    assert!(
        harness
            .outcome()
            .await
            .1
            .unwrap_err()
            .starts_with("not sent within")
    );
}

#[tokio::test]
async fn a_text_that_cannot_be_rendered_does_not_keep_the_alert_back() {
    let mut harness = Harness::new(Does::Body, Limits::default());
    harness.deliver("a", "1").await;
    assert_eq!(harness.outcome().await.1, Ok(()));
    let bodies = harness.begun(2).await;
    let body = bodies.last().unwrap();
    assert!(
        body.starts_with("a\n\nThe text of this rule cannot be rendered: "),
        "{body}"
    );
    assert!(body.contains("\nip: 10.0.0.1\n"), "{body}");
}

#[tokio::test]
async fn draining_sends_what_waits() {
    let mut harness = Harness::new(Does::Wait, Limits::default());
    for alert in ["1", "2", "3"] {
        harness.deliver("a", alert).await;
    }
    harness.allow(3);
    assert!(harness.sending.drain(Duration::from_secs(60)).await);
    let mut ended = 0;
    while harness.outcomes.recv().await.is_some() {
        ended += 1;
    }
    assert_eq!(ended, 3);
}

#[tokio::test]
async fn draining_ends_at_its_deadline() {
    let mut harness = Harness::new(Does::Hang, Limits::default());
    harness.deliver("a", "1").await;
    harness.begun(1).await;
    assert!(!harness.sending.drain(Duration::from_millis(1)).await);
    assert!(harness.outcomes.recv().await.is_none());
}

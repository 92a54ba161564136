//! The scenario tripline is made for: F5 ASM events from Logstash, the configuration and the rule of a running ElastAlert, a real
//! OpenSearch and a real SMTP server.

use crate::process::{Home, JSON, PATIENCE, post, repository, wait_for};
use crate::service::{self, Service};
use crate::support::http::{block_on, request};
use crate::support::server::unique;
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// As it was written for ElastAlert.
const CONFIGURATION: &str = "\
es_host: localhost
es_port: 9200
use_ssl: false
rules_folder: /var/lib/elastalert/rules
run_every:
  minutes: 2
buffer_time:
  minutes: 5
writeback_index: elastalert_status
alert_time_limit:
  minutes: 60
";

/// An event as Logstash sends it.
const EVENT: &str = r#"{"@timestamp":"2018-04-06T05:07:14.321Z","@version":"1","attack_type":"SQL-Injection","dest_port":"443","geoip":{"ip":"203.0.113.66","country_name":"Germany","latitude":50.1109,"location":{"lon":8.6821,"lat":50.1109}},"host":"bigip1.bluecore.net","ip_client":"203.0.113.66","method":"GET","policy_name":"/Common/www.bluecore.net","sig_names":["a \"quoted\" one","二つ目"],"time":"2018-04-06T05:07:14Z","type":"asm-message","uri":"/search?q=1%27%20or%201=1","violation_rating":"5","virus_name":null,"x_forward_for_utm":""}"#;

/// The mail's body, without the line of `_id`.
const BODY: &str = r#"Attack to WWW.BLUECORE.NET

@timestamp: 2018-04-06T05:07:14.321Z
@version: 1
_index: log-virocana-asm
attack_type: SQL-Injection
dest_port: 443
geoip: {
    "country_name": "Germany",
    "ip": "203.0.113.66",
    "latitude": 50.1109,
    "location": {
        "lat": 50.1109,
        "lon": 8.6821
    }
}
host: bigip1.bluecore.net
ip_client: 203.0.113.66
method: GET
num_hits: 1
num_matches: 1
policy_name: /Common/www.bluecore.net
sig_names: [
    "a \"quoted\" one",
    "二つ目"
]
time: 2018-04-06T05:07:14Z
type: asm-message
uri: /search?q=1%27%20or%201=1
violation_rating: 5
virus_name: None
x_forward_for_utm: 
"#;

const SILENCED: &str =
    r#"tripline_rule_matches_silenced_total{rule_name="Attack to WWW.BLUECORE.NET"}"#;

/// The scenario's folder, its indices, and its mailbox.
struct Scenario {
    home: Home,
    opensearch: String,
    index: String,
    mailbox: PathBuf,
    _mail_server: Service,
}

impl Scenario {
    fn new(inputs: &str) -> Self {
        let opensearch = service::shared("TRIPLINE_TEST_OPENSEARCH");
        let (_, port) = opensearch.rsplit_once(':').unwrap();
        let (mail_server, lines) = Service::start("smtp", &[]);
        let index = unique("elastalert_status");
        let configuration = CONFIGURATION
            .replace("es_host: localhost", "es_host: 127.0.0.1")
            .replace("9200", port)
            .replace("/var/lib/elastalert/rules", "RULES")
            .replace("elastalert_status", &index);
        let home = Home::configured(&format!(
            "{configuration}inputs: {inputs}\nweb: {{listen: \"127.0.0.1:0\"}}\n"
        ));
        let rule = std::fs::read_to_string(repository("rules/asm_alert.yaml")).unwrap();
        let (_, smtp_port) = lines[0].rsplit_once(':').unwrap();
        home.write(
            "rules/asm_alert.yaml",
            &format!("{rule}smtp_port: {smtp_port}\n"),
        );
        Self {
            home,
            opensearch,
            index,
            mailbox: PathBuf::from(&lines[1]),
            _mail_server: mail_server,
        }
    }

    fn mails(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(&self.mailbox).unwrap();
        let mails = serde_json::Deserializer::from_str(&text).into_iter();
        mails.map_while(Result::ok).collect()
    }

    /// The documents of an index in OpenSearch.
    fn documents(&self, suffix: &str) -> Vec<Value> {
        let url = format!("{}/{}{suffix}", self.opensearch, self.index);
        block_on(request("POST", &format!("{url}/_refresh"), None));
        let (status, answer) = block_on(request("GET", &format!("{url}/_search?size=100"), None));
        assert_eq!(status, 200, "{answer}");
        let hits = answer["hits"]["hits"].as_array().unwrap();
        hits.iter().map(|hit| hit["_source"].clone()).collect()
    }

    #[track_caller]
    fn wait_for_documents(&self, suffix: &str, count: usize) -> Vec<Value> {
        wait_for(&format!("{count} documents in {suffix:?}"), || {
            Some(self.documents(suffix)).filter(|documents| documents.len() == count)
        })
    }
}

/// What JSON in a body must be answered when every event was taken.
fn accepted(count: usize) -> (u16, Value) {
    let answer = json!({"accepted": count, "repeated": 0, "rejected": []});
    (200, answer)
}

#[test]
fn elastalerts_configuration_and_rule_send_elastalerts_mail() {
    let scenario = Scenario::new(
        "[{http: {listen: \"127.0.0.1:0\", index: log-virocana-asm}}, {tcp: {listen: \"127.0.0.1:0\", index: log-virocana-asm}}]",
    );
    let home = &scenario.home;
    let created = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["create-index", "--config"])
        .arg(home.path("config.yml"))
        .output()
        .unwrap();
    assert!(created.status.success(), "{created:?}");

    let mut process = home.start();
    // An event of `format => json`, a batch of `format => json_batch`, lines over TCP: one alert, the others come within `realert`.
    let harmless = EVENT.replace(r#""violation_rating":"5""#, r#""violation_rating":"0""#);
    let http = home.address("http");
    assert_eq!(post(&http, JSON, EVENT.as_bytes()).unwrap(), accepted(1));
    let batch = format!("[{harmless},{},{EVENT}]", EVENT.replace("SQL", "NoSQL"));
    assert_eq!(post(&http, JSON, batch.as_bytes()).unwrap(), accepted(3));
    let mut lines = TcpStream::connect(home.address("tcp")).unwrap();
    write!(lines, "{EVENT}\r\n{harmless}\n").unwrap();
    wait_for("matches held back", || {
        (home.metric(SILENCED) == 3.0).then_some(())
    });

    let mail = wait_for("the mail", || scenario.mails().pop());
    let header = |name: &str| {
        let headers = mail["headers"].as_array().unwrap();
        let found = headers.iter().find(|header| header[0] == name);
        found.map(|header| header[1].as_str().unwrap().to_owned())
    };
    assert_eq!(
        header("Subject").unwrap(),
        "[WWW.BLUECORE.NET] ASMからの攻撃通知"
    );
    assert_eq!(header("To").unwrap(), "soc@example.net, oncall@example.com");
    assert_eq!(header("From").unwrap(), "ElastAlert");
    assert_eq!(
        header("Reply-To").unwrap(),
        "soc@example.net, oncall@example.com"
    );
    assert!(header("Date").unwrap().ends_with("-0000"));
    assert_eq!(
        mail["rcpt_to"],
        json!(["soc@example.net", "oncall@example.com"])
    );
    let text = mail["parts"][0]["text"].as_str().unwrap();
    let (id, body): (Vec<&str>, Vec<&str>) = text
        .split_inclusive('\n')
        .partition(|line| line.starts_with("_id: "));
    assert_eq!(id.len(), 1);
    assert_eq!(body.concat(), BODY);

    let alert = scenario.wait_for_documents("", 1).remove(0);
    assert_eq!(alert["alert_sent"], true);
    assert_eq!(alert["rule_name"], "Attack to WWW.BLUECORE.NET");
    assert_eq!(alert["match_time"], "2018-04-06T05:07:14Z");
    assert_eq!(alert["match_body"]["uri"], "/search?q=1%27%20or%201=1");
    assert_eq!(
        alert["alert_info"]["recipients"],
        json!(["soc@example.net", "oncall@example.com"])
    );
    let silence = scenario.wait_for_documents("_silence", 1).remove(0);
    assert_eq!(silence["rule_name"], "Attack to WWW.BLUECORE.NET");
    assert_eq!(silence["exponent"], 0);

    process.signal("TERM");
    assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));

    // The next start finds the silence in its store, and one without that store in OpenSearch.
    for starts in 1..=2 {
        if starts == 2 {
            std::fs::remove_dir_all(home.path("tripline-state")).unwrap();
        }
        let mut process = home.start();
        let status = scenario.wait_for_documents("_status", starts);
        let first = status.iter().find(|document| document["hits"] == 4);
        assert_eq!(first.unwrap()["matches"], 4, "{status:?}");
        assert_eq!(
            post(&home.address("http"), JSON, EVENT.as_bytes()).unwrap(),
            accepted(1)
        );
        assert_eq!(home.metric(SILENCED), 1.0);
        process.signal("TERM");
        assert_eq!(process.exit_within(PATIENCE).unwrap().code(), Some(0));
    }
    assert_eq!(scenario.mails().len(), 1);
    assert_eq!(scenario.documents("").len(), 1);
    assert_eq!(scenario.documents("_silence").len(), 1);
    assert!(scenario.documents("_error").is_empty());
    assert!(scenario.documents("_past").is_empty());
}

#[test]
fn events_from_a_pipe_send_the_same_mail() {
    let scenario = Scenario::new("[]");
    let mut child = scenario
        .home
        .command()
        .arg("--stdin")
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    for number in 0..100 {
        writeln!(pipe, "{}", EVENT.replace("443", &number.to_string())).unwrap();
    }
    drop(pipe);
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    let mails = scenario.mails();
    assert_eq!(mails.len(), 1);
    let text = mails[0]["parts"][0]["text"].as_str().unwrap();
    assert!(text.contains("dest_port: 0\n"), "{text}");
    let log = scenario.home.logged();
    assert!(log.contains("100 events, 0 bad"), "{log}");
    // All that was written is in OpenSearch when the program has ended.
    assert_eq!(scenario.documents("").len(), 1);
    assert_eq!(scenario.documents("_status")[0]["matches"], 100);
}

use super::bulk::{body, is_final};
use super::search::range_query;
use super::*;
use crate::store::documents::Outgoing;
use serde_json::json;

#[track_caller]
fn check_base(host: &str, change: impl FnOnce(&mut EsConfig), expected: &str) {
    let mut config = EsConfig {
        hosts: vec![host.to_owned()],
        ..EsConfig::default()
    };
    change(&mut config);
    let bases = config.bases().map_err(|error| error.to_string());
    assert_eq!(bases, Ok(vec![expected.to_owned()]));
}

#[test]
fn hosts_are_names_addresses_or_urls() {
    check_base("localhost", |_| {}, "http://localhost:9200");
    check_base("localhost", |c| c.use_ssl = true, "https://localhost:9200");
    check_base("es1:9201", |_| {}, "http://es1:9201");
    check_base("es1:80", |_| {}, "http://es1");
    check_base("es1", |c| c.port = 443, "http://es1:443");
    check_base("::1", |_| {}, "http://[::1]:9200");
    check_base("[::1]:9201", |_| {}, "http://[::1]:9201");
    check_base("https://es1:443/x/", |_| {}, "https://es1/x");
    check_base(
        "https://user:secret@es1",
        |c| c.url_prefix = "/es/".into(),
        "https://es1:9200/es",
    );
}

#[test]
fn hosts_that_make_no_url_are_named_without_their_password() {
    for host in ["", "ftp://user:secret@es1", "http://user:secret@ bad"] {
        let config = EsConfig {
            hosts: vec![host.to_owned()],
            ..EsConfig::default()
        };
        let error = config.bases().unwrap_err();
        assert!(matches!(error, ConfigError::Host { .. }), "{error}");
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(matches!(
        EsConfig::default().bases(),
        Err(ConfigError::NoHost)
    ));
}

#[test]
fn what_cannot_work_is_told_before_connecting() {
    let config = |change: fn(&mut EsConfig)| {
        let mut config = EsConfig {
            hosts: vec!["localhost".to_owned()],
            ..EsConfig::default()
        };
        change(&mut config);
        Client::new(&config).map(|_| ()).map_err(|e| e.to_string())
    };
    assert_eq!(config(|_| {}), Ok(()));
    let aws = config(|c| c.aws_region = Some("eu-west-1".into())).unwrap_err();
    assert!(aws.contains("signed for AWS"), "{aws}");
    let file = config(|c| c.ca_certs = Some("/nowhere/ca.pem".into())).unwrap_err();
    assert_eq!(file, "`ca_certs`: /nowhere/ca.pem cannot be read");
    let key = config(|c| c.client_key = Some("key.pem".into())).unwrap_err();
    assert_eq!(key, "`client_key` is set without `client_cert`");
}

#[test]
fn secrets_do_not_show_in_debug_output() {
    let credentials = Credentials::Basic {
        username: "elastic".into(),
        password: "secret".into(),
    };
    let config = EsConfig {
        hosts: vec!["https://elastic:secret@es1".into()],
        headers: vec![("X-Token".into(), "secret".into())],
        credentials,
        ..EsConfig::default()
    };
    let shown = format!("{config:?}");
    assert!(!shown.contains("secret"), "{shown}");
    assert!(shown.contains("\"es1\""), "{shown}");
}

#[test]
fn versions_are_read_as_elastalert_reads_them() {
    for (number, distribution, generation) in [
        ("7.10.2", "", Some(Generation::Seven)),
        ("7.17.0", "", Some(Generation::Seven)),
        ("8.11.0", "", Some(Generation::Eight)),
        ("9.1.0", "", Some(Generation::Eight)),
        ("1.3.0", "opensearch", Some(Generation::Seven)),
        ("2.19.6", "opensearch", Some(Generation::Eight)),
        ("3.8.0", "opensearch", Some(Generation::Eight)),
        ("6.8.0", "", None),
    ] {
        let answer = json!({"version": {"number": number, "distribution": distribution}});
        let version = Version::read(&answer).unwrap();
        assert_eq!(version.generation().ok(), generation, "{number}");
    }
    for answer in [json!({}), json!({"version": {"number": "new"}})] {
        assert_eq!(Version::read(&answer), None);
    }
}

#[test]
fn a_bulk_body_has_a_line_per_action_and_document() {
    let changes = [
        Outgoing {
            position: 1,
            index: Index::Status,
            id: "a\"1".into(),
            json: Some(r#"{"matches":1}"#.into()),
        },
        Outgoing {
            position: 2,
            index: Index::Alerts,
            id: "b".into(),
            json: None,
        },
    ];
    assert_eq!(
        body("elastalert_status", &changes),
        "{\"index\":{\"_index\":\"elastalert_status_status\",\"_id\":\"a\\\"1\"}}\n\
         {\"matches\":1}\n\
         {\"delete\":{\"_index\":\"elastalert_status\",\"_id\":\"b\"}}\n"
    );
}

#[test]
fn only_what_can_never_work_is_given_up() {
    for (status, kind, expected) in [
        (400, "mapper_parsing_exception", true),
        (400, "document_parsing_exception", true),
        (400, "index_closed_exception", false),
        (403, "cluster_block_exception", false),
        (403, "security_exception", false),
        (404, "index_not_found_exception", false),
        (429, "es_rejected_execution_exception", false),
        (503, "unavailable_shards_exception", false),
    ] {
        assert_eq!(is_final(status, kind), expected, "{status} {kind}");
    }
}

#[test]
fn a_rules_query_is_its_filters_within_the_time_range() {
    let filters = [
        json!({"query": {"term": {"a": 1}}}),
        json!({"term": {"b": 2}}),
    ];
    assert_eq!(
        range_query(&filters, "time", &json!("t1"), &json!("t2")),
        json!({"bool": {"filter": {"bool": {"must": [
            {"range": {"time": {"gt": "t1", "lte": "t2"}}},
            {"term": {"a": 1}},
            {"term": {"b": 2}},
        ]}}}})
    );
}

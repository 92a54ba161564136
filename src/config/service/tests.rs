use super::*;
use std::fs;

fn load_with(text: &str, environment: Environment<'_>) -> (Service, Vec<String>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.yml");
    fs::write(&path, text).unwrap();
    let (service, problems) = Service::load(&Sources {
        path: Some(&path),
        environment,
        expand: true,
        rule_options: &[],
        known: &|_| false,
    });
    let folder = format!("{}/", folder.path().display());
    let problems = problems
        .iter()
        .map(|problem| problem.to_string().replace(&folder, ""))
        .collect();
    (service, problems)
}

fn load(text: &str) -> (Service, Vec<String>) {
    load_with(text, &|_| None)
}

#[track_caller]
fn check_problems(text: &str, expected: &[&str]) -> Service {
    let (service, problems) = load(text);
    assert_eq!(problems, expected);
    service
}

#[test]
fn elastalerts_file_loads_unchanged() {
    let service = check_problems(
        "es_host: localhost
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
",
        &[],
    );
    assert_eq!(
        service.rules_folders,
        [PathBuf::from("/var/lib/elastalert/rules")]
    );
    assert_eq!(service.run_every, Duration::from_secs(120));
    assert_eq!(service.buffer_time, Duration::from_secs(300));
    assert_eq!(service.lateness, Duration::from_secs(300), "as buffer_time");
    assert_eq!(service.alert_time_limit, Duration::from_secs(3600));
    let elasticsearch = service.elasticsearch.unwrap();
    assert_eq!(
        (elasticsearch.hosts, elasticsearch.port),
        (vec!["localhost".to_owned()], 9200)
    );
    assert!(service.scan_subdirectories);
}

#[test]
fn nothing_is_required() {
    let service = check_problems("", &[]);
    assert!(service.elasticsearch.is_none());
    assert_eq!(service.rules_folders, [PathBuf::from("rules")]);
    assert_eq!(service.writeback_index, "elastalert_status");
    assert_eq!(service.run_every, Duration::from_secs(60));
    assert_eq!(service.alert_time_limit, Duration::from_secs(2 * 86_400));
    assert!(service.store.ends_with("tripline-state"));
    assert_eq!(service.dead_letter.path, service.store.join("dead-letter"));
    let inputs = service.inputs(false);
    let names: Vec<&str> = inputs.iter().map(InputConfig::name).collect();
    assert_eq!(names, ["http", "tcp"]);
    assert_eq!(service.inputs(true).len(), 1, "--stdin is enough alone");
}

#[test]
fn our_own_keys() {
    let service = check_problems(
        "inputs:
- stdin
- tcp: {listen: \"localhost:9\", name: plain, max_event_size: 2MiB, codec: json}
- http:
    listen: 127.0.0.1:0
    index: log-%{type}-%{+yyyy.MM.dd}
    tls: {cert: c.pem, key: k.pem, client_ca: ca.pem}
    auth: {username: logstash, password: geheim, bearer: token}
    max_body_size: 1000
    idle_timeout: {minutes: 10}
store: {path: /state, max_kept: 1MiB, max_spilled: 0}
web: {listen: \"0.0.0.0:1\"}
future_tolerance: {minutes: 1}
lateness: {hours: 1}
dead_letter: {max_size: 1MB}
",
        &[],
    );
    let [
        InputConfig::Stdin(_),
        InputConfig::Tcp(tcp),
        InputConfig::Http(http),
    ] = &service.inputs[..]
    else {
        panic!("{:?}", service.inputs)
    };
    assert_eq!(tcp.source.name, "plain");
    assert_eq!(tcp.source.max_event_size, 2 << 20);
    assert_eq!(tcp.listen.address, "127.0.0.1:9".parse().unwrap());
    assert_eq!(
        http.source.index.as_deref(),
        Some("log-%{type}-%{+yyyy.MM.dd}")
    );
    assert_eq!(
        http.listen.tls.as_ref().unwrap().client_ca,
        Some(PathBuf::from("ca.pem"))
    );
    let auth = http.auth.as_ref().unwrap();
    assert_eq!(
        auth.basic,
        Some(("logstash".to_owned(), "geheim".to_owned()))
    );
    assert!(!format!("{service:?}").contains("geheim"));
    assert_eq!(
        (http.max_body_size, http.idle_timeout),
        (1000, Duration::from_secs(600))
    );
    assert_eq!(service.web, Some("0.0.0.0:1".parse().unwrap()));
    assert_eq!(
        service.store_limits,
        StoreLimits {
            max_kept: 1 << 20,
            max_spilled: 0,
            ..StoreLimits::default()
        }
    );
    assert_eq!(
        service.dead_letter,
        DeadLetterConfig {
            path: PathBuf::from("/state/dead-letter"),
            max_size: 1_000_000
        }
    );
}

#[test]
fn everything_wrong_is_said_at_once() {
    check_problems(
        "run_every: 5m
rules_loader: my.Loader
bufer_time: {minutes: 5}
scroll_keepalive: 30s
inputs:
- http: {listen: localhost, max_body_size: many}
- tpc: {}
- tcp: {listen: \"0.0.0.0:1\", tls: {cert: c.pem}}
- http: {auth: {username: x}}
- [http]
- tcp: {port: 5}
store: /state
",
        &[
            "config.yml:1:12: error[E0601]: `run_every` takes an object such as {minutes: 5}, found text `5m` (write run_every: {minutes: 5})",
            "config.yml:2:15: error[E0810]: rules are loaded from files only (remove `rules_loader`: a Python class cannot be used)",
            "config.yml:3:1: warning[W0604]: unknown option `bufer_time` (did you mean `buffer_time`?)",
            "config.yml:4:1: note[N0606]: `scroll_keepalive` has no effect here: events come in by themselves, nothing is queried",
            "config.yml:6:18: error[E0801]: `localhost` is no address to listen on (write an IP address and a port: \"127.0.0.1:8555\", \"0.0.0.0:8555\")",
            "config.yml:6:44: error[E0802]: `many` is no size in bytes (write a number, or one with a unit: 64MiB)",
            "config.yml:7:3: error[E0805]: there is no input `tpc` (did you mean `tcp`?)",
            "config.yml:8:17: warning[W0808]: the input `tcp` takes events from anyone who reaches 0.0.0.0:1 (give it tls with client_ca, or let it listen on 127.0.0.1)",
            "config.yml:8:35: error[E0602]: the option `key` is missing: PEM file with its private key (it takes text)",
            "config.yml:9:3: error[E0806]: two inputs are called `http` (give one of them another `name`)",
            "config.yml:9:16: error[E0807]: basic auth takes a user name and a password (give username and password, or bearer)",
            "config.yml:10:3: error[E0805]: an input is an object with its kind as the only key, found a list (write - http: {listen: \"127.0.0.1:8555\"}, - tcp: {…} or - stdin)",
            "config.yml:11:3: error[E0806]: two inputs are called `tcp` (give one of them another `name`)",
            "config.yml:11:9: warning[W0604]: unknown option `port`",
            "config.yml:12:8: error[E0601]: `store` takes an object, found text `/state`",
        ],
    );
}

#[test]
fn ticks_are_apart() {
    check_problems(
        "run_every: {minutes: 0}\n",
        &[
            "config.yml:1:12: error[E0811]: `run_every` is nothing, so there would be no end of ticks (write run_every: {minutes: 1})",
        ],
    );
}

#[test]
fn the_environment_decides_over_the_file() {
    let environment = |name: &str| {
        let value = match name {
            "ES_HOST" => "search.example",
            "ES_PORT" => "9201",
            "ES_USE_SSL" => "True",
            "ES_USERNAME" => "u",
            "ES_PASSWORD" => "p",
            "STATE_DIRECTORY" => "/var/lib/tripline:/other",
            "FOLDER" => "alerts",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let (service, problems) = load_with(
        "es_host: other\nrules_folder: $FOLDER/rules\n",
        &environment,
    );
    let problems: Vec<&str> = problems.iter().map(String::as_str).collect();
    assert_eq!(
        problems,
        [
            "config.yml:2:15: note[N0114]: `$FOLDER` was replaced by the environment variable `FOLDER`"
        ]
    );
    assert_eq!(service.rules_folders, [PathBuf::from("alerts/rules")]);
    assert_eq!(service.store, PathBuf::from("/var/lib/tripline"));
    let elasticsearch = service.elasticsearch.unwrap();
    assert_eq!(
        (
            &elasticsearch.hosts[..],
            elasticsearch.port,
            elasticsearch.use_ssl
        ),
        (&["search.example".to_owned()][..], 9201, true)
    );
    assert_eq!(
        elasticsearch.credentials,
        Credentials::Basic {
            username: "u".to_owned(),
            password: "p".to_owned()
        }
    );
    let (_, problems) = load_with("", &|name| {
        (name == "ES_HOST" || name == "ES_PORT").then(|| "x".to_owned())
    });
    assert_eq!(
        problems,
        ["$ES_PORT:1:1: error[E0809]: `es_port` is no port: `x`"]
    );
}

#[test]
fn secrets_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("password");
    fs::write(&secret, "s3cret\n").unwrap();
    let (service, problems) = load(&format!(
        "es_host: h\nes_username: u\nes_password_file: {}\ninputs:\n- http: {{auth: {{bearer_file: {}/none}}}}\n",
        secret.display(),
        folder.path().display()
    ));
    let credentials = service.elasticsearch.unwrap().credentials;
    assert_eq!(
        credentials,
        Credentials::Basic {
            username: "u".to_owned(),
            password: "s3cret".to_owned()
        }
    );
    assert_eq!(format!("{credentials:?}"), "Basic(…)");
    assert!(
        problems[1].contains("error[E0803]: `bearer_file`:"),
        "{problems:?}"
    );
}

#[test]
fn a_missing_file_is_an_error_only_when_it_was_asked_for() {
    let sources = |path| Sources {
        path,
        environment: &|_| None,
        expand: true,
        rule_options: &[],
        known: &|_| false,
    };
    let (_, problems) = Service::load(&sources(Some(Path::new("/nowhere/config.yml"))));
    assert_eq!(problems[0].code, "E0101");
    let (service, problems) = Service::load(&sources(None));
    assert!(
        problems.is_empty() && service.file.is_none(),
        "{problems:?}"
    );
}

//! The options of the configuration file that are about the service itself. Every option of a rule may stand there too, as a default.

use crate::config::{Kind, OptionSpec, opt};

const PORT: Kind = Kind::AnyOf(&[Kind::Int, Kind::Str]);
/// Bytes, or a text such as `100MiB`.
pub(super) const SIZE: Kind = Kind::AnyOf(&[Kind::Int, Kind::Str]);

const NOT_POLLED: &str = "events come in by themselves, nothing is queried";
const NEVER_DISABLED: &str = "a rule that cannot be loaded is left out with an error, the others run; one that fails while running rests for a while and goes on";

/// How Elasticsearch or OpenSearch is reached. Rules may have these too.
pub const ELASTICSEARCH: &[OptionSpec] = &[
    opt("es_host").doc("Host name or URL of the Elasticsearch or OpenSearch for writeback; without it none is used."),
    opt("es_port").kind(PORT).default("9200").doc("Its port."),
    opt("es_hosts").texts().doc("Several hosts, tried in turn."),
    opt("use_ssl").bool().default("false").doc("Whether to use HTTPS."),
    opt("verify_certs").bool().default("true").doc("Whether the server's certificate is checked."),
    opt("ca_certs").doc("PEM file with the authorities to trust; default: the system's."),
    opt("client_cert").doc("PEM file with the client certificate."),
    opt("client_key").doc("PEM file with its key."),
    opt("es_username").secret().doc("User name."),
    opt("es_username_file").doc("File that holds the user name."),
    opt("es_password").secret().doc("Password."),
    opt("es_password_file").doc("File that holds the password."),
    opt("es_bearer").secret().doc("Bearer token."),
    opt("es_bearer_file").doc("File that holds the bearer token."),
    opt("es_api_key").secret().doc("API key, base64 of id and key."),
    opt("es_api_key_file").doc("File that holds the API key."),
    opt("es_url_prefix").doc("Path before every request's path."),
    opt("es_conn_timeout").number().default("20").doc("Seconds a request may take."),
    opt("headers").kind(Kind::Map).secret().doc("Further headers of every request."),
    opt("aws_region").doc("AWS region of the domain."),
    opt("profile").no_effect("requests are not signed for AWS").doc("AWS profile."),
    opt("es_send_get_body_as").no_effect(NOT_POLLED).doc("How queries are sent."),
    opt("ssl_show_warn").bool().no_effect("a connection without verification is logged once").doc("Whether to warn of unverified connections."),
];

/// The service itself.
pub const SERVICE: &[OptionSpec] = &[
    opt("rules_folder").texts().default("rules").doc("The folder with the rules, or several; relative to the working directory."),
    opt("scan_subdirectories").bool().default("true").doc("Whether folders in it are searched too."),
    opt("rules_loader").default("file").doc("Where rules come from; only `file`."),
    opt("run_every").duration().default("{minutes: 1}").doc("The tick: how often quiet periods are noticed, and status documents written."),
    opt("buffer_time").duration().default("{minutes: 15}").doc("The window of aggregating rule types, and the default of lateness."),
    opt("alert_time_limit").duration().default("{days: 2}").doc("How long a failed alert is tried again."),
    opt("retry").kind(Kind::Map).doc("When a failed alert is tried again: {first: {seconds: 5}, longest: {minutes: 5}}."),
    opt("writeback_index").default("elastalert_status").doc("The name of the writeback indices."),
    opt("replace_dots_in_field_names").bool().default("false").doc("Whether dots in field names become underscores in writeback documents."),
    opt("add_metadata_alert").bool().default("false").doc("Whether writeback documents carry the rule's category, description, owner and priority."),
    opt("inputs").kind(Kind::List(&Kind::Any)).doc("Where events come in; default: http on 127.0.0.1:8555 and tcp on 127.0.0.1:8556."),
    opt("store").kind(Kind::Map).doc("Where state is kept, and how much of it: {path: FOLDER, keep: {days: 30}, max_size: 1GiB, max_kept: 512MiB, max_spilled: 4GiB}."),
    opt("web").kind(Kind::Map).doc("Where metrics and health are served: {listen: ADDRESS}."),
    opt("future_tolerance").duration().default("{minutes: 5}").doc("How far ahead of the clock an event's time may be."),
    opt("lateness").duration().default("buffer_time").doc("How much older than the newest event an event may be."),
    opt("dead_letter").kind(Kind::Map).doc("Where unusable events go: {path: FOLDER, max_size: 100MiB}; default: dead-letter in the store."),
    opt("old_query_limit").kind(Kind::Any).no_effect(NOT_POLLED).doc("How far back a query resumes."),
    opt("max_query_size").kind(Kind::Any).no_effect(NOT_POLLED).doc("Documents a query returns."),
    opt("scroll_keepalive").kind(Kind::Any).no_effect(NOT_POLLED).doc("How long a scroll lives."),
    opt("max_scrolling_count").kind(Kind::Any).no_effect(NOT_POLLED).doc("Pages a query reads."),
    opt("max_threads").kind(Kind::Any).no_effect(NOT_POLLED).doc("Rules queried at once."),
    opt("misfire_grace_time").kind(Kind::Any).no_effect(NOT_POLLED).doc("How late a poll may start."),
    opt("string_multi_field_name").kind(Kind::Any).no_effect(NOT_POLLED).doc("The suffix of raw string fields in queries."),
    opt("skip_invalid").kind(Kind::Any).no_effect(NEVER_DISABLED).doc("Whether bad rules are skipped."),
    opt("disable_rules_on_error").kind(Kind::Any).no_effect(NEVER_DISABLED).doc("Whether an error disables a rule."),
    opt("show_disabled_rules").bool().default("true").doc("Whether the log lists the rules with `is_enabled: false`, at the start and after each reload."),
    opt("notify_email").texts().doc("Who is told by mail when a rule fails or cannot be loaded any more."),
    opt("notify_alert").kind(Kind::Any).doc("Alerters, as under `alert`, that tell the same; their options stand in this file."),
    opt("notify_all_errors").bool().default("false").doc("Whether they tell every error, failed deliveries too."),
    opt("statsd_host").doc("The statsd server that gets each rule's gauges every run_every: a host, or host:port; port 8125 without."),
    opt("statsd_instance_tag").doc("The tag `elastalert_instance` of these gauges."),
    opt("logging").kind(Kind::Any).no_effect("it configures Python's logging; logs go to stderr, see --log-format").doc("Python's logging configuration."),
];

/// What every input has.
pub(super) const SOURCE: &[OptionSpec] = &[
    opt("name").doc("What logs, metrics and the ready file call the input; default: its kind."),
    opt("index")
        .doc("The index its events belong to, a name or a Logstash sprintf; it selects rules."),
    opt("codec")
        .one_of(&["json"])
        .default("json")
        .doc("How events are written."),
    opt("max_event_size")
        .kind(SIZE)
        .default("1MiB")
        .doc("Longer events are rejected."),
    opt("timezone")
        .no_effect("a time without a zone is UTC, as in ElastAlert")
        .doc("The zone of times without one."),
];

/// What inputs that listen have.
pub(super) const LISTEN: &[OptionSpec] = &[
    opt("listen").doc("Address and port; port 0 takes any free one."),
    opt("tls")
        .kind(Kind::Map)
        .doc("Certificate and key: {cert: FILE, key: FILE, client_ca: FILE}."),
    opt("max_connections")
        .int()
        .default("1024")
        .doc("More connections are closed at once."),
];

/// What the HTTP input has beside that.
pub(super) const HTTP: &[OptionSpec] = &[
    opt("auth")
        .kind(Kind::Map)
        .doc("Who may send: {username: U, password: P} or {bearer: TOKEN}."),
    opt("max_body_size")
        .kind(SIZE)
        .default("64MiB")
        .doc("Larger requests are refused; counted after decompression."),
    opt("idle_timeout")
        .duration()
        .default("{minutes: 5}")
        .doc("How long a connection may be idle."),
];

/// `tls:`
pub(super) const TLS: &[OptionSpec] = &[
    opt("cert")
        .required()
        .doc("PEM file with the server's certificate and its intermediates."),
    opt("key").required().doc("PEM file with its private key."),
    opt("client_ca").doc(
        "PEM file with the authorities; clients must show a certificate signed by one of them.",
    ),
];

/// `auth:`
pub(super) const AUTH: &[OptionSpec] = &[
    opt("username").doc("User name for basic auth."),
    opt("username_file").doc("File that holds the user name."),
    opt("password").secret().doc("Password for basic auth."),
    opt("password_file").doc("File that holds the password."),
    opt("bearer").secret().doc("Bearer token."),
    opt("bearer_file").doc("File that holds the token."),
];

/// `store:`
pub(super) const STORE: &[OptionSpec] = &[
    opt("path").doc("The folder; default: $STATE_DIRECTORY, else tripline-state beside this file."),
    opt("keep")
        .duration()
        .default("{days: 30}")
        .doc("How long documents are kept; those that are still needed stay."),
    opt("max_size")
        .kind(SIZE)
        .default("1GiB")
        .doc("Beyond this the oldest documents are dropped; those that are still needed stay."),
    opt("max_kept")
        .kind(SIZE)
        .default("512MiB")
        .doc("Memory for the events that rules keep for later matches; further ones are spilled to files in the folder."),
    opt("max_spilled")
        .kind(SIZE)
        .default("4GiB")
        .doc("Beyond this further events are counted and not kept; 0: none are spilled."),
];

/// `retry:`
pub(super) const RETRY: &[OptionSpec] = &[
    opt("first")
        .duration()
        .default("{seconds: 5}")
        .doc("How long after the first failure, at least 100 ms; each further one doubles it."),
    opt("longest")
        .duration()
        .default("{minutes: 5}")
        .doc("The longest wait between two attempts."),
];

/// `web:`
pub(super) const WEB: &[OptionSpec] = &[opt("listen")
    .default("127.0.0.1:8557")
    .doc("Address and port.")];

/// `dead_letter:`
pub(super) const DEAD_LETTER: &[OptionSpec] = &[
    opt("path").doc("The folder."),
    opt("max_size")
        .kind(SIZE)
        .default("100MiB")
        .doc("Beyond this the oldest events are dropped."),
];

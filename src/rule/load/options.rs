//! The options every rule may have, beside those of its type, its texts and its alerters.

use crate::config::{Kind, OptionSpec, TEXTS, opt};

const NOT_POLLED: &str = "events come in by themselves, nothing is queried";
const WHOLE_EVENT: &str = "an event is looked at as it comes in";

/// The options every rule may have.
pub const OPTIONS: &[OptionSpec] = &[
    opt("name").doc("The rule's name, unique; default: its file's path without the ending."),
    opt("type")
        .required()
        .doc("The rule type.")
        .hint("name a rule type: `type: any` matches every event the filter picks"),
    opt("index")
        .required()
        .doc("The indices the rule looks at.")
        .hint("name the index events belong to, or `index: \"*\"`"),
    opt("alert")
        .kind(Kind::AnyOf(&[
            Kind::Str,
            Kind::List(&Kind::AnyOf(&[Kind::Str, Kind::Map])),
            Kind::Map,
        ]))
        .required()
        .doc("The alerters.")
        .hint("name an alerter: `alert: debug` prints alerts"),
    opt("import")
        .kind(TEXTS)
        .doc("Rule files whose options hold where this one has none; filters add up."),
    opt("is_enabled")
        .kind(Kind::Any)
        .default("true")
        .doc("Whether the rule runs."),
    opt("filter")
        .kind(Kind::List(&Kind::Any))
        .default("[]")
        .doc("The clauses an event must meet."),
    opt("mapping")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Map]))
        .default("dynamic")
        .doc("How fields are typed: `dynamic`, `logstash`, `elasticsearch` (asked of es_host at start), a file, or {properties: …}."),
    opt("description")
        .kind(Kind::Any)
        .doc("What the rule is about."),
    opt("notify_email")
        .texts()
        .doc("Who else is told by mail when the rule fails."),
    opt("owner").doc("Who looks after the rule."),
    opt("category").doc("The rule's category."),
    opt("priority")
        .kind(Kind::AnyOf(&[Kind::Int, Kind::Str]))
        .default("2")
        .doc("The rule's priority; in the rule's own file a whole number."),
    opt("timeframe").duration().doc("The length of the window."),
    opt("buffer_time")
        .duration()
        .doc("The window of aggregating rule types."),
    opt("run_every")
        .duration()
        .no_effect("all rules share the tick of the configuration, and events do not wait for it")
        .doc("How often the rule is queried."),
    opt("query_key")
        .names_fields()
        .texts()
        .doc("The field, or fields, by whose values windows and silences are told apart."),
    opt("realert")
        .duration()
        .default("{minutes: 1}, with aggregation 0")
        .doc("How long the rule is silent after an alert, per query_key."),
    opt("realert_key")
        .default("the rule's name")
        .doc("The name of the silence: rules that share one are silent together."),
    opt("exponential_realert")
        .duration()
        .doc("Up to which length a silence doubles when alerts keep coming."),
    opt("aggregation")
        .kind(Kind::Any)
        .doc("Collects matches for so long, or until {schedule: CRON}, into one alert."),
    opt("aggregation_key")
        .names_fields()
        .texts()
        .doc("The field, or fields, by whose values aggregated alerts are told apart."),
    opt("aggregate_by_match_time").may_be_empty()
        .bool()
        .default("false")
        .doc("Whether aggregation counts from the match's time instead of the clock."),
    opt("aggregation_alert_time_compared_with_timestamp_field")
        .bool()
        .default("false")
        .doc("Whether a match joins an aggregation by its own time instead of the clock."),
    opt("max_aggregation")
        .int()
        .default("10000")
        .doc("How many matches an alert holds at most."),
    opt("include")
        .names_fields()
        .kind(Kind::List(&Kind::Str))
        .doc("The fields of an event a match keeps; default: all."),
    opt("use_strftime_index")
        .bool()
        .default("false")
        .doc("Whether index holds parts of a date such as %Y.%m.%d."),
    opt("limit_execution").may_be_empty()
        .doc("A cron expression, in UTC, of the minutes in which the rule runs. Events outside wait until it runs next."),
    opt("limit_execution_coverage")
        .kind(Kind::Any)
        .doc("Whether events outside of limit_execution are ignored instead: those that come outside, and those whose own time lies outside."),
    opt("query_delay")
        .duration()
        .no_effect(NOT_POLLED)
        .doc("How long a query waits for documents."),
    opt("query_timezone").may_be_empty()
        .no_effect(NOT_POLLED)
        .doc("The zone of times in queries."),
    opt("scan_entire_timeframe")
        .bool()
        .no_effect(NOT_POLLED)
        .doc("Whether each query covers the whole timeframe."),
    opt("search_extra_index").may_be_empty()
        .bool()
        .no_effect(NOT_POLLED)
        .doc("Whether one more index is queried."),
    opt("max_scrolling")
        .int()
        .no_effect(NOT_POLLED)
        .doc("Pages a query reads."),
    opt("include_fields")
        .kind(Kind::List(&Kind::Any))
        .no_effect("runtime fields are made by Elasticsearch")
        .doc("Runtime fields to query."),
    opt("_source_enabled")
        .kind(Kind::Any)
        .no_effect(WHOLE_EVENT)
        .doc("Whether documents have a source."),
    opt("doc_type")
        .kind(Kind::Any)
        .no_effect(NOT_POLLED)
        .doc("The type of documents, in old Elasticsearch."),
    opt("ignore_unavailable")
        .kind(Kind::Any)
        .no_effect(NOT_POLLED)
        .doc("Whether a missing index is an error."),
    opt("real_time_only")
        .kind(Kind::Any)
        .no_effect(NOT_POLLED)
        .doc("Whether old documents are passed over."),
    opt("use_kibana4_dashboard")
        .kind(Kind::Any)
        .no_effect("links to old Kibana are gone from ElastAlert too")
        .doc("A dashboard to link to."),
];

/// Whether an option is named by its user, so that no table lists it and no misspelling is seen: `jira_NAME` sets a field of that Jira.
pub fn is_named_by_user(name: &str) -> bool {
    name.starts_with("jira_")
}

/// What ElastAlert's schema asks of options that the configuration has as well, and that it does not look at there: a rule with
/// something else is refused.
pub(super) const OF_SERVICE: &[OptionSpec] = &[
    opt("priority").int(),
    opt("max_query_size").int(),
    opt("max_threads").int(),
    opt("misfire_grace_time").int(),
    opt("notify_alert").kind(Kind::AnyOf(&[
        Kind::Str,
        Kind::List(&Kind::AnyOf(&[Kind::Str, Kind::Map])),
    ])),
    opt("notify_all_errors").bool(),
];

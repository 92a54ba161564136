//! The options of both links.

use crate::config::{Kind, OptionSpec, opt};

pub(in crate::alert) const OPTIONS: &[OptionSpec] = &[
    opt("generate_kibana_discover_url")
        .bool()
        .default("false")
        .doc("Add kibana_discover_url to the first match of an alert."),
    opt("kibana_discover_app_url")
        .doc("Address of Kibana's Discover page, or relative to kibana_url."),
    opt("kibana_discover_version")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Number]))
        .doc("Kibana's version; chooses how links are shortened."),
    opt("kibana_discover_index_pattern_id").doc("Id of the index pattern or data view."),
    opt("kibana_discover_columns")
        .kind(Kind::List(&Kind::Str))
        .default("_source")
        .doc("The columns shown."),
    opt("kibana_discover_from_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far before the match the page begins."),
    opt("kibana_discover_to_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far behind the match the page ends."),
    opt("kibana_url").doc("Where Kibana is; ends with a slash."),
    opt("kibana_username").doc("User for shortening links."),
    opt("kibana_password")
        .secret()
        .doc("Password for shortening links."),
    opt("kibana_verify_certs")
        .bool()
        .default("true")
        .doc("Check Kibana's certificate when shortening links."),
    opt("kibana_discover_security_tenant").doc("Added to the link as security_tenant."),
    opt("shorten_kibana_discover_url")
        .bool()
        .default("false")
        .doc("Let Kibana shorten the link."),
    opt("generate_opensearch_discover_url")
        .bool()
        .default("false")
        .doc("Add opensearch_discover_url to the first match of an alert."),
    opt("opensearch_discover_app_url")
        .doc("Address of OpenSearch Dashboards' Discover page, or relative to opensearch_url."),
    opt("opensearch_discover_version")
        .kind(Kind::AnyOf(&[Kind::Str, Kind::Number]))
        .doc("The version of OpenSearch Dashboards; the link is the same for all."),
    opt("opensearch_discover_index_pattern_id").doc("Id of the index pattern."),
    opt("opensearch_discover_columns")
        .kind(Kind::List(&Kind::Str))
        .default("_source")
        .doc("The columns shown."),
    opt("opensearch_discover_from_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far before the match the page begins."),
    opt("opensearch_discover_to_timedelta")
        .duration()
        .default("timeframe, else 10 minutes")
        .doc("How far behind the match the page ends."),
    opt("opensearch_url").doc("Where OpenSearch Dashboards is; ends with a slash."),
];

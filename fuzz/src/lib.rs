//! What is fuzzed: a check per kind of input, each taking any bytes and panicking where something is wrong.
//!
//! libFuzzer runs them from `fuzz_targets/`; the program's integration tests run the same ones on changed recorded inputs.

pub mod filter;
pub mod input;
pub mod project;
pub mod yaml;

/// A check.
pub type Check = fn(&[u8]);

/// All checks by name.
pub const CHECKS: &[(&str, Check)] = &[
    ("filter_dsl", filter::dsl),
    ("filter_lucene", filter::lucene),
    ("filter_regexp", filter::regexp),
    ("input_body", input::body),
    ("input_lines", input::lines),
    ("project", project::agrees),
    ("yaml", yaml::reads),
];

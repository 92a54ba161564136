//! Exit codes.

/// Everything is fine.
pub(in crate::cli) const FINE: i32 = 0;
/// Problems were found, or what was asked for could not be done.
pub(in crate::cli) const PROBLEMS: i32 = 1;
/// The command line cannot be understood.
pub(in crate::cli) const USAGE: i32 = 2;
/// `elastalert-test-rule --stop-error`: a search failed.
pub(in crate::cli) const SEARCH_FAILED: i32 = 3;
/// `elastalert-test-rule --stop-error`: the rule could not be run over the data.
pub(in crate::cli) const RUN_FAILED: i32 = 4;
/// A bug of ours.
pub(in crate::cli) const BUG: i32 = 70;

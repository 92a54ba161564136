//! What is printed at the end of a run over the standard input.

use super::Finished;
use crate::engine::Counts;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use std::time::Duration;

/// Events that the rule picked and could not look at.
fn left_out((rule, counts): (&str, Counts)) -> Option<String> {
    let reasons = [
        (counts.late, "too late"),
        (counts.future, "from the future"),
        (counts.untimed, "without a usable timestamp_field"),
    ];
    let reasons = reasons.into_iter().filter(|(count, _)| *count > 0);
    let reasons: Vec<String> = reasons
        .map(|(count, reason)| format!("{count} {reason}"))
        .collect();
    (!reasons.is_empty()).then(|| format!("{rule}: left out {}\n", reasons.join(", ")))
}

/// Prints the table of rules and the line of sums to standard error.
pub(super) fn print(finished: &Finished, took: Duration) {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN);
    table.set_header(["rule", "hits", "matches", "alerts", "suppressed"]);
    for (rule, counts) in finished.engine.run_counts() {
        let numbers = [counts.hits, counts.matches, counts.alerts, counts.silenced];
        table.add_row(
            std::iter::once(rule.to_owned()).chain(numbers.map(|number| number.to_string())),
        );
    }
    let left_out = finished.engine.run_counts().filter_map(left_out);
    let left_out: String = left_out.collect();
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let seconds = took.as_secs_f64().max(1e-6);
    let reports = &finished.reports;
    #[expect(clippy::cast_precision_loss, reason = "rates, rounded for people")]
    let (events_per_second, mebibytes_per_second) = (
        reports.events as f64 / seconds,
        reports.bytes as f64 / seconds / 1_048_576.0,
    );
    eprintln!(
        "{table}\n{left_out}{} events, {} bad, in {seconds:.2} s ({events_per_second:.0} events/s, {mebibytes_per_second:.1} MB/s)",
        reports.events, reports.bad
    );
}

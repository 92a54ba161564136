//! What is printed at the end of a run over the standard input.

use super::Finished;
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use std::time::Duration;

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
        "{table}\n{} events, {} bad, in {seconds:.2} s ({events_per_second:.0} events/s, {mebibytes_per_second:.1} MB/s)",
        reports.events, reports.bad
    );
}

//! The summary table as Markdown. Values are not escaped, as in ElastAlert: `|` or a line break in one breaks its row.

use super::Table;
use std::fmt::Write as _;

pub(super) fn draw(table: &Table) -> String {
    let mut out = String::new();
    let _infallible = writeln!(out, "| {} |", table.header.join(" | "));
    let _infallible = writeln!(out, "|{}", "-----|".repeat(table.header.len()));
    for row in &table.rows {
        let _infallible = writeln!(out, "| {} |", row.join(" | "));
    }
    out
}

//! The summary table as HTML, as Python's `prettytable` writes it.

use super::{COUNT, Table};
use crate::alert::TextError;
use crate::alert::wrap::expand_tabs;
use std::collections::BTreeSet;

pub(super) fn draw(table: &Table) -> Result<String, TextError> {
    let names = table.header.iter().map(String::as_str);
    if let Some(name) = repeated(names.take(table.header.len().saturating_sub(1))) {
        return Err(TextError(format!(
            "the summary table has two columns named \"{name}\": give one of them another header"
        )));
    }
    let mut out = "<table frame=\"box\" rules=\"all\">\n    <thead>\n        <tr>\n".to_owned();
    write_cells(
        "th",
        "",
        table.header.iter().map(|cell| escape(cell)),
        &mut out,
    );
    out.push_str("        </tr>\n    </thead>\n    <tbody>\n");
    for row in &table.rows {
        out.push_str("        <tr>\n");
        let cells = row.iter().map(|cell| escape(&expand_tabs(cell)));
        write_cells("td", "; vertical-align: top", cells, &mut out);
        out.push_str("        </tr>\n");
    }
    out.push_str("    </tbody>\n</table>");
    Ok(out)
}

/// A header that occurs twice, the one of the count included.
pub(super) fn repeated<'a>(headers: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = BTreeSet::from([COUNT]);
    headers.into_iter().find(|header| !seen.insert(header))
}

fn write_cells(tag: &str, style: &str, cells: impl Iterator<Item = String>, out: &mut String) {
    for text in cells {
        out.push_str(&format!(
            "            <{tag} style=\"padding-left: 1em; padding-right: 1em; text-align: center{style}\">{text}</{tag}>\n"
        ));
    }
}

fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#x27;"),
            '\n' => out.push_str("<br>"),
            c => out.push(c),
        }
    }
    out
}

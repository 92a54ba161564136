//! The summary table in characters, as Python's `texttable` draws it.

use super::Table;
use crate::alert::TextError;
use crate::alert::wrap::{Wrap, wrap};
use unicode_width::UnicodeWidthChar;

/// Draws the table in at most `max_width` columns.
///
/// # Errors
/// There are more columns than can be that narrow.
pub(super) fn draw(table: &Table, max_width: usize) -> Result<String, TextError> {
    let widths = widths(table, max_width)?;
    let mut out = String::new();
    write_rule('-', &widths, &mut out);
    write_row(&table.header, &widths, Align::Centre, &mut out);
    write_rule('=', &widths, &mut out);
    for (at, row) in table.rows.iter().enumerate() {
        if at > 0 {
            write_rule('-', &widths, &mut out);
        }
        write_row(row, &widths, Align::Left, &mut out);
    }
    write_rule('-', &widths, &mut out);
    Ok(out)
}

#[derive(Clone, Copy, PartialEq)]
enum Align {
    Centre,
    Left,
}

/// As wide as the widest line; where that is too much, columns grow in turns until the room is used up.
fn widths(table: &Table, max_width: usize) -> Result<Vec<usize>, TextError> {
    let mut wished: Vec<usize> = table.header.iter().map(|cell| cell_width(cell)).collect();
    for row in &table.rows {
        for (width, cell) in wished.iter_mut().zip(row) {
            *width = (*width).max(cell_width(cell));
        }
    }
    let columns = wished.len();
    let decoration = 3 * columns.saturating_sub(1) + 4;
    if wished.iter().sum::<usize>() + decoration <= max_width {
        return Ok(wished);
    }
    let Some(mut room) = max_width
        .checked_sub(decoration)
        .filter(|room| *room >= columns)
    else {
        return Err(TextError(format!(
            "a summary table of {columns} columns does not fit into {max_width} characters"
        )));
    };
    let mut widths = vec![0; columns];
    while room > 0 {
        for (width, wished) in widths.iter_mut().zip(&wished) {
            if *width < *wished && room > 0 {
                *width += 1;
                room -= 1;
            }
        }
    }
    Ok(widths)
}

/// The widest line of a cell on a terminal; a tab goes to the next multiple of eight.
fn cell_width(cell: &str) -> usize {
    let line_width = |line: &str| {
        line.chars().fold(0, |width, c| match c {
            '\t' => (width / 8 + 1) * 8,
            c => width + c.width().unwrap_or(0),
        })
    };
    cell.split('\n').map(line_width).max().unwrap_or(0)
}

fn write_rule(line: char, widths: &[usize], out: &mut String) {
    out.push('+');
    for width in widths {
        out.extend(std::iter::repeat_n(line, width + 2));
        out.push('+');
    }
    out.push('\n');
}

fn write_row(row: &[String], widths: &[usize], align: Align, out: &mut String) {
    let cells: Vec<Vec<String>> = row
        .iter()
        .zip(widths)
        .map(|(cell, width)| cell_lines(cell, *width))
        .collect();
    let height = cells.iter().map(Vec::len).max().unwrap_or(0);
    for line in 0..height {
        out.push('|');
        for (cell, width) in cells.iter().zip(widths) {
            let text = cell.get(line).map_or("", String::as_str);
            let fill = width.saturating_sub(cell_width(text));
            let left = match align {
                Align::Centre => fill / 2,
                Align::Left => 0,
            };
            out.extend(std::iter::repeat_n(' ', left + 1));
            out.push_str(text);
            out.extend(std::iter::repeat_n(' ', fill - left + 1));
            out.push('|');
        }
        out.push('\n');
    }
}

fn cell_lines(cell: &str, width: usize) -> Vec<String> {
    let how = Wrap {
        width,
        long_words: true,
        hyphens: true,
    };
    let mut lines = Vec::new();
    for line in cell.split('\n') {
        if line.trim().is_empty() {
            lines.push(String::new());
        } else {
            lines.extend(wrap(line, how));
        }
    }
    lines
}

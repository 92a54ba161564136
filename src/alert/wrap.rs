//! Line breaking as Python's `textwrap` does it, by code points.

/// How lines are broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrap {
    /// The most characters a line may have; at least one.
    pub(super) width: usize,
    /// Words longer than a line are cut.
    pub(super) long_words: bool,
    /// Words may be broken after a hyphen.
    pub(super) hyphens: bool,
}

/// Breaks one line of text: at blanks, after hyphens inside words, and, where a word alone is too long, anywhere.
pub(super) fn wrap(text: &str, how: Wrap) -> Vec<String> {
    let text: Vec<char> = expand_tabs(text)
        .chars()
        .map(|c| if is_blank(c) { ' ' } else { c })
        .collect();
    let mut chunks: Vec<&[char]> = chunks(&text, how.hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| is_space(chunk)) {
            chunks.pop();
        }
        let line = next_line(&mut chunks, how);
        if !line.is_empty() {
            lines.push(line.concat().into_iter().collect());
        }
    }
    lines
}

/// Takes the chunks of one line from the end of `chunks`.
fn next_line<'a>(chunks: &mut Vec<&'a [char]>, how: Wrap) -> Vec<&'a [char]> {
    let width = how.width.max(1);
    let mut line: Vec<&[char]> = Vec::new();
    let mut length = 0;
    while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.len() <= width) {
        length += chunk.len();
        line.push(chunk);
    }
    if let Some(chunk) = chunks.last_mut().filter(|chunk| chunk.len() > width) {
        if how.long_words {
            let (now, later) = chunk.split_at(long_word_end(chunk, width - length, how.hyphens));
            line.push(now);
            *chunk = later;
        } else if line.is_empty() {
            line.extend(chunks.pop());
        }
    }
    line.pop_if(|chunk| is_space(chunk));
    line
}

/// Where a word that fits on no line is cut: after its last hyphen, else where the line ends.
fn long_word_end(word: &[char], room: usize, hyphens: bool) -> usize {
    let (now, _) = word.split_at(room);
    now.iter()
        .rposition(|&c| c == '-' && hyphens)
        .filter(|&hyphen| now.iter().take(hyphen).any(|&c| c != '-'))
        .map_or(room, |hyphen| hyphen + 1)
}

/// The pieces of which lines are made: runs of blanks, words, and parts of hyphenated words.
fn chunks(text: &[char], hyphens: bool) -> Vec<&[char]> {
    let mut chunks = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = chunk_end(text, start, hyphens);
        chunks.extend(text.get(start..end));
        start = end;
    }
    chunks
}

fn chunk_end(text: &[char], start: usize, hyphens: bool) -> usize {
    let at = |index: usize| text.get(index).copied();
    let run_end = |from: usize, of: char| {
        (from..text.len())
            .find(|&i| at(i) != Some(of))
            .unwrap_or(text.len())
    };
    // Two or more hyphens between words.
    let is_dash = |index: usize| {
        let end = run_end(index, '-');
        hyphens
            && index > 0
            && end >= index + 2
            && at(index - 1).is_some_and(is_word_or_punctuation)
            && at(end).is_some_and(is_word)
    };
    if at(start) == Some(' ') {
        return run_end(start, ' ');
    }
    if is_dash(start) {
        return run_end(start, '-');
    }
    (start + 1..text.len())
        .find_map(|end| {
            if hyphens && at(end) == Some('-') && is_break_after(text, end) {
                Some(end + 1)
            } else if at(end) == Some(' ') || is_dash(end) {
                Some(end)
            } else {
                None
            }
        })
        .unwrap_or(text.len())
}

/// Whether a word may be broken after the hyphen: two letters before it (or a letter, a hyphen and a character) and two behind.
fn is_break_after(text: &[char], hyphen: usize) -> bool {
    let before = |back: usize| {
        hyphen
            .checked_sub(back)
            .and_then(|at| text.get(at).copied())
    };
    let after = |on: usize| text.get(hyphen + on).copied();
    let letter = |c: Option<char>| c.is_some_and(is_letter);
    let behind = (letter(before(2)) && letter(before(1)))
        || (letter(before(3))
            && before(2) == Some('-')
            && before(1).is_some_and(is_word_or_punctuation));
    let second = if after(2) == Some('-') { 3 } else { 2 };
    behind && letter(after(1)) && letter(after(second))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_letter(c: char) -> bool {
    is_word(c) && !c.is_numeric()
}

fn is_word_or_punctuation(c: char) -> bool {
    is_word(c) || matches!(c, '!' | '"' | '\'' | '&' | '.' | ',' | '?')
}

fn is_blank(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | ' ')
}

fn is_space(chunk: &[char]) -> bool {
    chunk.iter().all(|c| c.is_whitespace())
}

/// Python's `str.expandtabs()`: blanks up to the next multiple of eight, counted from the start of the line.
pub(super) fn expand_tabs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for c in text.chars() {
        match c {
            '\t' => {
                let blanks = 8 - column % 8;
                out.extend(std::iter::repeat_n(' ', blanks));
                column += blanks;
            }
            '\n' | '\r' => {
                out.push(c);
                column = 0;
            }
            c => {
                out.push(c);
                column += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, width: usize, expected: &[&str]) {
        let how = Wrap {
            width,
            long_words: true,
            hyphens: true,
        };
        assert_eq!(wrap(text, how), expected);
    }

    #[test]
    fn lines_break_as_in_textwrap() {
        check("word word word ", 9, &["word word", "word"]);
        check("  two lead", 5, &["  two", "lead"]);
        check("Käse-und-Brot", 6, &["Käse-", "und-", "Brot"]);
        check("a-b c-d", 3, &["a-b", "c-d"]);
        check("one--two", 4, &["one", "--", "two"]);
        check(
            "https://example.com/aaaa",
            8,
            &["https://", "example.", "com/aaaa"],
        );
        check("x-aaaaaaaa", 4, &["x-", "aaaa", "aaaa"]);
        check("a\tb", 20, &["a       b"]);
        check("短い 日本語", 4, &["短い", "日本語"]);
    }

    proptest::proptest! {
        #[test]
        fn lines_fit_and_nothing_but_blanks_is_lost(text in "[a-c日 \\-\t!]{0,40}", width in 1usize..12) {
            let how = Wrap { width, long_words: true, hyphens: true };
            let lines = wrap(&text, how);
            proptest::prop_assert!(lines.iter().all(|line| line.chars().count() <= width));
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            proptest::prop_assert_eq!(letters(&lines.concat()), letters(&text));
        }
    }
}

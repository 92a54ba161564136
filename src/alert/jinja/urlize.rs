//! The filter `urlize`: addresses in a text become links.

use regex::Regex;
use std::sync::LazyLock;

/// How the links are written.
#[derive(Debug, Default)]
pub(super) struct Links {
    /// The most characters of an address that are shown.
    pub(super) limit: Option<usize>,
    /// Attributes after `href`, each with a blank before it.
    pub(super) attributes: String,
}

static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?xi)^(
            (https?://|www\.)(([\w%-]+\.)+)?([a-z]{2,63}|xn--[\w%]{2,59})
            | ([\w%-]{2,63}\.)+(com|net|int|edu|gov|org|info|mil)
            | (https?://)((\d{1,3}(\.\d{1,3}){3})|(\[([\da-f]{0,4}:){2}([\da-f]{0,4}:?){1,6}\]))
        )(:\d{1,5})?([/?\#]\S*)?$",
    )
    .ok()
});

static MAIL: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\S+@\w[\w.-]*\.\w+$").ok());

fn matches(regex: &Option<Regex>, text: &str) -> bool {
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

/// Makes links of the addresses in a text whose HTML is escaped already.
pub(super) fn urlize(escaped: &str, links: &Links) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        write_word(word, links, &mut out);
        let end = after
            .find(|c: char| !c.is_whitespace())
            .unwrap_or(after.len());
        let (space, after) = after.split_at(end);
        out.push_str(space);
        rest = after;
    }
    out
}

fn write_word(word: &str, links: &Links, out: &mut String) {
    let (head, middle, tail) = without_punctuation(word);
    out.push_str(head);
    if matches(&ADDRESS, middle) {
        let scheme = if middle.starts_with("https://") || middle.starts_with("http://") {
            ""
        } else {
            "https://"
        };
        let shown = match links.limit {
            Some(limit) if middle.chars().count() > limit => {
                middle.chars().take(limit).collect::<String>() + "..."
            }
            _ => middle.to_owned(),
        };
        out.push_str(&format!(
            "<a href=\"{scheme}{middle}\"{}>{shown}</a>",
            links.attributes
        ));
    } else if let Some(mail) = middle.strip_prefix("mailto:").filter(|m| matches(&MAIL, m)) {
        out.push_str(&format!("<a href=\"{middle}\">{mail}</a>"));
    } else if !middle.starts_with("www.")
        && !middle.starts_with('@')
        && !middle.contains(':')
        && matches(&MAIL, middle)
    {
        out.push_str(&format!("<a href=\"mailto:{middle}\">{middle}</a>"));
    } else {
        out.push_str(middle);
    }
    out.push_str(tail);
}

/// Splits brackets before a word and punctuation behind it off; brackets that belong to each other stay in the word.
fn without_punctuation(word: &str) -> (&str, &str, &str) {
    let mut start = 0;
    while let Some(opening) = ["(", "<", "&lt;"]
        .iter()
        .find(|opening| word.get(start..).is_some_and(|w| w.starts_with(**opening)))
    {
        start += opening.len();
    }
    let (head, body) = word.split_at(start);
    let mut end = body.len();
    while let Some(closing) = [")", ">", ".", ",", "&gt;"]
        .iter()
        .find(|closing| body.get(..end).is_some_and(|b| b.ends_with(**closing)))
    {
        end -= closing.len();
    }
    for (opening, closing) in [("(", ")"), ("<", ">"), ("&lt;", "&gt;")] {
        let (middle, tail) = body.split_at(end);
        let open = middle.matches(opening).count();
        if open <= middle.matches(closing).count() {
            continue;
        }
        if let Some((at, _)) = tail.match_indices(closing).take(open).last() {
            end += at + closing.len();
        }
    }
    let (middle, tail) = body.split_at(end);
    (head, middle, tail)
}

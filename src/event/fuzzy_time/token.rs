//! Numbers, words and signs.

/// A piece of a time's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// Digits.
    Number(&'a str),
    /// Digits, a point or a comma, digits.
    Decimal(&'a str, &'a str),
    Word(String),
    Blank,
    Sign(char),
}

/// Cuts a text into pieces.
pub(super) fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let run = |rest: &str, inside: fn(&char) -> bool| {
            rest.chars().take_while(inside).map(char::len_utf8).sum()
        };
        let length: usize = if c.is_ascii_digit() {
            let digits: usize = run(rest, char::is_ascii_digit);
            let (whole, after) = rest.split_at(digits);
            let fraction = after
                .strip_prefix(['.', ','])
                .filter(|f| f.starts_with(|c: char| c.is_ascii_digit()));
            let decimals = fraction.map(|f| f.split_at(run(f, char::is_ascii_digit)));
            match decimals {
                // 06.04.2018 is a date, and so is 6.Apr.
                Some((decimals, after))
                    if !after.starts_with(['.', ',']) && !ends_date(&tokens) =>
                {
                    tokens.push(Token::Decimal(whole, decimals));
                    digits + 1 + decimals.len()
                }
                _ => {
                    tokens.push(Token::Number(whole));
                    digits
                }
            }
        } else if c.is_alphabetic() {
            let length = run(rest, |c| c.is_alphabetic());
            tokens.push(Token::Word(rest.get(..length)?.to_owned()));
            length
        } else if c.is_whitespace() {
            tokens.push(Token::Blank);
            run(rest, |c| c.is_whitespace())
        } else {
            tokens.push(Token::Sign(c));
            c.len_utf8()
        };
        rest = rest.get(length..)?;
    }
    Some(tokens)
}

/// Whether what is written so far ends inside a dotted date: number, point.
fn ends_date(tokens: &[Token<'_>]) -> bool {
    matches!(
        tokens,
        [.., Token::Number(_) | Token::Word(_), Token::Sign('.')]
    )
}

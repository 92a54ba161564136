//! The words of Lucene's classic query parser (`QueryParser.jj`): at each place the longest one wins, then the one listed first.

use super::SyntaxError;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// As written, escapes included.
    pub(super) text: String,
    /// The byte it starts at.
    pub(super) at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    And,
    Or,
    Not,
    Plus,
    Minus,
    /// An operator with a blank after it: no operator but a word.
    BareOperator,
    Open,
    Close,
    Colon,
    Star,
    Caret,
    Quoted,
    Term,
    Fuzzy,
    Prefix,
    Wildcard,
    Regexp,
    RangeIncluding,
    RangeExcluding,
    /// The number after `^`.
    Number,
    RangeTo,
    RangeEndIncluding,
    RangeEndExcluding,
    RangeQuoted,
    RangeWord,
    End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Default,
    Boost,
    Range,
}

struct Lexer<'q> {
    query: &'q str,
    at: usize,
    state: State,
}

/// Cuts a query into its words; the last is `End`.
pub(super) fn tokens(query: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer {
        query,
        at: 0,
        state: State::Default,
    };
    let mut tokens = Vec::new();
    loop {
        let token = lexer.token()?;
        let end = token.kind == Kind::End;
        tokens.push(token);
        if end {
            return Ok(tokens);
        }
    }
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{3000}')
}

fn starts_term(c: char) -> bool {
    !is_blank(c)
        && !matches!(
            c,
            '+' | '-'
                | '!'
                | '('
                | ')'
                | ':'
                | '^'
                | '['
                | ']'
                | '"'
                | '{'
                | '}'
                | '~'
                | '*'
                | '?'
                | '\\'
                | '/'
        )
}

impl Lexer<'_> {
    fn token(&mut self) -> Result<Token, SyntaxError> {
        match self.state {
            State::Default => {
                let rest = self.rest();
                self.at += rest.len() - rest.trim_start_matches(is_blank).len();
            }
            State::Range => self.skip_blanks_of_range(),
            State::Boost => {}
        }
        let at = self.at;
        let Some(first) = self.rest().chars().next() else {
            return Ok(Token {
                kind: Kind::End,
                text: String::new(),
                at,
            });
        };
        let (kind, length) = match self.state {
            State::Default => self.default(first)?,
            State::Boost => (Kind::Number, self.number(0)),
            State::Range => self.range(first),
        };
        let text = self.rest().get(..length).unwrap_or_default().to_owned();
        if text.is_empty() {
            return Err(self.error(format!("{first:?} is not expected here")));
        }
        self.at += length;
        self.state = match kind {
            Kind::Caret => State::Boost,
            Kind::RangeIncluding | Kind::RangeExcluding => State::Range,
            Kind::Number | Kind::RangeEndIncluding | Kind::RangeEndExcluding => State::Default,
            _ => self.state,
        };
        Ok(Token { kind, text, at })
    }

    fn rest(&self) -> &str {
        self.query.get(self.at..).unwrap_or_default()
    }

    fn error(&self, message: String) -> SyntaxError {
        SyntaxError {
            at: self.at,
            message,
        }
    }

    fn default(&self, first: char) -> Result<(Kind, usize), SyntaxError> {
        let rest = self.rest();
        let single = |kind| Ok((kind, first.len_utf8()));
        match first {
            '+' | '-' | '!' => {
                let second = rest.chars().nth(1);
                if let Some(blank) = second.filter(|&c| is_blank(c)) {
                    return Ok((Kind::BareOperator, 1 + blank.len_utf8()));
                }
                single(match first {
                    '+' => Kind::Plus,
                    '-' => Kind::Minus,
                    _ => Kind::Not,
                })
            }
            '(' => single(Kind::Open),
            ')' => single(Kind::Close),
            ':' => single(Kind::Colon),
            '^' => single(Kind::Caret),
            '[' => single(Kind::RangeIncluding),
            '{' => single(Kind::RangeExcluding),
            '~' => Ok((Kind::Fuzzy, self.suffix())),
            '"' => self
                .quoted()
                .map(|length| (Kind::Quoted, length))
                .ok_or_else(|| self.error("the quote is not closed".to_owned())),
            '/' => self
                .until_unescaped('/')
                .map(|length| (Kind::Regexp, length))
                .ok_or_else(|| {
                    self.error(
                        "a \"/\" begins a regular expression, which is not closed by another"
                            .to_owned(),
                    )
                }),
            ']' | '}' => Err(self.error(format!("{first:?} closes a range that was not opened"))),
            _ => self.word(),
        }
    }

    /// A term, a prefix, a wildcard or an operator spelled in letters.
    fn word(&self) -> Result<(Kind, usize), SyntaxError> {
        let rest = self.rest();
        let mut chars = rest.char_indices();
        let mut stars = 0;
        let mut last_is_star = false;
        let mut length = 0;
        while let Some((at, c)) = chars.next() {
            let is_wild = matches!(c, '*' | '?');
            if c == '\\' {
                if chars.next().is_none() {
                    if length == 0 {
                        return Err(self.error("a \"\\\" at the end escapes nothing".to_owned()));
                    }
                    break;
                }
            } else if !(is_wild || starts_term(c) || (at > 0 && matches!(c, '-' | '+'))) {
                break;
            }
            stars += usize::from(is_wild);
            last_is_star = c == '*';
            length = chars.offset();
        }
        let text = rest.get(..length).unwrap_or_default();
        let kind = match (text, stars) {
            ("AND" | "&&", _) => Kind::And,
            ("OR" | "||", _) => Kind::Or,
            ("NOT", _) => Kind::Not,
            ("*", _) => Kind::Star,
            (_, 0) => Kind::Term,
            (_, 1) if last_is_star => Kind::Prefix,
            _ => Kind::Wildcard,
        };
        Ok((kind, length))
    }

    /// The length of `~` and the characters of a word right after it.
    fn suffix(&self) -> usize {
        let mut chars = self.rest().char_indices().skip(1);
        let mut length = 1;
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                match chars.next() {
                    Some((at, escaped)) => length = at + escaped.len_utf8(),
                    None => break,
                }
            } else if starts_term(c) || matches!(c, '-' | '+') {
                length = at + c.len_utf8();
            } else {
                break;
            }
        }
        length
    }

    fn quoted(&self) -> Option<usize> {
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => return Some(at + 1),
                '\\' => {
                    chars.next();
                }
                _ => {}
            }
        }
        None
    }

    /// The length up to a closing mark; one after a backslash closes only if no other does.
    fn until_unescaped(&self, mark: char) -> Option<usize> {
        let mut end = None;
        let mut previous = ' ';
        for (at, c) in self.rest().char_indices().skip(1) {
            if c == mark {
                end = Some(at + c.len_utf8());
                if previous != '\\' {
                    break;
                }
            }
            previous = c;
        }
        end
    }

    /// The length of `12` or `1.5` after some bytes; just those bytes without a number.
    fn number(&self, start: usize) -> usize {
        let digits = |from: usize| {
            let rest = self.rest().get(from..).unwrap_or_default();
            rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len()
        };
        let whole = digits(start);
        let end = start + whole;
        if whole > 0 && self.rest().get(end..end + 1) == Some(".") {
            match digits(end + 1) {
                0 => end,
                fraction => end + 1 + fraction,
            }
        } else {
            end
        }
    }

    /// In ranges only the space ends words: another blank is part of the word behind it.
    fn skip_blanks_of_range(&mut self) {
        while let Some(blank) = self.rest().chars().next().filter(|&c| is_blank(c)) {
            let length = blank.len_utf8();
            let next = self
                .rest()
                .get(length..)
                .and_then(|rest| rest.chars().next());
            if blank != ' ' && !matches!(next, None | Some(' ' | ']' | '}')) {
                return;
            }
            self.at += length;
        }
    }

    fn range(&self, first: char) -> (Kind, usize) {
        match first {
            ']' => return (Kind::RangeEndIncluding, 1),
            '}' => return (Kind::RangeEndExcluding, 1),
            _ => {}
        }
        let rest = self.rest();
        let word = rest.find([' ', ']', '}']).unwrap_or(rest.len());
        let quoted = if first == '"' {
            self.until_unescaped('"')
                .filter(|&length| length > 2)
                .unwrap_or(0)
        } else {
            0
        };
        if rest.get(..word) == Some("TO") {
            (Kind::RangeTo, word)
        } else if quoted >= word {
            (Kind::RangeQuoted, quoted)
        } else {
            (Kind::RangeWord, word)
        }
    }
}

//! Lucene's classic query grammar (`QueryParser.jj`), without the analysis that Lucene mixes into it.

use super::super::fuzzy::Fuzziness;
use super::lexer::{Kind, Token, tokens};
use super::{Conjunction, Item, Leaf, Modifier, Syntax, SyntaxError};

/// How deep brackets may nest.
const MAX_DEPTH: usize = 100;

/// Reads a query. A blank one has no clauses.
pub(in crate::filter) fn parse(query: &str) -> Result<Vec<Item>, SyntaxError> {
    // Java's idea of blank: a query of wider blanks alone is one without a clause.
    if query.chars().all(|c| c <= ' ') {
        return Ok(Vec::new());
    }
    let mut parser = Parser {
        tokens: tokens(query)?,
        at: 0,
        depth: 0,
    };
    let items = parser.query(None)?;
    match parser.kind(0) {
        Kind::End => Ok(items),
        Kind::Close => Err(parser.unexpected("\")\" closes a bracket that was not opened")),
        _ => Err(parser.unexpected("not expected here")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
}

impl Parser {
    fn kind(&self, ahead: usize) -> Kind {
        self.tokens
            .get(self.at + ahead)
            .map_or(Kind::End, |token| token.kind)
    }

    fn next(&mut self) -> Token {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token.unwrap_or(Token {
            kind: Kind::End,
            text: String::new(),
            at: 0,
        })
    }

    fn unexpected(&self, what: &str) -> SyntaxError {
        let (at, text) = self
            .tokens
            .get(self.at)
            .or_else(|| self.tokens.last())
            .map_or((0, ""), |token| (token.at, token.text.as_str()));
        let message = match text {
            "" => "the query ends where a clause is expected".to_owned(),
            text if what.starts_with('"') => format!("{what} (at {text:?})"),
            text => format!("{text:?} is {what}"),
        };
        SyntaxError { at, message }
    }

    fn query(&mut self, field: Option<&str>) -> Result<Vec<Item>, SyntaxError> {
        let mut items = Vec::new();
        loop {
            if let Some(text) = self.run()? {
                items.push(Item {
                    conjunction: Conjunction::None,
                    modifier: Modifier::None,
                    syntax: Syntax::Leaf {
                        field: field.map(str::to_owned),
                        leaf: Leaf::Words(text),
                    },
                    is_run: true,
                });
            } else {
                let conjunction = match self.kind(0) {
                    _ if items.is_empty() => Conjunction::None,
                    Kind::And => Conjunction::And,
                    Kind::Or => Conjunction::Or,
                    _ => Conjunction::None,
                };
                if conjunction != Conjunction::None {
                    self.at += 1;
                }
                let modifier = match self.kind(0) {
                    Kind::Plus => Modifier::Required,
                    Kind::Minus | Kind::Not => Modifier::Prohibited,
                    _ => Modifier::None,
                };
                if modifier != Modifier::None {
                    self.at += 1;
                }
                items.push(Item {
                    conjunction,
                    modifier,
                    syntax: self.clause(field)?,
                    is_run: false,
                });
            }
            if matches!(
                self.kind(0),
                Kind::End
                    | Kind::Close
                    | Kind::Colon
                    | Kind::Caret
                    | Kind::Fuzzy
                    | Kind::Number
                    | Kind::RangeTo
                    | Kind::RangeEndIncluding
                    | Kind::RangeEndExcluding
                    | Kind::RangeQuoted
                    | Kind::RangeWord
            ) {
                return Ok(items);
            }
        }
    }

    /// Two or more plain words in a row, none of them bound to an operator or field.
    fn run(&mut self) -> Result<Option<String>, SyntaxError> {
        let continues = |parser: &Self, ahead| {
            parser.kind(ahead) == Kind::Term
                && !matches!(
                    parser.kind(ahead + 1),
                    Kind::Colon | Kind::Star | Kind::Fuzzy | Kind::Caret | Kind::And | Kind::Or
                )
        };
        if self.kind(0) != Kind::Term || !continues(self, 1) {
            return Ok(None);
        }
        let mut text = unescape(&self.next())?;
        while continues(self, 0) {
            text.push(' ');
            text.push_str(&unescape(&self.next())?);
        }
        Ok(Some(text))
    }

    fn clause(&mut self, field: Option<&str>) -> Result<Syntax, SyntaxError> {
        let own = match (self.kind(0), self.kind(1)) {
            (Kind::Term | Kind::Star, Kind::Colon) => {
                let token = self.next();
                self.at += 1;
                Some(unescape(&token)?)
            }
            _ => None,
        };
        let field = own.as_deref().or(field);
        if self.kind(0) != Kind::Open {
            return Ok(Syntax::Leaf {
                leaf: self.leaf()?,
                field: field.map(str::to_owned),
            });
        }
        if self.depth >= MAX_DEPTH {
            return Err(self.unexpected("nested too deep"));
        }
        self.at += 1;
        self.depth += 1;
        let items = self.query(field)?;
        self.depth -= 1;
        if self.kind(0) != Kind::Close {
            return Err(SyntaxError {
                message: "a bracket is not closed".to_owned(),
                ..self.unexpected("")
            });
        }
        self.at += 1;
        self.boost()?;
        Ok(Syntax::Group(items))
    }

    fn boost(&mut self) -> Result<(), SyntaxError> {
        if self.kind(0) != Kind::Caret {
            return Ok(());
        }
        self.at += 1;
        if self.kind(0) != Kind::Number {
            return Err(self.unexpected("not a number after \"^\""));
        }
        self.at += 1;
        Ok(())
    }

    fn leaf(&mut self) -> Result<Leaf, SyntaxError> {
        match self.kind(0) {
            Kind::Term
            | Kind::Star
            | Kind::Prefix
            | Kind::Wildcard
            | Kind::Regexp
            | Kind::BareOperator => self.word(),
            Kind::Quoted => {
                let token = self.next();
                let slop = self.fuzzy_and_boost()?;
                let inner = Token {
                    text: within(&token.text, 1).to_owned(),
                    ..token
                };
                Ok(Leaf::Phrase {
                    text: unescape(&inner)?,
                    slop: slop.and_then(|text| whole_part(text.trim_start_matches('~'))),
                })
            }
            Kind::RangeIncluding | Kind::RangeExcluding => self.range(),
            _ => Err(self.unexpected("not a word, a phrase, a range or a bracket")),
        }
    }

    fn word(&mut self) -> Result<Leaf, SyntaxError> {
        let token = self.next();
        let fuzzy = self.fuzzy_and_boost()?;
        let text = unescape(&token)?;
        Ok(match token.kind {
            Kind::Star | Kind::Wildcard => Leaf::Wildcard(token.text),
            Kind::Prefix => {
                let body = token
                    .text
                    .strip_suffix('*')
                    .unwrap_or(&token.text)
                    .to_owned();
                Leaf::Prefix(unescape(&Token {
                    text: body,
                    ..token
                })?)
            }
            Kind::Regexp => Leaf::Regexp(within(&token.text, 1).to_owned()),
            Kind::BareOperator => Leaf::Words(token.text.chars().take(1).collect()),
            _ => match fuzzy {
                Some(edits) => {
                    let wanted = edits.strip_prefix('~').filter(|edits| !edits.is_empty());
                    let read = |edits| {
                        Fuzziness::parse(edits).ok_or_else(|| SyntaxError {
                            at: token.at,
                            message: format!("\"~{edits}\" is no number of edits"),
                        })
                    };
                    Leaf::Fuzzy {
                        text,
                        edits: wanted.map(read).transpose()?,
                    }
                }
                None => Leaf::Words(text),
            },
        })
    }

    /// `~2^3` or `^3~2` in either order; the text of the former.
    fn fuzzy_and_boost(&mut self) -> Result<Option<String>, SyntaxError> {
        let mut fuzzy = None;
        if self.kind(0) == Kind::Fuzzy {
            fuzzy = Some(self.next().text);
        }
        self.boost()?;
        if fuzzy.is_none() && self.kind(0) == Kind::Fuzzy {
            fuzzy = Some(self.next().text);
        }
        Ok(fuzzy)
    }

    fn range(&mut self) -> Result<Leaf, SyntaxError> {
        let includes_lower = self.next().kind == Kind::RangeIncluding;
        let lower = self.bound()?;
        if self.kind(0) != Kind::RangeTo {
            return Err(self.unexpected("not the \"TO\" of a range"));
        }
        self.at += 1;
        let upper = self.bound()?;
        let includes_upper = match self.kind(0) {
            Kind::RangeEndIncluding => true,
            Kind::RangeEndExcluding => false,
            _ => return Err(self.unexpected("not the end of a range")),
        };
        self.at += 1;
        self.boost()?;
        Ok(Leaf::Range {
            lower,
            upper,
            includes_lower,
            includes_upper,
        })
    }

    fn bound(&mut self) -> Result<Option<String>, SyntaxError> {
        match self.kind(0) {
            Kind::RangeQuoted => {
                let token = self.next();
                let text = within(&token.text, 1).to_owned();
                unescape(&Token { text, ..token }).map(Some)
            }
            Kind::RangeWord | Kind::RangeTo => {
                let token = self.next();
                if token.text == "*" {
                    Ok(None)
                } else {
                    unescape(&token).map(Some)
                }
            }
            _ => Err(self.unexpected("not the bound of a range")),
        }
    }
}

/// A text without its first and last bytes.
fn within(text: &str, marks: usize) -> &str {
    text.len()
        .checked_sub(marks)
        .and_then(|end| text.get(marks..end))
        .unwrap_or_default()
}

/// The slop of a phrase as Java casts it to a whole number; what is no number is passed over.
#[expect(
    clippy::cast_possible_truncation,
    reason = "casts that stay within the type are Java's as well"
)]
fn whole_part(text: &str) -> Option<i32> {
    crate::filter::number::double(text).map(|number| number as i32)
}

/// A word with its escapes resolved: `\x` is x, `\u0041` a UTF-16 unit.
fn unescape(token: &Token) -> Result<String, SyntaxError> {
    if !token.text.contains('\\') {
        return Ok(token.text.clone());
    }
    let error = |message: &str| SyntaxError {
        at: token.at,
        message: message.to_owned(),
    };
    let mut units = Vec::with_capacity(token.text.len());
    let mut chars = token.text.chars();
    while let Some(c) = chars.next() {
        let mut buffer = [0; 2];
        if c != '\\' {
            units.extend_from_slice(c.encode_utf16(&mut buffer));
            continue;
        }
        match chars.next() {
            Some('u') => {
                let mut unit = 0;
                for _ in 0..4 {
                    let digit = chars
                        .next()
                        .ok_or_else(|| error("\"\\u\" needs four hexadecimal digits"))?
                        .to_digit(16)
                        .ok_or_else(|| error("\"\\u\" needs four hexadecimal digits"))?;
                    unit = unit * 16 + digit;
                }
                units.push(u16::try_from(unit).unwrap_or(0xfffd));
            }
            Some(c) => units.extend_from_slice(c.encode_utf16(&mut buffer)),
            None => return Err(error("a \"\\\" at the end escapes nothing")),
        }
    }
    Ok(String::from_utf16_lossy(&units))
}

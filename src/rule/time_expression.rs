//! `timestamp_to_datetime_format_expr`: the part of Python that such expressions need.
//!
//! ElastAlert evaluates the option as Python with the event's time as `ts`. Here it is `ts`, texts in quotes, `+` between them,
//! slices (`[a:b]`), elements (`[a]`), `.replace(a, b)`, `.strip()`, `str(…)` and parentheses; everything else is refused when the rule is loaded.

/// A checked expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeExpression(Expr);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Expr {
    Ts,
    Text(String),
    Join(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Option<i64>, Option<i64>),
    Element(Box<Expr>, i64),
    Replace(Box<Expr>, Box<Expr>, Box<Expr>),
    Strip(Box<Expr>),
}

/// Parentheses and calls inside each other: deeper ones are refused.
const MAX_DEPTH: usize = 32;

impl TimeExpression {
    /// Parses an expression.
    ///
    /// # Errors
    /// In words, what is not understood.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let mut parser = Parser {
            rest: text,
            depth: 0,
        };
        let expr = parser.sum()?;
        parser.skip_blanks();
        if parser.rest.is_empty() {
            Ok(Self(expr))
        } else {
            Err(parser.unexpected())
        }
    }

    /// The value for a time's text; `None` where Python would raise.
    pub(super) fn apply(&self, ts: &str) -> Option<String> {
        self.0.apply(ts)
    }
}

impl Expr {
    fn apply(&self, ts: &str) -> Option<String> {
        Some(match self {
            Self::Ts => ts.to_owned(),
            Self::Text(text) => text.clone(),
            Self::Join(a, b) => a.apply(ts)? + &b.apply(ts)?,
            Self::Slice(of, from, to) => {
                let text = of.apply(ts)?;
                let length = text.chars().count();
                let from = from.map_or(0, |at| place(at, length));
                let to = to.map_or(length, |at| place(at, length));
                text.chars().take(to).skip(from).collect()
            }
            Self::Element(of, at) => {
                let text = of.apply(ts)?;
                let length = i64::try_from(text.chars().count()).ok()?;
                let at = if *at < 0 {
                    at.checked_add(length)?
                } else {
                    *at
                };
                text.chars().nth(usize::try_from(at).ok()?)?.to_string()
            }
            Self::Replace(of, from, to) => of.apply(ts)?.replace(&from.apply(ts)?, &to.apply(ts)?),
            Self::Strip(of) => of.apply(ts)?.trim().to_owned(),
        })
    }
}

/// A slice's bound: negative ones count from the end, those outside are the ends.
fn place(at: i64, length: usize) -> usize {
    let distance = usize::try_from(at.unsigned_abs()).unwrap_or(usize::MAX);
    if at < 0 {
        length.saturating_sub(distance)
    } else {
        distance.min(length)
    }
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn skip_blanks(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn eat(&mut self, token: &str) -> bool {
        self.skip_blanks();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<(), String> {
        if self.eat(token) {
            Ok(())
        } else {
            Err(self.unexpected())
        }
    }

    fn unexpected(&self) -> String {
        match self.rest.split_whitespace().next() {
            Some(word) => format!("the expression is not understood from {word:?} on"),
            None => "the expression ends too early".to_owned(),
        }
    }

    fn sum(&mut self) -> Result<Expr, String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        let mut left = self.term()?;
        while self.eat("+") {
            left = Expr::Join(Box::new(left), Box::new(self.term()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn term(&mut self) -> Result<Expr, String> {
        let mut expr = self.atom()?;
        loop {
            if self.eat("[") {
                expr = self.brackets(expr)?;
            } else if self.eat(".replace(") {
                let from = self.sum()?;
                self.expect(",")?;
                let to = self.sum()?;
                self.expect(")")?;
                expr = Expr::Replace(Box::new(expr), Box::new(from), Box::new(to));
            } else if self.eat(".strip()") {
                expr = Expr::Strip(Box::new(expr));
            } else {
                return Ok(expr);
            }
        }
    }

    fn atom(&mut self) -> Result<Expr, String> {
        if self.eat("str(") || self.eat("(") {
            let inner = self.sum()?;
            self.expect(")")?;
            return Ok(inner);
        }
        for quote in ['"', '\''] {
            if self.eat(&quote.to_string()) {
                let Some((text, rest)) = self.rest.split_once(quote) else {
                    return Err("a text in the expression is not closed".to_owned());
                };
                if text.contains('\\') {
                    return Err(
                        "a backslash in a text of the expression is not understood".to_owned()
                    );
                }
                self.rest = rest;
                return Ok(Expr::Text(text.to_owned()));
            }
        }
        let name_ends = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        match self.rest.strip_prefix("ts") {
            Some(rest) if name_ends(rest) => {
                self.rest = rest;
                Ok(Expr::Ts)
            }
            _ => Err(self.unexpected()),
        }
    }

    fn brackets(&mut self, of: Expr) -> Result<Expr, String> {
        let from = self.integer()?;
        if self.eat(":") {
            let to = self.integer()?;
            self.expect("]")?;
            return Ok(Expr::Slice(Box::new(of), from, to));
        }
        self.expect("]")?;
        from.map(|at| Expr::Element(Box::new(of), at))
            .ok_or_else(|| "empty brackets in the expression".to_owned())
    }

    fn integer(&mut self) -> Result<Option<i64>, String> {
        let sign = if self.eat("-") { -1 } else { 1 };
        self.skip_blanks();
        let end = self
            .rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.rest.len());
        let (digits, rest) = self.rest.split_at(end);
        if digits.is_empty() && sign == 1 {
            return Ok(None);
        }
        let value: i64 = digits.parse().map_err(|_| self.unexpected())?;
        self.rest = rest;
        Ok(Some(sign * value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(expression: &str, expected: &str) {
        let value = TimeExpression::new(expression)
            .unwrap()
            .apply("2026-03-02T00:00:00.500Z");
        assert_eq!(value.as_deref(), Some(expected), "{expression}");
    }

    #[test]
    fn slices_and_texts_are_put_together() {
        check(
            r#"ts[:23] + "000" + ts[23:]"#,
            "2026-03-02T00:00:00.500000Z",
        );
        check("ts[:-1]", "2026-03-02T00:00:00.500");
        check("ts[-4:-1] + ts[0]+ts[99:]", "5002");
        check("ts.replace('T', ' ')[:19]", "2026-03-02 00:00:00");
        check("str((ts)[11:13] + ':').strip()", "00:");
    }

    #[test]
    fn other_python_is_refused() {
        for text in [
            "",
            "ts[",
            "ts[:1",
            "tsx",
            "__import__('os')",
            "ts + 1",
            "ts[::2]",
            "'a",
            "ts ts",
            "ts[]",
        ] {
            assert!(TimeExpression::new(text).is_err(), "{text}");
        }
        assert!(TimeExpression::new(&"(".repeat(100_000)).is_err());
        assert_eq!(TimeExpression::new("ts[30]").unwrap().apply("2026"), None);
    }
}

//! The syntax of `simple_query_string` (Lucene's `SimpleQueryParser`): every text is a query.

/// What stands between operators.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum SimpleLeaf {
    Words(String),
    Phrase { text: String, slop: Option<u32> },
    Prefix(String),
    Fuzzy { text: String, edits: u32 },
    MatchAll,
}

/// A query whose leaves were made into something.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::filter) enum Simple<T> {
    Leaf(T),
    Not(Box<Simple<T>>),
    All(Vec<Simple<T>>),
    Any(Vec<Simple<T>>),
}

/// Which operators are understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) struct Flags(u16);

impl Flags {
    pub(in crate::filter) const ALL: Self = Self(u16::MAX);
    pub(in crate::filter) const NONE: Self = Self(0);
    const AND: Self = Self(1);
    const NOT: Self = Self(2);
    const OR: Self = Self(4);
    const PREFIX: Self = Self(8);
    const PHRASE: Self = Self(16);
    const PRECEDENCE: Self = Self(32);
    const ESCAPE: Self = Self(64);
    const WHITESPACE: Self = Self(128);
    const FUZZY: Self = Self(256);
    const NEAR: Self = Self(512);

    /// Reads `AND|OR|PREFIX`; the error is the name that is not known.
    pub(in crate::filter) fn parse(text: &str) -> Result<Self, String> {
        let mut flags = 0;
        for name in text.split('|').filter(|name| !name.is_empty()) {
            let flag = match name.to_uppercase().as_str() {
                // What comes first of the two decides.
                "ALL" => return Ok(Self::ALL),
                "NONE" => return Ok(Self::NONE),
                "AND" => Self::AND,
                "NOT" => Self::NOT,
                "OR" => Self::OR,
                "PREFIX" => Self::PREFIX,
                "PHRASE" => Self::PHRASE,
                "PRECEDENCE" => Self::PRECEDENCE,
                "ESCAPE" => Self::ESCAPE,
                "WHITESPACE" => Self::WHITESPACE,
                "FUZZY" => Self::FUZZY,
                "NEAR" | "SLOP" => Self::NEAR,
                _ => return Err(name.to_owned()),
            };
            flags |= flag.0;
        }
        Ok(if flags == 0 { Self::ALL } else { Self(flags) })
    }

    /// From `flags` given as a number, bit by bit as Elasticsearch numbers them.
    pub(in crate::filter) fn from_bits(bits: i64) -> Self {
        u16::try_from(bits).map_or(Self::ALL, Self)
    }

    fn has(self, flag: Self) -> bool {
        self.0 & flag.0 != 0
    }
}

/// How deep brackets may nest; deeper ones count as words.
const MAX_DEPTH: usize = 64;

/// How often a query may go over from one operator to another: each time what was read so far becomes a clause of the next.
pub(in crate::filter) const MAX_CHANGES: usize = 250;

/// A query goes back and forth between operators too often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::filter) struct TooMixed;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    All,
    Any,
}

struct Parser<'q, T> {
    text: &'q [char],
    flags: Flags,
    default_operator: Operator,
    make: &'q mut dyn FnMut(SimpleLeaf) -> Option<T>,
    changes: usize,
}

/// What one level of brackets has come to.
struct State<T> {
    top: Option<Simple<T>>,
    current: Option<Operator>,
    previous: Option<Operator>,
    nots: usize,
}

/// Reads a query; `None` when nothing is left of it. A leaf that nothing is made of counts as not written, and operators around it find their
/// way past it.
///
/// # Errors
/// More than [`MAX_CHANGES`] changes of the operator.
pub(in crate::filter) fn parse_simple<T>(
    text: &str,
    flags: Flags,
    all: bool,
    make: &mut dyn FnMut(SimpleLeaf) -> Option<T>,
) -> Result<Option<Simple<T>>, TooMixed> {
    if text.trim_matches(|c| c <= ' ') == "*" {
        return Ok(make(SimpleLeaf::MatchAll).map(Simple::Leaf));
    }
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser {
        text: &chars,
        flags,
        default_operator: if all { Operator::All } else { Operator::Any },
        make,
        changes: 0,
    };
    let read = parser.level(0, chars.len(), 0);
    if parser.changes > MAX_CHANGES {
        return Err(TooMixed);
    }
    Ok(read)
}

impl<T> Parser<'_, T> {
    fn at(&self, at: usize, end: usize) -> Option<char> {
        if at < end {
            self.text.get(at).copied()
        } else {
            None
        }
    }

    fn is_blank(&self, c: char) -> bool {
        matches!(c, ' ' | '\t' | '\n' | '\r') && self.flags.has(Flags::WHITESPACE)
    }

    fn level(&mut self, start: usize, end: usize, depth: usize) -> Option<Simple<T>> {
        let mut state = State {
            top: None,
            current: None,
            previous: None,
            nots: 0,
        };
        let mut at = start;
        while let Some(c) = self.at(at, end) {
            match c {
                '(' if self.flags.has(Flags::PRECEDENCE) => {
                    at = self.brackets(at, end, depth, &mut state)
                }
                ')' if self.flags.has(Flags::PRECEDENCE) => at += 1,
                '"' if self.flags.has(Flags::PHRASE) => at = self.phrase(at, end, &mut state),
                '+' if self.flags.has(Flags::AND) => {
                    Self::operator(Operator::All, &mut state);
                    at += 1;
                }
                '|' if self.flags.has(Flags::OR) => {
                    Self::operator(Operator::Any, &mut state);
                    at += 1;
                }
                '-' if self.flags.has(Flags::NOT) => {
                    state.nots += 1;
                    at += 1;
                    continue;
                }
                c if self.is_blank(c) => at += 1,
                _ => at = self.token(at, end, &mut state),
            }
            state.nots = 0;
        }
        state.top
    }

    /// An operator counts only after something and before something.
    fn operator(operator: Operator, state: &mut State<T>) {
        if state.current.is_none() && state.top.is_some() {
            state.current = Some(operator);
        }
    }

    fn brackets(&mut self, open: usize, end: usize, depth: usize, state: &mut State<T>) -> usize {
        let start = open + 1;
        let mut level = 1;
        let mut at = start;
        while level > 0 {
            match self.at(at, end) {
                None => return start,
                Some('(') => level += 1,
                Some(')') => level -= 1,
                Some('\\') if self.flags.has(Flags::ESCAPE) => at += 1,
                Some(_) => {}
            }
            at += 1;
        }
        let close = at - 1;
        if close == start {
            state.current = None;
        } else if depth < MAX_DEPTH {
            let branch = self.level(start, close, depth + 1);
            self.add(branch, state);
        }
        at
    }

    fn phrase(&mut self, open: usize, end: usize, state: &mut State<T>) -> usize {
        let start = open + 1;
        let mut text = String::new();
        let mut at = start;
        let mut escaped = false;
        let mut slop = None;
        loop {
            let Some(c) = self.at(at, end) else {
                // Not closed: the quote is left out.
                return start;
            };
            if !escaped {
                if c == '\\' && self.flags.has(Flags::ESCAPE) {
                    escaped = true;
                    at += 1;
                    continue;
                }
                if c == '"' {
                    break;
                }
            }
            escaped = false;
            text.push(c);
            at += 1;
        }
        at += 1;
        if self.at(at, end) == Some('~') && self.flags.has(Flags::NEAR) {
            at += 1;
            if at < end {
                let (number, after) = self.number(at, end);
                slop = Some(number);
                // Lucene passes over the character behind the number, whatever it is.
                at = after + 1;
            }
        }
        if text.is_empty() {
            state.current = None;
            return at;
        }
        self.leaf(SimpleLeaf::Phrase { text, slop }, state);
        at
    }

    /// The number after `~`: 2 when there is none, 0 when what stands there is no number.
    fn number(&self, start: usize, end: usize) -> (u32, usize) {
        let mut at = start;
        let mut text = String::new();
        while let Some(c) = self.at(at, end).filter(|&c| !self.ends_word(c)) {
            text.push(c);
            at += 1;
        }
        let number = if text.is_empty() {
            2
        } else {
            let number: Option<i32> = text.parse().ok();
            number.map_or(0, |number| u32::try_from(number).unwrap_or(0))
        };
        (number, at)
    }

    fn ends_word(&self, c: char) -> bool {
        match c {
            '"' => self.flags.has(Flags::PHRASE),
            '|' => self.flags.has(Flags::OR),
            '+' => self.flags.has(Flags::AND),
            '(' | ')' => self.flags.has(Flags::PRECEDENCE),
            c => self.is_blank(c),
        }
    }

    fn token(&mut self, start: usize, end: usize, state: &mut State<T>) -> usize {
        let mut text = String::new();
        let mut at = start;
        let mut escaped = false;
        let mut prefix = false;
        let mut edits = None;
        while let Some(c) = self.at(at, end) {
            if !escaped {
                if c == '\\' && self.flags.has(Flags::ESCAPE) {
                    escaped = true;
                    prefix = false;
                    at += 1;
                    continue;
                }
                if self.ends_word(c) {
                    break;
                }
                if c == '~' && !text.is_empty() && self.flags.has(Flags::FUZZY) {
                    let (number, after) = self.number(at + 1, end);
                    edits = Some(number);
                    at = after;
                    break;
                }
                prefix = !text.is_empty() && c == '*' && self.flags.has(Flags::PREFIX);
            }
            escaped = false;
            text.push(c);
            at += 1;
        }
        if text.is_empty() {
            return at.max(start + 1);
        }
        let leaf = match edits {
            Some(0) => SimpleLeaf::Words(text),
            Some(edits) => SimpleLeaf::Fuzzy {
                text,
                edits: edits.min(2),
            },
            None if prefix => {
                text.pop();
                SimpleLeaf::Prefix(text)
            }
            None => SimpleLeaf::Words(text),
        };
        self.leaf(leaf, state);
        at
    }

    fn leaf(&mut self, leaf: SimpleLeaf, state: &mut State<T>) {
        let branch = (self.make)(leaf).map(Simple::Leaf);
        self.add(branch, state);
    }

    fn add(&mut self, branch: Option<Simple<T>>, state: &mut State<T>) {
        let Some(mut branch) = branch else {
            return;
        };
        if state.nots % 2 == 1 {
            branch = Simple::Not(Box::new(branch));
        }
        let Some(top) = state.top.take() else {
            state.top = Some(branch);
            state.current = None;
            return;
        };
        let current = state.current.take().unwrap_or(self.default_operator);
        if state.previous != Some(current) {
            self.changes += 1;
        }
        if self.changes > MAX_CHANGES {
            // No deeper: nobody gets to see it.
            return;
        }
        let grown = match (top, current) {
            (Simple::All(mut items), Operator::All) if state.previous == Some(current) => {
                items.push(branch);
                Simple::All(items)
            }
            (Simple::Any(mut items), Operator::Any) if state.previous == Some(current) => {
                items.push(branch);
                Simple::Any(items)
            }
            (top, Operator::All) => Simple::All(vec![top, branch]),
            (top, Operator::Any) => Simple::Any(vec![top, branch]),
        };
        state.previous = Some(current);
        state.top = Some(grown);
    }
}

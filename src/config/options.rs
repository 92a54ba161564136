//! Option tables: the one place where an option is named.
//!
//! Every part that reads options (rule types, alerters, text, the service itself) lists them as data. Validation, "did you mean",
//! help, `docs/` and the JSON schema come from these tables; an option is never listed in a second place.

use std::fmt;

/// What values an option takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// Text.
    Str,
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// Any number.
    Number,
    /// `{minutes: 5}` and the like: weeks, days, hours, minutes, seconds, milliseconds, microseconds (Python's `timedelta`).
    Duration,
    /// One of these texts.
    OneOf(&'static [&'static str]),
    /// A list of such values.
    List(&'static Kind),
    /// Any of these.
    AnyOf(&'static [Kind]),
    /// An object; the part that owns the option looks into it.
    Map,
    /// Anything; the part that owns the option looks at it.
    Any,
}

/// What it takes, in words: `a whole number`, `text or a list of texts`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Str => f.write_str("text"),
            Self::Bool => f.write_str("true or false"),
            Self::Int => f.write_str("a whole number"),
            Self::Number => f.write_str("a number"),
            Self::Duration => f.write_str("an object such as {minutes: 5}"),
            Self::OneOf(values) => {
                f.write_str("one of ")?;
                for (i, value) in values.iter().enumerate() {
                    let comma = if i > 0 { ", " } else { "" };
                    write!(f, "{comma}`{value}`")?;
                }
                Ok(())
            }
            Self::List(Self::Str) => f.write_str("a list of texts"),
            Self::List(Self::Any) => f.write_str("a list"),
            Self::List(item) => write!(f, "a list, each item {item}"),
            Self::AnyOf(kinds) => {
                for (i, kind) in kinds.iter().enumerate() {
                    let or = if i > 0 { " or " } else { "" };
                    write!(f, "{or}{kind}")?;
                }
                Ok(())
            }
            Self::Map => f.write_str("an object"),
            Self::Any => f.write_str("any value"),
        }
    }
}

/// One text or a list of texts.
pub const TEXTS: Kind = Kind::AnyOf(&[Kind::Str, Kind::List(&Kind::Str)]);

/// One option.
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// ElastAlert's name for it.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Whether loading fails without it.
    pub required: bool,
    /// The default in words, for documentation; `None`: no value.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether an option with nothing behind its colon is as good as none. ElastAlert refuses that where its schema knows the option's kind.
    pub may_be_empty: bool,
    /// Accepted, but without effect in a stream; says why.
    pub no_effect: Option<&'static str>,
    /// Whether a rule keeps what it remembers when this is edited: the option judges what is remembered, and does not shape it.
    pub judges: bool,
    /// Whether its texts are names of the events' fields.
    pub names_fields: bool,
    /// What it does, in one sentence.
    pub doc: &'static str,
    /// What to do when it is missing or of the wrong kind, where the kind alone does not say it.
    pub hint: Option<&'static str>,
}

/// An optional option taking text.
pub const fn opt(name: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        kind: Kind::Str,
        required: false,
        default: None,
        secret: false,
        may_be_empty: false,
        no_effect: None,
        judges: false,
        names_fields: false,
        doc: "",
        hint: None,
    }
}

impl OptionSpec {
    /// Takes values of this kind.
    #[must_use]
    pub const fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Takes one text or a list of texts.
    #[must_use]
    pub const fn texts(self) -> Self {
        self.kind(TEXTS)
    }

    /// Takes true or false.
    #[must_use]
    pub const fn bool(self) -> Self {
        self.kind(Kind::Bool)
    }

    /// Takes a whole number.
    #[must_use]
    pub const fn int(self) -> Self {
        self.kind(Kind::Int)
    }

    /// Takes a number.
    #[must_use]
    pub const fn number(self) -> Self {
        self.kind(Kind::Number)
    }

    /// Takes a duration.
    #[must_use]
    pub const fn duration(self) -> Self {
        self.kind(Kind::Duration)
    }

    /// Takes one of these texts.
    #[must_use]
    pub const fn one_of(self, values: &'static [&'static str]) -> Self {
        self.kind(Kind::OneOf(values))
    }

    /// Loading fails without it.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The default, in words.
    #[must_use]
    pub const fn default(mut self, default: &'static str) -> Self {
        self.default = Some(default);
        self
    }

    /// Its value is never shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    /// With nothing behind its colon it is as good as none.
    #[must_use]
    pub const fn may_be_empty(mut self) -> Self {
        self.may_be_empty = true;
        self
    }

    /// Accepted without effect.
    #[must_use]
    pub const fn no_effect(mut self, why: &'static str) -> Self {
        self.no_effect = Some(why);
        self
    }

    /// It judges what a rule remembers, and does not shape it.
    #[must_use]
    pub const fn judges(mut self) -> Self {
        self.judges = true;
        self
    }

    /// Its texts are names of the events' fields.
    #[must_use]
    pub const fn names_fields(mut self) -> Self {
        self.names_fields = true;
        self
    }

    /// What to do when it is missing or of the wrong kind.
    #[must_use]
    pub const fn hint(mut self, hint: &'static str) -> Self {
        self.hint = Some(hint);
        self
    }

    /// What it does.
    #[must_use]
    pub const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
}

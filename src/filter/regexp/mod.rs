//! Lucene's regular expressions (`org.apache.lucene.util.automaton.RegExp`), which are not PCRE's: always anchored at both ends,
//! with complement, intersection and number intervals, and without anchors, groups to refer to, or look-around.

mod automaton;
mod parser;
#[cfg(test)]
mod tests;

pub(super) use automaton::Automaton;
pub(super) use parser::Flags;

/// The longest pattern (`index.max_regex_length`).
const MAX_LENGTH: usize = 1000;

/// How a pattern is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Options {
    /// The operators beyond the usual ones.
    pub(super) flags: Flags,
    /// Whether ASCII letters match in either case.
    pub(super) ignore_case: bool,
    /// How much work compiling may be (`max_determinized_states`).
    pub(super) work_limit: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            flags: Flags::ALL,
            ignore_case: false,
            work_limit: 10_000,
        }
    }
}

/// Why a pattern cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RegexpError {
    /// It is not a pattern.
    #[error("{message} at character {at}")]
    Syntax {
        /// What is wrong.
        message: String,
        /// The character, counted from 0.
        at: usize,
    },
    /// It is longer than 1,000 characters.
    #[error("the pattern has {length} characters, more than 1000")]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// Compiling it would take too much memory and time.
    #[error("the pattern is too complex")]
    TooComplex,
}

/// Compiles a pattern.
pub(super) fn compile(pattern: &str, options: Options) -> Result<Automaton, RegexpError> {
    let length = pattern.encode_utf16().count();
    if length > MAX_LENGTH {
        return Err(RegexpError::TooLong { length });
    }
    let expression = parser::parse(pattern, options)?;
    automaton::compile(&expression, options.work_limit)
}

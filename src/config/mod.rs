//! Configuration files: reading, places, problems, option tables.

mod lists;
mod node;
mod options;
mod problem;
mod properties;

pub use lists::read_list;
pub use node::{Data, Mapping, Node};
pub use options::{Kind, OptionSpec, TEXTS, opt};
pub use problem::{Problem, Severity, SourceFile, Span};
pub use properties::{Properties, duration};

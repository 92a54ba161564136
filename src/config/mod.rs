//! Configuration files: reading, places, problems, option tables.

mod env;
mod file;
mod node;
mod options;
mod problem;
mod properties;
pub mod yaml;

pub use env::{Environment, process_environment};
pub use file::{read, read_yaml};
pub use node::{Data, Mapping, Node};
pub use options::{Kind, OptionSpec, TEXTS, opt};
pub use problem::{Problem, Severity, SourceFile, Span};
pub use properties::{Properties, duration};

//! Configuration files: reading, places, problems, option tables.

mod check;
mod duration;
mod env;
mod file;
mod node;
mod options;
mod packed;
mod problem;
mod properties;
mod render;
pub mod service;
pub mod yaml;

pub use check::{check, nearest, unknown, without_effect};
pub use duration::duration;
pub use env::{Environment, process_environment};
pub use file::{is_file, read, read_yaml, yaml_files};
pub use node::{Data, Mapping, Node};
pub use options::{Kind, OptionSpec, TEXTS, opt};
pub use packed::Packed;
pub use problem::{Problem, Severity, SourceFile, Span};
pub use properties::{Alike, Properties};
pub use render::{Colours, render};
pub use service::{
    AuthConfig, Credentials, DeadLetterConfig, EsConfig, HttpConfig, InputConfig, ListenConfig,
    Service, SourceConfig, Sources, StdinConfig, TcpConfig, TlsConfig,
};

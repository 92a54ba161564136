//! Which certificates of a server are accepted.

use crate::config::{Data, Properties};
use std::path::{Path, PathBuf};

/// Which certificates of a server are accepted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Those of authorities the system trusts.
    System,
    /// All: the connection is encrypted, but anybody may be at the other end.
    Nothing,
    /// Those of the authorities in this PEM file.
    Bundle(PathBuf),
}

impl Verify {
    /// From ElastAlert's pair of options: `*_ca_certs` (true, or the path of a bundle) wins over `*_ignore_ssl_errors`.
    pub fn read(
        properties: &Properties,
        ca_certs: &str,
        ignore_errors: &str,
        working_directory: &Path,
    ) -> Self {
        match properties.get(ca_certs).map(|node| &node.data) {
            Some(Data::Str(path)) if !path.is_empty() => {
                return Self::Bundle(working_directory.join(path));
            }
            Some(Data::Bool(true)) => return Self::System,
            _ => {}
        }
        if properties.bool(ignore_errors) == Some(true) {
            Self::Nothing
        } else {
            Self::System
        }
    }
}

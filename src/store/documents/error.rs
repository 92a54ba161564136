//! Why the embedded store cannot be used.

use super::FORMAT;
use std::path::PathBuf;

/// Why the embedded store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error(
        "another tripline uses the store {}: stop it, or give this one another `store: {{path: …}}`",
        path.display()
    )]
    InUse {
        /// The store's file.
        path: PathBuf,
    },
    /// The file is not a store, or damaged.
    #[error(
        "the store {} cannot be read ({reason}): move it away to start with an empty one",
        path.display()
    )]
    Unreadable {
        /// The store's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The file was written by a newer program.
    #[error(
        "the store {} has format {found}, this version knows formats up to {FORMAT}: use the version that wrote it, or a newer one",
        path.display()
    )]
    Format {
        /// The store's file.
        path: PathBuf,
        /// Its format.
        found: u64,
    },
    /// The directory or file cannot be made or opened.
    #[error("the store {} cannot be opened", path.display())]
    Io {
        /// The store's directory or file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Reading or writing failed while it was open. After a failed write the store answers nothing but this: open it anew.
    #[error("the embedded store failed")]
    Database(#[source] Box<redb::Error>),
}

/// The database's errors are one enum per operation; all end as one.
macro_rules! from_database {
    ($($error:ty),*) => {$(
        impl From<$error> for StoreError {
            fn from(error: $error) -> Self {
                Self::Database(Box::new(error.into()))
            }
        }
    )*};
}
from_database!(
    redb::StorageError,
    redb::TableError,
    redb::TransactionError,
    redb::CommitError,
    redb::SetDurabilityError
);

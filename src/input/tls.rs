//! TLS for inputs and the web server: certificates from PEM files, with errors that name the file and what is wrong with it.

use crate::config::TlsConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: PemError,
    },
    /// A file holds nothing of the kind.
    #[error("{}: no {wanted} in this file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// A certificate of `client_ca` cannot be used.
    #[error("{}: {source}", path.display())]
    BadClientCa {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// The certificates of `client_ca` cannot verify anything.
    #[error("{}: {source}", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: VerifierBuilderError,
    },
    /// Certificate and key do not fit together, or cannot be used.
    #[error("{} with {}: {source}", cert.display(), key.display())]
    Pair {
        /// The certificate file.
        cert: PathBuf,
        /// The key file.
        key: PathBuf,
        /// What is wrong with them.
        source: rustls::Error,
    },
}

/// A server's side of TLS 1.2 and 1.3, speaking HTTP/1.1 if the client asks.
///
/// # Errors
/// A file cannot be read, holds nothing of use, or certificate and key do not fit together.
pub fn server_config(config: &TlsConfig) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(&config.cert)?;
    let key = PrivateKeyDer::from_pem_file(&config.key).map_err(|source| match source {
        PemError::NoItemsFound => TlsError::Missing {
            path: config.key.clone(),
            wanted: "private key",
        },
        source => unreadable(&config.key, source),
    })?;
    let pair = |source| TlsError::Pair {
        cert: config.cert.clone(),
        key: config.key.clone(),
        source,
    };
    let provider = Arc::new(ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(pair)?;
    let builder = match &config.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(path)? {
                roots
                    .add(certificate)
                    .map_err(|source| TlsError::BadClientCa {
                        path: path.clone(),
                        source,
                    })?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|source| TlsError::Verifier {
                    path: path.clone(),
                    source,
                })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut server = builder.with_single_cert(chain, key).map_err(pair)?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(server))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|source| unreadable(path, source))?;
    if certificates.is_empty() {
        return Err(TlsError::Missing {
            path: path.to_owned(),
            wanted: "certificate",
        });
    }
    Ok(certificates)
}

fn unreadable(path: &Path, source: PemError) -> TlsError {
    TlsError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn config(folder: &Path) -> TlsConfig {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
        fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        TlsConfig {
            cert: folder.join("cert.pem"),
            key: folder.join("key.pem"),
            client_ca: None,
        }
    }

    #[test]
    fn loads_a_pair() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        assert!(server_config(&config).is_ok());
        config.client_ca = Some(config.cert.clone());
        assert!(server_config(&config).is_ok());
    }

    #[track_caller]
    fn fails(config: &TlsConfig, folder: &Path, message: &str) {
        let error = server_config(config).unwrap_err().to_string();
        assert_eq!(
            error.replace(&format!("{}/", folder.display()), ""),
            message
        );
    }

    #[test]
    fn errors_name_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let good = config(folder.path());

        let mut missing = good.clone();
        missing.cert = folder.path().join("gone.pem");
        fails(
            &missing,
            folder.path(),
            "gone.pem: I/O error: No such file or directory (os error 2)",
        );

        let mut exchanged = good.clone();
        exchanged.cert = good.key.clone();
        fails(
            &exchanged,
            folder.path(),
            "key.pem: no certificate in this file",
        );

        let mut exchanged = good.clone();
        exchanged.key = good.cert.clone();
        fails(
            &exchanged,
            folder.path(),
            "cert.pem: no private key in this file",
        );

        let other = tempfile::tempdir().unwrap();
        let mut foreign = good;
        foreign.key = config(other.path()).key;
        let error = server_config(&foreign).unwrap_err();
        assert!(matches!(error, TlsError::Pair { .. }), "{error}");
    }
}

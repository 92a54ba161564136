//! TLS towards the server: whom we trust, and who we are.

use crate::support::http::block_on;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tripline::writeback::{Client, EsConfig};

/// Who may connect.
#[derive(Clone, Copy, PartialEq)]
enum Clients {
    Everybody,
    WithCertificate,
}

/// An authority, and files with its certificate and with a client certificate of it.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
    directory: TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let authority = Self {
            issuer: Issuer::new(params, key),
            certificate,
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::write(authority.file("ca.pem"), authority.certificate.pem()).unwrap();
        let (certificate, key) = authority.issue("client");
        std::fs::write(authority.file("client.pem"), certificate.pem()).unwrap();
        std::fs::write(authority.file("client.key"), key.serialize_pem()).unwrap();
        authority
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    /// A server on localhost that says it is Elasticsearch 8.
    async fn serve(&self, clients: Clients) -> u16 {
        tripline::tls::install_provider();
        let (certificate, key) = self.issue("localhost");
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.der().clone()).unwrap();
        let builder = match clients {
            Clients::Everybody => ServerConfig::builder().with_no_client_auth(),
            Clients::WithCertificate => ServerConfig::builder().with_client_cert_verifier(
                WebPkiClientVerifier::builder(Arc::new(roots))
                    .build()
                    .unwrap(),
            ),
        };
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = builder
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                if let Ok(mut stream) = acceptor.accept(stream).await {
                    let mut request = [0; 4096];
                    if stream.read(&mut request).await.is_ok() {
                        let body = r#"{"version":{"number":"8.11.0"}}"#;
                        let answer = format!(
                            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                            body.len()
                        );
                        stream.write_all(answer.as_bytes()).await.ok();
                        stream.shutdown().await.ok();
                    }
                }
            }
        });
        port
    }
}

/// Asks a TLS server for its version; the error's text when it does not work.
fn version(
    clients: Clients,
    change: impl FnOnce(&mut EsConfig, &Authority),
) -> Result<String, String> {
    let authority = Authority::new();
    block_on(async {
        let mut config = EsConfig {
            hosts: vec!["localhost".to_owned()],
            port: authority.serve(clients).await,
            use_ssl: true,
            ..EsConfig::default()
        };
        change(&mut config, &authority);
        let client = Client::new(&config).map_err(|error| error.to_string())?;
        let version = client.version().await.map_err(|error| error.to_string())?;
        Ok(version.text)
    })
}

#[test]
fn only_servers_of_a_trusted_authority_are_spoken_to() {
    let works = Ok("8.11.0".to_owned());
    let trusted = version(Clients::Everybody, |config, authority| {
        config.ca_certs = Some(authority.file("ca.pem"));
    });
    assert_eq!(trusted, works);
    let unverified = version(Clients::Everybody, |config, _| config.verify_certs = false);
    assert_eq!(unverified, works);
    let stranger = Authority::new();
    let unknown = version(Clients::Everybody, |config, _| {
        config.ca_certs = Some(stranger.file("ca.pem"));
    });
    assert!(
        unknown
            .unwrap_err()
            .contains("is not reachable: invalid peer certificate")
    );
}

#[test]
fn a_client_certificate_is_shown_where_one_is_asked_for() {
    let with = version(Clients::WithCertificate, |config, authority| {
        config.ca_certs = Some(authority.file("ca.pem"));
        config.client_cert = Some(authority.file("client.pem"));
        config.client_key = Some(authority.file("client.key"));
    });
    assert_eq!(with, Ok("8.11.0".to_owned()));
    let without = version(Clients::WithCertificate, |config, authority| {
        config.ca_certs = Some(authority.file("ca.pem"));
    });
    assert!(without.unwrap_err().contains("is not reachable"));
    let no_pem = version(Clients::WithCertificate, |config, authority| {
        config.client_cert = Some(authority.file("ca.pem"));
    });
    assert!(
        no_pem
            .unwrap_err()
            .contains("holds no usable PEM certificate or key")
    );
}

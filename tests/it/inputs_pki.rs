//! Certificates made for a test, and clients that have them.

use crate::inputs_stage::{Client, Stage};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tripline::config::TlsConfig;

/// Certificates made for a test.
pub(crate) struct Pki {
    folder: tempfile::TempDir,
    roots: RootCertStore,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_cert = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::new(ca, ca_key);
        std::fs::write(folder.path().join("ca.pem"), ca_cert.pem()).unwrap();
        for name in ["localhost", "client"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            let cert = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(folder.path().join(format!("{name}.pem")), cert.pem()).unwrap();
            std::fs::write(
                folder.path().join(format!("{name}.key")),
                key.serialize_pem(),
            )
            .unwrap();
        }
        let mut roots = RootCertStore::empty();
        roots.add(ca_cert.der().clone()).unwrap();
        Self { folder, roots }
    }

    pub(crate) fn server(&self, client_ca: bool) -> Option<TlsConfig> {
        let path = |name| self.folder.path().join(name);
        Some(TlsConfig {
            cert: path("localhost.pem"),
            key: path("localhost.key"),
            client_ca: client_ca.then(|| path("ca.pem")),
        })
    }

    pub(crate) async fn connect(
        &self,
        stage: &Stage,
        with_certificate: bool,
    ) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let config = if with_certificate {
            let cert =
                CertificateDer::from_pem_file(self.folder.path().join("client.pem")).unwrap();
            let key = PrivateKeyDer::from_pem_file(self.folder.path().join("client.key")).unwrap();
            builder.with_client_auth_cert(vec![cert], key).unwrap()
        } else {
            builder.with_no_client_auth()
        };
        let stream = TcpStream::connect(stage.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        Client::new(
            TlsConnector::from(Arc::new(config))
                .connect(name, stream)
                .await
                .unwrap(),
        )
    }
}

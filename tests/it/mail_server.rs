//! A mail server that keeps what it gets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How the server differs from a plain one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Behaviour {
    /// TLS from the first byte.
    pub(crate) tls: bool,
    /// STARTTLS is offered.
    pub(crate) starttls: bool,
    /// This user and password must log in.
    pub(crate) login: Option<(String, String)>,
    /// Connections are closed, without a word, once so many mails have come through them.
    pub(crate) close_after: Option<usize>,
    /// These recipients are refused.
    pub(crate) refused: Vec<String>,
}

/// A mail as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    /// Without the final dot, dots unstuffed; lines end with CR LF.
    pub(crate) message: String,
    pub(crate) tls: bool,
    pub(crate) user: Option<String>,
    /// Which connection it came through, counted from 0.
    pub(crate) connection: usize,
}

/// A running server; it ends with its runtime.
pub(crate) struct MailServer {
    pub(crate) port: u16,
    received: Arc<Mutex<Vec<Received>>>,
}

impl MailServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let received = Arc::new(Mutex::new(Vec::new()));
        let acceptor =
            (behaviour.tls || behaviour.starttls).then(|| tls_acceptor(&self_signed()).0);
        let store = Arc::clone(&received);
        tokio::spawn(async move {
            for connection in 0.. {
                let Ok((socket, _)) = listener.accept().await else {
                    return;
                };
                socket.set_nodelay(true).unwrap();
                let session = Session {
                    behaviour: behaviour.clone(),
                    received: Arc::clone(&store),
                    connection,
                    user: None,
                };
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A client may hang up whenever it likes.
                    let _ended = session.serve(socket, acceptor).await;
                });
            }
        });
        Self { port, received }
    }

    /// What came so far, emptied.
    pub(crate) fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.received.lock().unwrap())
    }
}

/// A certificate for `localhost`, signed by itself.
pub(crate) fn self_signed() -> rcgen::CertifiedKey<rcgen::KeyPair> {
    rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap()
}

/// A server's side of TLS, and the certificate as PEM.
pub(crate) fn tls_acceptor(
    certificate: &rcgen::CertifiedKey<rcgen::KeyPair>,
) -> (TlsAcceptor, String) {
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(certificate.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key.into())
        .unwrap();
    (TlsAcceptor::from(Arc::new(config)), certificate.cert.pem())
}

/// Whether the dialogue ended, or wants to go on encrypted.
enum Next {
    End,
    StartTls,
}

struct Session {
    behaviour: Behaviour,
    received: Arc<Mutex<Vec<Received>>>,
    connection: usize,
    user: Option<String>,
}

impl Session {
    async fn serve(
        mut self,
        socket: tokio::net::TcpStream,
        acceptor: Option<TlsAcceptor>,
    ) -> std::io::Result<()> {
        if self.behaviour.tls {
            let stream = acceptor.unwrap().accept(socket).await?;
            self.dialogue(&mut BufReader::new(stream), true, true)
                .await?;
            return Ok(());
        }
        let mut plain = BufReader::new(socket);
        if let Next::StartTls = self.dialogue(&mut plain, false, true).await? {
            let stream = acceptor.unwrap().accept(plain.into_inner()).await?;
            self.dialogue(&mut BufReader::new(stream), true, false)
                .await?;
        }
        Ok(())
    }

    async fn dialogue<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut BufReader<S>,
        tls: bool,
        greet: bool,
    ) -> std::io::Result<Next> {
        if greet {
            stream.write_all(b"220 ready\r\n").await?;
        }
        let mut from = String::new();
        let mut to = Vec::new();
        let mut mails = 0;
        loop {
            let line = line(stream).await?;
            let upper = line.to_ascii_uppercase();
            let argument = |prefix: &str| line[prefix.len()..].trim().to_owned();
            let answer = if upper.starts_with("EHLO") {
                let mut answer = "250-here\r\n".to_owned();
                if self.behaviour.starttls && !tls {
                    answer += "250-STARTTLS\r\n";
                }
                if self.behaviour.login.is_some() {
                    answer += "250-AUTH PLAIN LOGIN\r\n";
                }
                answer + "250 8BITMIME"
            } else if upper == "STARTTLS" {
                stream.write_all(b"220 go ahead\r\n").await?;
                return Ok(Next::StartTls);
            } else if upper.starts_with("AUTH PLAIN ") {
                self.log_in(&argument("AUTH PLAIN "))
            } else if upper.starts_with("MAIL FROM:") {
                if self.behaviour.login.is_some() && self.user.is_none() {
                    "530 log in first".to_owned()
                } else {
                    from = address(&line);
                    to.clear();
                    "250 ok".to_owned()
                }
            } else if upper.starts_with("RCPT TO:") {
                if self.behaviour.refused.contains(&address(&line)) {
                    "550 no such user".to_owned()
                } else {
                    to.push(address(&line));
                    "250 ok".to_owned()
                }
            } else if upper == "DATA" {
                stream.write_all(b"354 go ahead\r\n").await?;
                let message = message(stream).await?;
                self.received.lock().unwrap().push(Received {
                    from: from.clone(),
                    to: to.clone(),
                    message,
                    tls,
                    user: self.user.clone(),
                    connection: self.connection,
                });
                mails += 1;
                "250 kept".to_owned()
            } else if upper == "QUIT" {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(Next::End);
            } else if upper == "RSET" || upper == "NOOP" {
                "250 ok".to_owned()
            } else {
                "500 what?".to_owned()
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
            stream.flush().await?;
            if self.behaviour.close_after == Some(mails) {
                return Ok(Next::End);
            }
        }
    }

    fn log_in(&mut self, argument: &str) -> String {
        let decoded = STANDARD.decode(argument).unwrap_or_default();
        let text = String::from_utf8(decoded).unwrap_or_default();
        let mut parts = text.split('\0').skip(1).map(str::to_owned);
        let given = parts.next().zip(parts.next());
        if given.is_some() && given == self.behaviour.login {
            self.user = given.map(|(user, _)| user);
            "235 welcome".to_owned()
        } else {
            "535 5.7.8 Authentication credentials invalid".to_owned()
        }
    }
}

async fn line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    assert!(line.ends_with("\r\n"), "{line:?} does not end with CR LF");
    Ok(line.trim_end().to_owned())
}

async fn message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<String> {
    let mut message = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == ".\r\n" {
            return Ok(message);
        }
        message += line.strip_prefix('.').unwrap_or(&line);
    }
}

fn address(line: &str) -> String {
    let (_, rest) = line.split_once('<').unwrap();
    rest.split_once('>').unwrap().0.to_owned()
}

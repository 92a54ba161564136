//! HTTP requests over real sockets.

use crate::mail_server::{self_signed, tls_acceptor};
use serde_json::json;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tripline::alerter::http::{Clients, HttpError, Proxy, Request, Route};
use tripline::alerter::tls::Verify;

/// Answers each connection's one request with the next answer; keeps the requests.
struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// `None` as an answer: none is given, and the connection stays open.
    async fn start(answers: Vec<Option<String>>, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut open = Vec::new();
            for answer in answers {
                let (socket, _) = listener.accept().await.unwrap();
                match &tls {
                    // A client that does not like the certificate hangs up.
                    Some(tls) => match tls.accept(socket).await {
                        Ok(mut stream) => serve(&mut stream, answer.as_deref(), &kept).await,
                        Err(_) => continue,
                    },
                    None => {
                        let mut socket = socket;
                        serve(&mut socket, answer.as_deref(), &kept).await;
                        open.push(socket);
                    }
                }
            }
        });
        Self { port, requests }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    answer: Option<&str>,
    kept: &Mutex<Vec<String>>,
) {
    let mut text = String::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        let Some((headers, body)) = text.split_once("\r\n\r\n") else {
            if count == 0 {
                return;
            }
            continue;
        };
        let length = headers
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |length| length.parse().unwrap());
        if body.len() >= length || count == 0 {
            break;
        }
    }
    kept.lock().unwrap().push(text);
    if let Some(answer) = answer {
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
    }
}

fn answer(status: &str, more: &str, body: &str) -> Option<String> {
    let length = body.len();
    Some(format!(
        "HTTP/1.1 {status}\r\n{more}Connection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made() {
    let server = Server::start(
        vec![answer("200 OK", "", "ok"), answer("204 No Content", "", "")],
        None,
    )
    .await;
    let clients = Clients::default();
    let request = Request::post(
        &server.url("/hook?x=1"),
        json!({"a": "é"}),
        &Route::default(),
    )
    .header("X-Token", "t")
    .basic_auth("u", "p");
    let got = clients.send(&request).await.unwrap();
    assert_eq!((got.status, got.body.as_slice()), (200, b"ok".as_slice()));
    let form = vec![
        ("To".to_owned(), "+81 3".to_owned()),
        ("b".to_owned(), "ü&=".to_owned()),
    ];
    let request = Request::post_form(&server.url("/form"), form, &Route::default());
    assert_eq!(clients.send(&request).await.unwrap().status, 204);
    let requests = server.requests();
    let first = requests[0].to_ascii_lowercase();
    assert!(first.starts_with("post /hook?x=1 http/1.1\r\n"), "{first}");
    for line in [
        "content-type: application/json\r\n",
        "x-token: t\r\n",
        "authorization: basic dtpw\r\n",
    ] {
        assert!(first.contains(line), "{first}");
    }
    assert!(requests[0].ends_with("\r\n\r\n{\"a\":\"é\"}"));
    assert!(
        requests[1].ends_with("\r\n\r\nTo=%2B81+3&b=%C3%BC%26%3D"),
        "{}",
        requests[1]
    );
}

#[tokio::test]
async fn a_refusal_tells_the_answer_but_not_the_path() {
    let server = Server::start(vec![answer("403 Forbidden", "", "invalid\ntoken")], None).await;
    let request = Request::post(
        &server.url("/services/s3cret"),
        json!({}),
        &Route::default(),
    );
    let got = Clients::default().send(&request).await.unwrap();
    let error = got.accepted(&request).unwrap_err();
    let expected = format!(
        "POST http://127.0.0.1:{}: status 403: invalid token",
        server.port
    );
    assert_eq!(error.to_string(), expected);
    let unreachable = Request::post("http://127.0.0.1:1/s3cret", json!({}), &Route::default());
    let error = Clients::default().send(&unreachable).await.unwrap_err();
    assert!(!error.to_string().contains("s3cret"), "{error}");
    assert!(!format!("{request:?}").contains("s3cret"));
}

#[tokio::test]
async fn redirects_are_followed() {
    let end = Server::start(vec![answer("200 OK", "", "")], None).await;
    let location = format!("Location: {}\r\n", end.url("/end"));
    let start = Server::start(vec![answer("307 Temporary Redirect", &location, "")], None).await;
    let request = Request::post(&start.url("/start"), json!([1]), &Route::default());
    assert_eq!(Clients::default().send(&request).await.unwrap().status, 200);
    assert!(end.requests()[0].starts_with("POST /end "));
    assert!(end.requests()[0].ends_with("[1]"));
}

#[tokio::test]
async fn waiting_ends() {
    let server = Server::start(vec![None], None).await;
    let route = Route {
        timeout: Duration::from_millis(50),
        ..Route::default()
    };
    let request = Request::post(&server.url("/"), json!({}), &route);
    let error = Clients::default().send(&request).await.unwrap_err();
    assert!(matches!(error, HttpError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn certificates_are_verified_as_the_rule_says() {
    let (acceptor, pem) = tls_acceptor(&self_signed());
    let directory = tempfile::tempdir().unwrap();
    let bundle = directory.path().join("ca.pem");
    std::fs::write(&bundle, pem).unwrap();
    for (verify, accepted) in [
        (Verify::System, false),
        (Verify::Nothing, true),
        (Verify::Bundle(bundle), true),
    ] {
        let server = Server::start(vec![answer("200 OK", "", "")], Some(acceptor.clone())).await;
        let route = Route {
            verify: verify.clone(),
            ..Route::default()
        };
        let url = format!("https://localhost:{}/", server.port);
        let result = Clients::default()
            .send(&Request::post(&url, json!({}), &route))
            .await;
        assert_eq!(result.is_ok(), accepted, "{verify:?}: {result:?}");
    }
}

#[tokio::test]
async fn https_goes_through_the_proxy_with_its_login() {
    let proxy = Server::start(vec![answer("502 Bad Gateway", "", "")], None).await;
    let route = Route {
        proxy: Some(Proxy {
            url: proxy.url(""),
            login: Some(("u".to_owned(), "p".to_owned())),
        }),
        ..Route::default()
    };
    let request = Request::post("https://hooks.example.com/s3cret", json!({}), &route);
    Clients::default().send(&request).await.unwrap_err();
    let connect = &proxy.requests()[0];
    assert!(
        connect.starts_with("CONNECT hooks.example.com:443 "),
        "{connect}"
    );
    assert!(
        connect
            .to_ascii_lowercase()
            .contains("proxy-authorization: basic dtpw"),
        "{connect}"
    );
}

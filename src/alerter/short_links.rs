//! Short Discover links, which Kibana makes on request right before an alert is sent.

use super::http::{HttpError, Request, Route};
use super::tls::Verify;
use super::transport::Transport;
use crate::alert::{Preparation, ShortLink};
use crate::event::Document;
use crate::rule::Rule;
use std::sync::Arc;

/// Shortens the links of one rule.
#[derive(Debug)]
pub struct ShortLinks {
    preparation: Arc<Preparation>,
    transport: Arc<dyn Transport>,
}

#[derive(Debug, thiserror::Error)]
enum ShortenError {
    #[error(transparent)]
    Request(#[from] HttpError),
    #[error("the answer has no {0}")]
    NoId(&'static str),
}

impl ShortLinks {
    /// Through this transport; `None` when the rule wants no short links.
    pub fn new(preparation: &Arc<Preparation>, transport: &Arc<dyn Transport>) -> Option<Self> {
        preparation.wants_short_links().then(|| Self {
            preparation: Arc::clone(preparation),
            transport: Arc::clone(transport),
        })
    }

    /// The matches with a short link in place of the long one. `None` when they have none, or Kibana cannot be asked: a long link is no
    /// reason to keep an alert back.
    pub async fn shorten(&self, rule: &Rule, matches: &[Document]) -> Option<Vec<Document>> {
        let link = self.preparation.short_link(rule, matches)?;
        match self.request(&link).await {
            Ok(id) => {
                let mut matches = matches.to_vec();
                link.apply(&mut matches, &id);
                Some(matches)
            }
            Err(error) => {
                tracing::warn!(rule = %rule.name, %error, "no short link; the alert shows the long one");
                None
            }
        }
    }

    /// Kibana's id for the link.
    async fn request(&self, link: &ShortLink) -> Result<String, ShortenError> {
        let verify = if link.verify_certs {
            Verify::System
        } else {
            Verify::Nothing
        };
        let route = Route {
            verify,
            ..Route::default()
        };
        let mut request = Request::post(&link.url, link.body.clone(), &route);
        for (name, value) in ShortLink::HEADERS {
            request = request.header(name, value);
        }
        if let Some((user, password)) = &link.login {
            request = request.basic_auth(user, password);
        }
        let answer = self.transport.deliver(request).await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let id = answer.get(link.answer).and_then(serde_json::Value::as_str);
        id.map(str::to_owned).ok_or(ShortenError::NoId(link.answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Process, TopCounts};
    use crate::alerter::World;
    use crate::alerter::sending::tests::rule;
    use crate::config::{Data, Mapping, Node, Properties, Span};
    use crate::event::EventTime;
    use serde_json::json;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    struct Nothing;

    impl TopCounts for Nothing {
        fn visit(&self, _: &Rule, _: EventTime, _: EventTime, _: &mut dyn FnMut(&Document)) {}
    }

    /// The link an alert has when Kibana answers like this.
    async fn link(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let kibana = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            // The body's last two braces: then the request is here.
            while !request.ends_with(b"}}") {
                stream.read_buf(&mut request).await.unwrap();
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let text = |text: &str| Node::text(text, &Span::nowhere());
        let yes = || Node {
            data: Data::Bool(true),
            ..text("")
        };
        let options = Mapping(vec![
            (text("generate_kibana_discover_url"), yes()),
            (text("shorten_kibana_discover_url"), yes()),
            (text("kibana_discover_app_url"), text("app/discover#/")),
            (text("kibana_discover_index_pattern_id"), text("i")),
            (text("kibana_url"), text(&kibana)),
        ]);
        let process = Process {
            zone: jiff::tz::TimeZone::UTC,
            working_directory: std::path::PathBuf::new(),
            enhancements: &[],
        };
        let preparation = Preparation::new(&Properties::new(options), &process).unwrap();
        let time = json!("2026-03-02T00:01:00Z");
        let mut matches = vec![Document::from_iter([("@timestamp".to_owned(), time)])];
        let rule = rule("r");
        preparation.run(&rule, &mut matches, &Nothing);
        let world: Arc<dyn Transport> = Arc::new(World::new(Box::new(std::io::sink())));
        let links = ShortLinks::new(&Arc::new(preparation), &world).unwrap();
        let shortened = links.shorten(&rule, &matches).await.unwrap_or(matches);
        let link = shortened[0]["kibana_discover_url"].as_str().unwrap();
        link.replace(&kibana, "/")
    }

    #[tokio::test]
    async fn a_link_is_short_when_kibana_makes_it_so() {
        let answer = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"id\":\"abc\"}";
        assert_eq!(link(answer).await, "/goto/abc");
        for answer in [
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 403 Forbidden\r\ncontent-length: 12\r\n\r\n{\"id\":\"abc\"}",
            "",
        ] {
            let link = link(answer).await;
            assert!(link.starts_with("/app/discover#/?_g="), "{link}");
        }
    }
}

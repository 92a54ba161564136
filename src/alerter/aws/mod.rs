//! Services of Amazon: requests signed with the rule's, the environment's or the machine's credentials.

mod credentials;

use super::http::Request;
use super::options::{filled, info};
use super::signature::{self, Unsigned};
use super::{Alerter, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::config::Properties;
use crate::event::{Document, Timestamp, WallTime};
use credentials::{Credentials, Source};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

/// Where requests go if the rule names no region.
pub(super) const DEFAULT_REGION: &str = "us-east-1";

/// A service in a region.
pub(super) struct Service {
    /// The name requests are signed for.
    pub(super) name: &'static str,
    /// The beginning of its host name.
    pub(super) host: &'static str,
    /// The region.
    pub(super) region: String,
}

impl Service {
    /// A service in the region that the option `PREFIX_aws_region` names.
    pub(super) fn read(
        properties: &Properties,
        prefix: &str,
        name: &'static str,
        host: &'static str,
    ) -> Self {
        let region = format!("{prefix}_aws_region");
        Self {
            name,
            host,
            region: filled(properties, &region).unwrap_or_else(|| DEFAULT_REGION.to_owned()),
        }
    }

    fn host_name(&self) -> String {
        let Self { host, region, .. } = self;
        let domain = if region.starts_with("cn-") {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        };
        format!("{host}.{region}.{domain}")
    }

    /// Its URL.
    pub(super) fn url(&self) -> String {
        format!("https://{}/", self.host_name())
    }

    fn signed(&self, request: Request, credentials: &Credentials, now: WallTime) -> Request {
        let now = Timestamp {
            micros: now.0,
            offset_seconds: 0,
        };
        let day = now.civil().strftime("%Y%m%d").to_string();
        let time = now.civil().strftime("%Y%m%dT%H%M%SZ").to_string();
        let mut request = request.header("X-Amz-Date", &time);
        if let Some(token) = &credentials.session_token {
            request = request.header("X-Amz-Security-Token", token);
        }
        let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
        let mut headers: Vec<_> = request.headers.iter().map(lower).collect();
        headers.push(("host".to_owned(), self.host_name()));
        headers.sort();
        let body = request.body.to_text();
        let unsigned = Unsigned {
            time: &time,
            scope: &[&day, &self.region, self.name],
            headers: &headers,
            body: body.as_bytes(),
        };
        let Credentials { id, secret, .. } = credentials;
        let authorization = signature::AWS.authorization(id, secret, &unsigned);
        request.header("Authorization", authorization)
    }
}

/// Makes an alert's request, unsigned.
type Make = Box<dyn Fn(&Alert<'_>, &Service) -> Result<Request, SendError> + Send + Sync>;

/// An alerter that calls a service of Amazon.
pub(super) struct Aws {
    info: Document,
    service: Service,
    source: Source,
    make: Make,
    transport: Arc<dyn Transport>,
}

impl Aws {
    /// An alerter for a service; its credentials are in the options `PREFIX_aws_access_key_id`, `PREFIX_aws_secret_access_key` and
    /// `PREFIX_aws_profile`, or else where Amazon's own programs look for them.
    pub(super) fn built<const N: usize>(
        (properties, prefix, build): (&Properties, &str, &Build),
        about: [(&str, Value); N],
        service: Service,
        make: impl Fn(&Alert<'_>, &Service) -> Result<Request, SendError> + Send + Sync + 'static,
    ) -> Built {
        let option = |name: &str| filled(properties, &format!("{prefix}_aws_{name}"));
        let keys = option("access_key_id").zip(option("secret_access_key"));
        Self {
            info: info(prefix, about),
            service,
            source: match (option("profile"), keys) {
                (Some(profile), _) => Source::Profile(profile),
                (None, Some((id, secret))) => Source::Rule(Credentials {
                    id,
                    secret,
                    session_token: None,
                }),
                (None, None) => Source::Surroundings,
            },
            make: Box::new(make),
            transport: Arc::clone(&build.transport),
        }
        .into()
    }
}

/// The pairs of a request of the query protocol, without the empty ones.
pub(super) fn query(
    url: &str,
    action: &str,
    version: &str,
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Request {
    let head = [("Action", action), ("Version", version)];
    let head = head.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let pairs = head.into_iter().chain(pairs);
    let filled = pairs.filter(|(_, value)| !value.is_empty()).collect();
    Request::post_form(url, filled, &super::http::Route::default()).header(
        "Content-Type",
        "application/x-www-form-urlencoded; charset=utf-8",
    )
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Aws({})", self.service.name)
    }
}

impl Alerter for Aws {
    fn info(&self) -> Document {
        self.info.clone()
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            let request = (self.make)(alert, &self.service)?;
            let credentials = self.source.find(&*self.transport).await?;
            let request = self.service.signed(request, &credentials, alert.now);
            self.transport.deliver(request).await?;
            Ok(())
        })
    }
}

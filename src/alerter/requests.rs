//! Alerters that are nothing but requests made from the alert.

use super::http::Request;
use super::{Alerter, Build, Built, SendError, Transport};
use crate::alert::Alert;
use crate::event::Document;
use futures_util::future::BoxFuture;
use std::fmt;
use std::sync::Arc;

/// Makes an alert's requests; each must be answered with a status below 400, the first that is not ends it.
type Make = Box<dyn Fn(&Alert<'_>) -> Result<Vec<Request>, SendError> + Send + Sync>;

/// An alerter that sends what a function makes of the alert.
pub(super) struct Requests {
    info: Document,
    make: Make,
    transport: Arc<dyn Transport>,
}

impl Requests {
    /// An alerter with this `alert_info`.
    pub(super) fn built(
        build: &Build,
        info: Document,
        make: impl Fn(&Alert<'_>) -> Result<Vec<Request>, SendError> + Send + Sync + 'static,
    ) -> Built {
        Self {
            info,
            make: Box::new(make),
            transport: Arc::clone(&build.transport),
        }
        .into()
    }
}

impl fmt::Debug for Requests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Requests({:?})", self.info.get("type"))
    }
}

impl Alerter for Requests {
    fn info(&self) -> Document {
        self.info.clone()
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move {
            for request in (self.make)(alert)? {
                self.transport.deliver(request).await?;
            }
            Ok(())
        })
    }
}

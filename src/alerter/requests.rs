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

/// Makes the `alert_info` of an alert where it depends on it.
type MakeInfo = Box<dyn Fn(&Alert<'_>) -> Document + Send + Sync>;

/// An alerter that sends what a function makes of the alert.
pub(super) struct Requests {
    info: Document,
    info_for: Option<MakeInfo>,
    make: Make,
    transport: Arc<dyn Transport>,
}

impl Requests {
    /// An alerter with this `alert_info`.
    pub(super) fn new(
        build: &Build,
        info: Document,
        make: impl Fn(&Alert<'_>) -> Result<Vec<Request>, SendError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            info,
            info_for: None,
            make: Box::new(make),
            transport: Arc::clone(&build.transport),
        }
    }

    /// As [`Requests::new`], complete.
    pub(super) fn built(
        build: &Build,
        info: Document,
        make: impl Fn(&Alert<'_>) -> Result<Vec<Request>, SendError> + Send + Sync + 'static,
    ) -> Built {
        Self::new(build, info, make).into()
    }

    /// With an `alert_info` that depends on the alert.
    pub(super) fn info_for(
        mut self,
        info: impl Fn(&Alert<'_>) -> Document + Send + Sync + 'static,
    ) -> Self {
        self.info_for = Some(Box::new(info));
        self
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

    fn info_for(&self, alert: &Alert<'_>) -> Document {
        match &self.info_for {
            Some(make) => make(alert),
            None => self.info(),
        }
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

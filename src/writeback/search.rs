//! Reading an index once, page by page: a rule's for `test-rule`, the writeback's at a first start. The running service never does this.

use super::client::{Client, EsError, path_of};
use crate::event::Document;
use reqwest::Method;
use serde_json::{Value, json};

/// How long the server keeps a search open between two pages.
const KEEP_ALIVE: &str = "5m";

/// What to look for.
#[derive(Debug, Clone)]
pub struct Request {
    /// The rule's index or indices, patterns allowed, as in a path.
    pub index: String,
    /// The query, such as [`range_query`] makes.
    pub query: Value,
    /// The field the hits are sorted by, earliest first.
    pub time_field: String,
    /// Hits per page: `max_query_size`.
    pub page_size: usize,
}

/// A document found.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    /// The index it is in.
    pub index: String,
    /// Its id.
    pub id: String,
    /// The document.
    pub source: Document,
}

/// The query of a rule over a time range, as ElastAlert's `get_query` builds it: later than `from`, not later than `to`.
pub fn range_query(filters: &[Value], time_field: &str, from: &Value, to: &Value) -> Value {
    let range = json!({"range": {time_field: {"gt": from, "lte": to}}});
    // An old way of writing filters, `- query: {…}`, is taken for what it means.
    let filters = filters
        .iter()
        .map(|filter| filter.get("query").unwrap_or(filter).clone());
    let must: Vec<Value> = std::iter::once(range).chain(filters).collect();
    json!({"bool": {"filter": {"bool": {"must": must}}}})
}

impl Client {
    /// How many documents match. No such index: none.
    ///
    /// # Errors
    /// The server is not reachable or refuses the query.
    pub async fn count(&self, request: &Request) -> Result<u64, EsError> {
        let path = format!("{}/_count?ignore_unavailable=true", path_of(&request.index));
        let body = json!({"query": request.query});
        let answer = self.call(Method::POST, &path, Some(&body)).await?;
        answer
            .get("count")
            .and_then(Value::as_u64)
            .ok_or_else(|| self.odd("_count without a count"))
    }

    /// Starts reading all documents that match, page by page, as the index is now. Call [`Pages::next`] until it gives none.
    ///
    /// # Errors
    /// The server is not reachable or refuses.
    pub async fn search(&self, request: Request) -> Result<Pages<'_>, EsError> {
        let cursor = match self.open_point_in_time(&request.index).await? {
            Some(point) => Cursor::Point { point, after: None },
            None => Cursor::NewScroll,
        };
        Ok(Pages {
            client: self,
            request,
            cursor,
        })
    }

    /// A point in time; `None` where the server has none (Elasticsearch without its licensed parts, older versions) or does not let us.
    async fn open_point_in_time(&self, index: &str) -> Result<Option<PointInTime>, EsError> {
        let version = match self.version().await {
            Ok(version) if version.has_point_in_time() => version,
            Ok(_) | Err(EsError::Status { status: 403, .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (action, member) = if version.opensearch {
            ("_search/point_in_time", "pit_id")
        } else {
            ("_pit", "id")
        };
        let path = format!(
            "{}/{action}?keep_alive={KEEP_ALIVE}&ignore_unavailable=true",
            path_of(index)
        );
        match self.call(Method::POST, &path, None).await {
            Ok(answer) => Ok(answer
                .get(member)
                .and_then(Value::as_str)
                .map(|id| PointInTime {
                    id: id.to_owned(),
                    opensearch: version.opensearch,
                })),
            Err(EsError::Status { status, .. }) if status < 500 => Ok(None),
            Err(error) => Err(error),
        }
    }
}

#[derive(Debug)]
struct PointInTime {
    id: String,
    opensearch: bool,
}

#[derive(Debug)]
enum Cursor {
    /// A point in time, and the sort values of the last hit taken.
    Point {
        point: PointInTime,
        after: Option<Value>,
    },
    /// A scroll that is not open yet.
    NewScroll,
    /// A scroll that is open.
    Scroll(String),
    /// Everything has been read.
    Done,
}

/// A search in progress.
#[derive(Debug)]
pub struct Pages<'c> {
    client: &'c Client,
    request: Request,
    cursor: Cursor,
}

impl Pages<'_> {
    /// The next hits, in order of time; none: that was all.
    ///
    /// # Errors
    /// The server is not reachable or refuses the query.
    pub async fn next(&mut self) -> Result<Vec<Hit>, EsError> {
        match std::mem::replace(&mut self.cursor, Cursor::Done) {
            Cursor::Done => Ok(Vec::new()),
            Cursor::Point { point, after } => self.next_of_point(point, after).await,
            Cursor::NewScroll => {
                let path = format!(
                    "{}/_search?scroll={KEEP_ALIVE}&ignore_unavailable=true",
                    path_of(&self.request.index)
                );
                let body = json!({
                    "size": self.request.page_size,
                    "query": self.request.query,
                    "sort": [self.by_time()],
                });
                self.next_of_scroll(&path, &body).await
            }
            Cursor::Scroll(id) => {
                let body = json!({"scroll": KEEP_ALIVE, "scroll_id": id});
                self.next_of_scroll("/_search/scroll", &body).await
            }
        }
    }

    /// Ends the search before everything was read, so that the server need not keep it. After the last page there is nothing to end.
    pub async fn close(mut self) {
        match std::mem::replace(&mut self.cursor, Cursor::Done) {
            Cursor::Point { point, .. } => self.close_point(&point).await,
            Cursor::Scroll(id) => self.close_scroll(&id).await,
            Cursor::NewScroll | Cursor::Done => {}
        }
    }

    fn by_time(&self) -> Value {
        json!({self.request.time_field.as_str(): {"order": "asc", "unmapped_type": "date"}})
    }

    async fn next_of_point(
        &mut self,
        mut point: PointInTime,
        after: Option<Value>,
    ) -> Result<Vec<Hit>, EsError> {
        let mut size = self.request.page_size.max(1);
        loop {
            let mut body = json!({
                "size": size,
                "query": self.request.query,
                "sort": [self.by_time(), {"_seq_no": {"order": "asc", "unmapped_type": "long"}}],
                "track_total_hits": false,
                "pit": {"id": point.id, "keep_alive": KEEP_ALIVE},
            });
            if let (Some(after), Some(body)) = (&after, body.as_object_mut()) {
                body.insert("search_after".to_owned(), after.clone());
            }
            let mut answer = self
                .client
                .call(Method::POST, "/_search", Some(&body))
                .await?;
            if let Some(id) = answer.get("pit_id").and_then(Value::as_str) {
                id.clone_into(&mut point.id);
            }
            let mut hits = take_hits(self.client, &mut answer)?;
            if hits.len() < size {
                self.close_point(&point).await;
                return Ok(hits.into_iter().map(|(hit, _)| hit).collect());
            }
            // Documents of different shards may share time and sequence number, and the page may end between two of them. Those at its end
            // are left for the next page, which starts after the last hit before them.
            let last = hits.last().map(|(_, sort)| sort.clone());
            while hits.len() > 1 && hits.last().map(|(_, sort)| sort) == last.as_ref() {
                hits.pop();
            }
            match hits.last() {
                Some((_, sort)) if Some(sort) != last.as_ref() => {
                    let after = Some(sort.clone());
                    self.cursor = Cursor::Point { point, after };
                    return Ok(hits.into_iter().map(|(hit, _)| hit).collect());
                }
                _ => size = size.saturating_mul(2),
            }
        }
    }

    async fn next_of_scroll(&mut self, path: &str, body: &Value) -> Result<Vec<Hit>, EsError> {
        let mut answer = self.client.call(Method::POST, path, Some(body)).await?;
        let id = answer
            .get("_scroll_id")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let hits: Vec<Hit> = take_hits(self.client, &mut answer)?
            .into_iter()
            .map(|(hit, _)| hit)
            .collect();
        match id {
            Some(id) if hits.is_empty() => self.close_scroll(&id).await,
            Some(id) => self.cursor = Cursor::Scroll(id),
            None => {}
        }
        Ok(hits)
    }

    // Both end by themselves when the keep-alive is over: a failure to close does no harm.

    async fn close_point(&self, point: &PointInTime) {
        let (path, body) = if point.opensearch {
            ("/_search/point_in_time", json!({"pit_id": [point.id]}))
        } else {
            ("/_pit", json!({"id": point.id}))
        };
        if let Err(error) = self.client.call(Method::DELETE, path, Some(&body)).await {
            tracing::debug!(%error, "point in time not closed");
        }
    }

    async fn close_scroll(&self, id: &str) {
        let body = json!({"scroll_id": [id]});
        if let Err(error) = self
            .client
            .call(Method::DELETE, "/_search/scroll", Some(&body))
            .await
        {
            tracing::debug!(%error, "scroll not closed");
        }
    }
}

/// An answer without some of the shards is none.
pub(super) fn all_shards(client: &Client, answer: &Value) -> Result<(), EsError> {
    match answer.pointer("/_shards/failures/0/reason") {
        None => Ok(()),
        Some(failure) => Err(EsError::Status {
            host: client.host().to_owned(),
            status: 503,
            kind: "some shards failed".to_owned(),
            reason: failure.to_string(),
        }),
    }
}

/// The hits of an answer with their sort values.
fn take_hits(client: &Client, answer: &mut Value) -> Result<Vec<(Hit, Value)>, EsError> {
    all_shards(client, answer)?;
    let Some(Value::Array(hits)) = answer.pointer_mut("/hits/hits").map(Value::take) else {
        return Err(client.odd("a search without hits"));
    };
    hits.into_iter()
        .map(|mut hit| {
            let text = |name: &str| hit.get(name).and_then(Value::as_str).map(str::to_owned);
            let (index, id) = (text("_index"), text("_id"));
            let sort = hit.get_mut("sort").map(Value::take).unwrap_or_default();
            match (index, id, hit.get_mut("_source").map(Value::take)) {
                (Some(index), Some(id), Some(Value::Object(source))) => {
                    Ok((Hit { index, id, source }, sort))
                }
                _ => Err(client.odd("a hit without _index, _id or _source")),
            }
        })
        .collect()
}

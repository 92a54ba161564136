//! Inputs on real sockets, with a stand-in for what evaluates the events.

use serde_json::Value;
use std::fmt::Write as _;
use std::future::Future;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tripline::config::{HttpConfig, InputConfig, ListenConfig, TcpConfig};
use tripline::event::WallTime;
use tripline::input::dead_letter::{DEFAULT_MAX_SIZE, DeadLetters, FILE_NAME};
use tripline::input::fault::fault;
use tripline::input::{Batch, Context, Inputs, Intake, Receipt, StartError, Startup};
use tripline::telemetry::{Clock, Metrics, Readiness};

/// Any free port.
pub(crate) const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Waits, but not for ever.
#[track_caller]
pub(crate) fn within<T>(future: impl Future<Output = T>) -> impl Future<Output = T> {
    let place = std::panic::Location::caller();
    async move {
        match timeout(Duration::from_secs(20), future).await {
            Ok(output) => output,
            Err(_) => panic!("still waiting at {place}"),
        }
    }
}

/// What a test sets up differently.
pub(crate) struct Setup {
    pub(crate) capacity: usize,
    pub(crate) readiness: Readiness,
    pub(crate) recovered: Vec<u128>,
    pub(crate) stdin: Box<dyn Read + Send>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            capacity: 100,
            readiness: Readiness::Ready,
            recovered: Vec::new(),
            stdin: Box::new(io::empty()),
        }
    }
}

/// Running inputs.
pub(crate) struct Stage {
    pub(crate) inputs: Inputs,
    pub(crate) intake: Intake,
    pub(crate) shutdown: CancellationToken,
    pub(crate) readiness: watch::Sender<Readiness>,
    pub(crate) metrics: Arc<Metrics>,
    batches: mpsc::Receiver<Batch>,
    letters: DeadLetters,
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn new(config: InputConfig) -> Self {
        Self::with(config, Setup::default()).await
    }

    pub(crate) async fn http(change: impl FnOnce(&mut HttpConfig)) -> Self {
        let mut config = HttpConfig::on(ANY);
        change(&mut config);
        Self::new(InputConfig::Http(config)).await
    }

    pub(crate) async fn tcp(change: impl FnOnce(&mut TcpConfig)) -> Self {
        let mut config = TcpConfig {
            listen: ListenConfig::on(ANY),
            ..TcpConfig::on(ANY)
        };
        change(&mut config);
        Self::new(InputConfig::Tcp(config)).await
    }

    pub(crate) async fn with(config: InputConfig, setup: Setup) -> Self {
        Self::start(config, setup).await.unwrap()
    }

    pub(crate) async fn start(config: InputConfig, setup: Setup) -> Result<Self, StartError> {
        let folder = tempfile::tempdir().unwrap();
        let metrics = Arc::new(Metrics::new());
        // 2018-04-06T05:07:14Z
        let clock = Clock::new(|| WallTime(1_522_991_234_000_000));
        let (intake, batches) = Intake::channel(setup.capacity);
        let letters = DeadLetters::open(
            folder.path(),
            DEFAULT_MAX_SIZE,
            Arc::clone(&metrics),
            clock.clone(),
        )
        .unwrap();
        let (readiness, ready) = watch::channel(setup.readiness);
        let shutdown = CancellationToken::new();
        let startup = Startup {
            configs: vec![config],
            context: Context {
                intake: intake.clone(),
                dead_letters: letters.clone(),
                metrics: Arc::clone(&metrics),
                clock,
            },
            readiness: ready,
            recovered: setup.recovered,
            stdin: setup.stdin,
        };
        let inputs = Inputs::start(startup, &shutdown).await?;
        Ok(Self {
            inputs,
            intake,
            shutdown,
            readiness,
            metrics,
            batches,
            letters,
            folder,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.inputs.addresses()[0].1
    }

    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address()).await.unwrap())
    }

    /// The next batch, for the test to answer.
    pub(crate) async fn batch(&mut self) -> Batch {
        within(self.batches.recv()).await.unwrap()
    }

    /// The texts of the events of the next batches, until there are so many.
    pub(crate) async fn events(&mut self, count: usize) -> Vec<String> {
        let mut events = Vec::new();
        while events.len() < count {
            let batch = self.batch().await;
            events.extend(texts(&batch));
            self.answer(batch);
        }
        assert_eq!(events.len(), count);
        events
    }

    /// Evaluates a batch and tells its sender.
    pub(crate) fn answer(&self, batch: Batch) {
        evaluate(&self.letters, batch);
    }

    /// Waits until the metrics have this line.
    #[track_caller]
    pub(crate) fn metric(&self, line: &'static str) -> impl Future<Output = ()> {
        let metrics = Arc::clone(&self.metrics);
        within(async move {
            while !metrics.encode().unwrap().lines().any(|found| found == line) {
                tokio::task::yield_now().await;
            }
        })
    }

    /// That nothing waits to be evaluated.
    #[track_caller]
    pub(crate) fn nothing_more(&mut self) {
        assert!(self.batches.try_recv().is_err());
    }

    /// Evaluates everything from now on; gives the texts of all events when the inputs have ended.
    pub(crate) fn evaluate_all(self) -> Evaluating {
        let letters = self.letters;
        let mut batches = self.batches;
        drop(self.intake);
        let events = tokio::spawn(async move {
            let mut events = Vec::new();
            while let Some(batch) = batches.recv().await {
                events.extend(texts(&batch));
                evaluate(&letters, batch);
            }
            events
        });
        Evaluating {
            inputs: self.inputs,
            shutdown: self.shutdown,
            folder: self.folder,
            events,
        }
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        dead_letters(self.folder.path())
    }
}

/// Inputs whose events are evaluated as they come.
pub(crate) struct Evaluating {
    pub(crate) inputs: Inputs,
    pub(crate) shutdown: CancellationToken,
    folder: TempDir,
    events: JoinHandle<Vec<String>>,
}

impl Evaluating {
    pub(crate) async fn connect(&self) -> Client<TcpStream> {
        Client::new(TcpStream::connect(self.address()).await.unwrap())
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.inputs.addresses()[0].1
    }

    pub(crate) fn dead_letters(&self) -> Vec<Value> {
        dead_letters(self.folder.path())
    }

    /// Stops the inputs; all events that came.
    pub(crate) async fn stop(self) -> Vec<String> {
        self.shutdown.cancel();
        within(self.inputs.stopped()).await;
        within(self.events).await.unwrap()
    }
}

fn texts(batch: &Batch) -> Vec<String> {
    let events = batch.events.iter();
    events
        .map(|event| String::from_utf8_lossy(&event.bytes).into_owned())
        .collect()
}

fn evaluate(letters: &DeadLetters, mut batch: Batch) {
    let mut receipt = Receipt::default();
    for (at, event) in batch.events.iter().enumerate() {
        match fault(&event.bytes) {
            None => receipt.accepted += 1,
            Some((reason, detail)) => {
                letters.put(&tripline::input::dead_letter::Rejected {
                    input: &batch.origin.input,
                    reason,
                    detail: &detail,
                    event: &event.bytes,
                    at: Some(at),
                });
                receipt.rejected.push((at, detail));
            }
        }
    }
    if let Some(reply) = batch.reply.take() {
        drop(reply.send(receipt));
    }
}

fn dead_letters(folder: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(folder.join(FILE_NAME)).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// One client connection.
pub(crate) struct Client<S> {
    pub(crate) stream: S,
    unread: Vec<u8>,
}

/// An HTTP answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        within(self.stream.write_all(bytes.as_ref())).await.unwrap();
        within(self.stream.flush()).await.unwrap();
    }

    /// Reads one answer; `None` when the connection is closed without one.
    pub(crate) async fn receive(&mut self) -> Option<Answer> {
        loop {
            if let Some(answer) = self.whole_answer() {
                return Some(answer);
            }
            if within(self.stream.read_buf(&mut self.unread))
                .await
                .unwrap_or(0)
                == 0
            {
                return None;
            }
        }
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        self.receive().await.expect("an answer")
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn ask(&mut self, request: impl AsRef<[u8]>) -> Answer {
        self.send(request).await;
        self.answer().await
    }

    fn whole_answer(&mut self) -> Option<Answer> {
        let end = memchr::memmem::find(&self.unread, b"\r\n\r\n")?;
        let head = String::from_utf8(self.unread[..end].to_vec()).unwrap();
        let length = header(&head, "content-length").map_or(0, |length| length.parse().unwrap());
        let all = end + 4 + length;
        if self.unread.len() < all {
            return None;
        }
        let body = &self.unread[end + 4..all];
        let answer = Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            body: serde_json::from_slice(body).unwrap_or(Value::Null),
            head,
        };
        self.unread.drain(..all);
        Some(answer)
    }
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        header(&self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// A request as Logstash's `http` output sends it: these headers, in this order.
pub(crate) struct Logstash<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) gzip: bool,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

impl<'a> Logstash<'a> {
    pub(crate) fn json(body: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        Self {
            content_type: "application/json",
            gzip: false,
            authorization: None,
            body: body.as_ref(),
        }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let body = if self.gzip {
            gzip(self.body)
        } else {
            self.body.to_vec()
        };
        let mut head = format!(
            "POST / HTTP/1.1\r\nConnection: Keep-Alive\r\nContent-Type: {}\r\n",
            self.content_type
        );
        if self.gzip {
            head.push_str("Content-Encoding: gzip\r\n");
        }
        write!(head, "Content-Length: {}\r\nHost: 127.0.0.1:8555\r\nUser-Agent: Manticore 0.9.2\r\nAccept-Encoding: gzip,deflate\r\n", body.len()).unwrap();
        if let Some(authorization) = self.authorization {
            write!(head, "Authorization: {authorization}\r\n").unwrap();
        }
        head.push_str("\r\n");
        [head.into_bytes(), body].concat()
    }
}

pub(crate) fn json(body: &str) -> Vec<u8> {
    Logstash::json(body).bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::read::GzEncoder::new(bytes, flate2::Compression::default());
    let mut packed = Vec::new();
    encoder.read_to_end(&mut packed).unwrap();
    packed
}

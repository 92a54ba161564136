//! Real search servers, started by the scripts in `tests/services`.
//!
//! `TRIPLINE_TEST_OPENSEARCH` names a running one to use instead; `TRIPLINE_TEST_NO_SERVERS=1` skips what needs one, and says so.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// A server process.
pub struct Server {
    pub url: String,
    /// Waits for this process to end, however it ends, and then stops the server.
    guard: Child,
    /// Keeps other test processes away from the server's directory.
    _place: File,
}

impl Server {
    /// Starts `tests/services/NAME/run.sh` on a port. Settings are `name=value`.
    pub fn start(name: &str, port: u16, settings: &[String]) -> Server {
        let (directory, place) = place(name);
        let script = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/services")
            .join(name)
            .join("run.sh");
        let mut guard = Command::new("bash")
            .args(["-c", r#"read -r _; exec "$0" stop"#])
            .arg(&script)
            .env("SERVICES_DIR", &directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("bash");
        let started = Command::new(&script)
            .arg("start")
            .arg(port.to_string())
            .args(settings)
            .env("SERVICES_DIR", &directory)
            .env("TIER", "1")
            .env("HEAP", "320m")
            .stderr(Stdio::piped())
            .output()
            .expect("the start script");
        if !started.status.success() {
            guard.kill().ok();
            panic!(
                "{name} does not start. It needs a JDK (17 or later), mvn, curl and python3; TRIPLINE_TEST_NO_SERVERS=1 skips \
                 tests that need a server.\n{}",
                String::from_utf8_lossy(&started.stderr)
            );
        }
        Server {
            url: format!("http://127.0.0.1:{port}"),
            guard,
            _place: place,
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        self.guard.wait().ok();
    }
}

/// A directory for a server's state that no other test process uses; programs fetched once are found there again by later runs.
fn place(name: &str) -> (PathBuf, File) {
    let services = Path::new(env!("CARGO_TARGET_TMPDIR")).join("services");
    std::fs::create_dir_all(&services).unwrap();
    for slot in 0.. {
        let lock = File::create(services.join(format!("{name}-{slot}.lock"))).unwrap();
        if lock.try_lock().is_ok() {
            return (services.join(format!("{name}-{slot}")), lock);
        }
    }
    unreachable!("some slot is free");
}

/// A port nobody listens on.
pub fn free_port() -> u16 {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Whether tests with servers are to be skipped; says so.
pub fn skipped() -> bool {
    let skipped = std::env::var_os("TRIPLINE_TEST_NO_SERVERS").is_some_and(|value| value == "1");
    if skipped {
        println!("skipped: TRIPLINE_TEST_NO_SERVERS=1");
    }
    skipped
}

/// The URL of the OpenSearch that all tests share, started by the first that asks; `None`: skipped.
pub fn opensearch() -> Option<&'static str> {
    static SHARED: OnceLock<(String, Option<Server>)> = OnceLock::new();
    if skipped() {
        return None;
    }
    let (url, _) = SHARED.get_or_init(|| match std::env::var("TRIPLINE_TEST_OPENSEARCH") {
        Ok(url) => (url, None),
        Err(_) => {
            let server = Server::start("opensearch", free_port(), &[]);
            (server.url.clone(), Some(server))
        }
    });
    Some(url)
}

/// `es_host` and `es_port` for a server's URL.
pub fn options(url: &str) -> String {
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let (host, port) = address.rsplit_once(':').unwrap();
    format!("es_host: {host}\nes_port: {port}\n")
}

/// An index name no other test uses.
pub fn unique(name: &str) -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{name}-{}-{count}", std::process::id())
}

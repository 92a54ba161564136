//! Protocols of their own over TCP: what is said is a plain value first, then sent.

use std::time::Duration;
use tokio::io::{
    AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long connecting may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long each step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);
/// How long an answer may be.
const MAX_ANSWER: u64 = 1 << 16;

/// What is said over one connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// The other side's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What is sent, and what is awaited before the next step.
    pub steps: Vec<Step>,
}

/// One step of an exchange.
#[derive(Clone, PartialEq, Eq)]
pub struct Step {
    /// What is sent.
    pub send: Vec<u8>,
    /// What comes back.
    pub answer: Expected,
}

/// Without what is sent: it may hold a password.
impl std::fmt::Debug for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Step({} bytes, {:?})", self.send.len(), self.answer)
    }
}

/// What comes back in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Nothing,
    /// Bytes up to a NUL.
    UntilNul,
    /// `ZBXD`, a byte of flags, and two lengths of four bytes; the first says how many bytes follow.
    Zabbix,
}

/// Why an exchange failed.
#[derive(Debug, thiserror::Error)]
pub enum TcpError {
    /// No connection, or it broke.
    #[error("{host}:{port}: {source}")]
    Broken {
        /// The other side.
        host: String,
        /// Its port.
        port: u16,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// Does all steps; gives the answers, one for each step, empty where nothing was expected.
///
/// # Errors
/// The connection does not come about or breaks, or an answer does not come in time.
pub async fn exchange(exchange: &Exchange) -> Result<Vec<Vec<u8>>, TcpError> {
    talk(exchange).await.map_err(|source| TcpError::Broken {
        host: exchange.host.clone(),
        port: exchange.port,
        source,
    })
}

async fn talk(exchange: &Exchange) -> std::io::Result<Vec<Vec<u8>>> {
    let connect = TcpStream::connect((exchange.host.as_str(), exchange.port));
    let stream = timeout(CONNECT_TIMEOUT, connect).await??;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let mut answers = Vec::new();
    for step in &exchange.steps {
        let answer = timeout(STEP_TIMEOUT, async {
            stream.get_mut().write_all(&step.send).await?;
            stream.get_mut().flush().await?;
            read(&mut stream, step.answer).await
        });
        answers.push(answer.await??);
    }
    stream.get_mut().shutdown().await?;
    Ok(answers)
}

async fn read(
    stream: &mut (impl AsyncBufRead + Unpin),
    expected: Expected,
) -> std::io::Result<Vec<u8>> {
    let mut answer = Vec::new();
    match expected {
        Expected::Nothing => {}
        Expected::UntilNul => {
            let mut stream = stream.take(MAX_ANSWER);
            stream.read_until(0, &mut answer).await?;
        }
        Expected::Zabbix => {
            let mut header = [0; 13];
            stream.read_exact(&mut header).await?;
            let [b'Z', b'B', b'X', b'D', _, a, b, c, d, ..] = header else {
                return Err(std::io::Error::other("not an answer of a Zabbix server"));
            };
            let length = u64::from(u32::from_le_bytes([a, b, c, d]));
            stream
                .take(length.min(MAX_ANSWER))
                .read_to_end(&mut answer)
                .await?;
        }
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn steps_wait_for_their_answers() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut heard = Vec::new();
            stream.read_until(0, &mut heard).await.unwrap();
            stream.get_mut().write_all(b"HELLO\0").await.unwrap();
            stream.read_until(0, &mut heard).await.unwrap();
            stream
                .get_mut()
                .write_all(b"ZBXD\x01\x02\0\0\0\0\0\0\0okrest")
                .await
                .unwrap();
            stream.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let step = |send: &[u8], answer| Step {
            send: send.to_vec(),
            answer,
        };
        let steps = vec![
            step(b"a\0", Expected::UntilNul),
            step(b"b\0", Expected::Zabbix),
            step(b"c", Expected::Nothing),
        ];
        let host = "127.0.0.1".to_owned();
        let answers = exchange(&Exchange { host, port, steps }).await.unwrap();
        assert_eq!(answers, [b"HELLO\0".to_vec(), b"ok".to_vec(), Vec::new()]);
        assert_eq!(server.await.unwrap(), b"a\0b\0c");
    }
}

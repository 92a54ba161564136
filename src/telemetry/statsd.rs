//! Gauges for a statsd server (`statsd_host`), with elastalert2's names and tags, in DogStatsD's format.

use std::fmt::Display;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::Duration;

/// The port of statsd, when `statsd_host` names none.
const PORT: u16 = 8125;

/// A statsd server. What does not reach it is lost: gauges come again.
#[derive(Debug)]
pub struct Statsd {
    socket: UdpSocket,
    server: SocketAddr,
    /// `statsd_instance_tag`.
    instance: String,
}

/// What a rule did in an interval.
#[derive(Debug, Clone, Copy)]
pub struct RuleRun<'a> {
    /// The rule.
    pub rule: &'a str,
    /// Time spent on evaluating.
    pub took: Duration,
    /// Events that passed its filter.
    pub hits: u64,
    /// Its matches.
    pub matches: u64,
    /// Its alerts.
    pub alerts: u64,
}

impl Statsd {
    /// Finds the server: `host`, or `host:port`.
    ///
    /// # Errors
    /// There is no such host, or no socket to be had.
    pub fn new(host: &str, instance: &str) -> io::Result<Self> {
        let mut addresses = match host.parse::<SocketAddr>() {
            Ok(address) => vec![address].into_iter(),
            Err(_) if host.contains(':') && host.parse::<std::net::IpAddr>().is_err() => {
                host.to_socket_addrs()?
            }
            Err(_) => (host, PORT).to_socket_addrs()?,
        };
        let server = addresses
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the host has no address"))?;
        let any = if server.is_ipv6() {
            "[::]:0"
        } else {
            "0.0.0.0:0"
        };
        let socket = UdpSocket::bind(any)?;
        // Never waited for.
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            server,
            instance: instance.to_owned(),
        })
    }

    /// Sends the gauges of one rule's run.
    pub fn ran(&self, run: &RuleRun<'_>) {
        self.gauge(run.rule, "rule.time_taken", run.took.as_secs_f64());
        self.gauge(run.rule, "query.hits", run.hits);
        // Nothing is queried twice.
        self.gauge(run.rule, "already_seen.hits", 0);
        self.gauge(run.rule, "query.matches", run.matches);
        self.gauge(run.rule, "query.alerts_sent", run.alerts);
    }

    fn gauge(&self, rule: &str, name: &str, value: impl Display) {
        let instance = match self.instance.as_str() {
            "" => "elastalert_instance".to_owned(),
            tag => format!("elastalert_instance:{tag}"),
        };
        let line = format!("{name}:{value}|g|#{instance},rule_name:{rule}");
        let _lost = self.socket.send_to(line.as_bytes(), self.server);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gauges_are_elastalert2s() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        server
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let host = server.local_addr().unwrap().to_string();
        let run = RuleRun {
            rule: "My rule",
            took: Duration::from_millis(1500),
            hits: 7,
            matches: 2,
            alerts: 1,
        };
        for (instance, tag) in [
            ("blue", "elastalert_instance:blue"),
            ("", "elastalert_instance"),
        ] {
            Statsd::new(&host, instance).unwrap().ran(&run);
            for expected in [
                "rule.time_taken:1.5|g",
                "query.hits:7|g",
                "already_seen.hits:0|g",
                "query.matches:2|g",
                "query.alerts_sent:1|g",
            ] {
                let mut packet = [0; 512];
                let length = server.recv(&mut packet).unwrap();
                let text = std::str::from_utf8(&packet[..length]).unwrap();
                assert_eq!(text, format!("{expected}|#{tag},rule_name:My rule"));
            }
        }
    }

    #[test]
    fn a_host_may_name_its_port() {
        let server = |host| Statsd::new(host, "").unwrap().server.port();
        assert_eq!(server("127.0.0.1"), PORT);
        assert_eq!(server("127.0.0.1:9125"), 9125);
        assert_eq!(server("::1"), PORT);
        assert!(Statsd::new("127.0.0.1:none", "").is_err());
    }
}

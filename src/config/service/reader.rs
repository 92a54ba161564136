//! Reads values that need more than their kind: addresses, sizes, secrets from files.

use crate::config::{
    Mapping, Node, OptionSpec, Problem, Properties, Span, check, read, unknown, without_effect,
};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Options of one object, and what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) properties: Properties,
    place: Span,
    problems: &'a mut Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Options that were checked already.
    pub(super) fn checked(
        properties: Properties,
        place: Span,
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        Self {
            properties,
            place,
            problems,
        }
    }

    /// The options of an object (nothing counts as an empty one), checked against their tables.
    pub(super) fn open(
        node: &Node,
        tables: &[&[OptionSpec]],
        problems: &'a mut Vec<Problem>,
    ) -> Self {
        let mapping = match node.as_map() {
            Some(mapping) => mapping.clone(),
            None => Mapping::default(),
        };
        let wrong = check(|name| mapping.get(name), &node.span, tables);
        let properties = Properties::new(sound(&mapping, &wrong));
        problems.extend(wrong);
        problems.extend(unknown(&mapping, tables, &|_| false));
        problems.extend(without_effect(&mapping, tables));
        Self {
            properties,
            place: node.span.clone(),
            problems,
        }
    }

    pub(super) fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    pub(super) fn span(&self, name: &str) -> Span {
        self.properties
            .get(name)
            .map_or_else(Span::nowhere, |node| node.span.clone())
    }

    /// The whole object.
    pub(super) fn place(&self) -> Span {
        self.place.clone()
    }

    /// Reads the object under an option, if it is there.
    pub(super) fn object<T>(
        &mut self,
        name: &str,
        table: &[OptionSpec],
        read: impl FnOnce(&mut Reader<'_>) -> T,
    ) -> Option<T> {
        let node = self.properties.get(name)?.clone();
        Some(read(&mut Reader::open(&node, &[table], self.problems)))
    }

    /// Reads `inputs`.
    pub(super) fn inputs(&mut self, items: &[Node]) -> Vec<super::InputConfig> {
        super::inputs::read(items, self.problems)
    }

    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.properties.text(name).map(PathBuf::from)
    }

    /// `127.0.0.1:8555`, `[::1]:8555`, `localhost:8555`.
    pub(super) fn address(&mut self, name: &str, default: SocketAddr) -> SocketAddr {
        let Some(text) = self.properties.text(name) else {
            return default;
        };
        let numeric = match text.split_once(':') {
            Some(("localhost", port)) => format!("{}:{port}", Ipv4Addr::LOCALHOST),
            Some(("*", port)) => format!("{}:{port}", Ipv4Addr::UNSPECIFIED),
            _ => text.clone(),
        };
        numeric.parse().unwrap_or_else(|_| {
            let message = format!("`{text}` is no address to listen on");
            let help = format!(
                "write an IP address and a port: \"{default}\", \"0.0.0.0:{}\"",
                default.port()
            );
            self.problem(Problem::error("E0801", &self.span(name), message).help(help));
            default
        })
    }

    /// Bytes: `1048576`, `1MiB`.
    pub(super) fn size(&mut self, name: &str, default: usize) -> usize {
        let Some(text) = self.properties.text(name) else {
            return default;
        };
        size(&text).unwrap_or_else(|| {
            let message = format!("`{text}` is no size in bytes");
            self.problem(
                Problem::error("E0802", &self.span(name), message)
                    .help("write a number, or one with a unit: 64MiB"),
            );
            default
        })
    }

    /// The value under `name`, or in the file under `name_file`: a secret must not stand in the configuration.
    pub(super) fn secret(&mut self, name: &str) -> Option<String> {
        let from_file = format!("{name}_file");
        let Some(path) = self.properties.text(&from_file) else {
            return self.properties.text(name);
        };
        if self.properties.contains(name) {
            let message = format!("`{name}` and `{from_file}` are both given, the file counts");
            self.problem(Problem::warning("W0804", &self.span(name), message));
        }
        match read(Path::new(&path)) {
            Ok(file) => Some(file.text().trim_end_matches(['\n', '\r']).to_owned()),
            Err(problem) => {
                let message = format!("`{from_file}`: {path} {}", problem.message);
                self.problem(Problem::error("E0803", &self.span(&from_file), message));
                None
            }
        }
    }
}

/// The options without those of the wrong kind: reading goes on with their defaults.
pub(super) fn sound(options: &Mapping, wrong: &[Problem]) -> Mapping {
    let is_wrong = |value: &Node| {
        wrong.iter().any(|problem| {
            value.span.start <= problem.span.start && problem.span.end <= value.span.end
        })
    };
    let sound = options.0.iter().filter(|(_, value)| !is_wrong(value));
    Mapping(sound.cloned().collect())
}

fn size(text: &str) -> Option<usize> {
    const UNITS: [(&str, u64); 10] = [
        ("kib", 1 << 10),
        ("mib", 1 << 20),
        ("gib", 1 << 30),
        ("kb", 1_000),
        ("mb", 1_000_000),
        ("gb", 1_000_000_000),
        ("k", 1 << 10),
        ("m", 1 << 20),
        ("g", 1 << 30),
        ("b", 1),
    ];
    let text = text.trim().to_lowercase();
    let (number, unit) = UNITS
        .iter()
        .find_map(|(suffix, unit)| Some((text.strip_suffix(suffix)?, *unit)))
        .unwrap_or((&text, 1));
    let number: u64 = number.trim().parse().ok()?;
    usize::try_from(number.checked_mul(unit)?).ok()
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("1048576", Some(1_048_576)),
            ("100MiB", Some(104_857_600)),
            ("1 kb", Some(1000)),
            ("2g", Some(2_147_483_648)),
            ("5b", Some(5)),
            ("-1", None),
            ("1.5MB", None),
            ("99999999999999GiB", None),
            ("", None),
        ] {
            assert_eq!(size(text), bytes, "{text}");
        }
    }
}

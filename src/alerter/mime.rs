//! Mail messages, written the way Python's `email` package writes them for elastalert2: the same header order, encoded words and
//! base64 lines; headers are not folded.
//!
//! Deliberate differences: line breaks and control characters never reach a header (in elastalert2 an `alert_subject` of two lines ends
//! the header); of an address with a non-ASCII name only the name is encoded, so that mail servers can read the address; a header longer
//! than a mail server must accept is folded.

use crate::event::WallTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

/// The longest line a mail server must accept (RFC 5322 section 2.1.1).
const MAX_LINE: usize = 998;

/// How many bytes fill an encoded word of 75 characters (RFC 2047 section 2).
const WORD_BYTES: usize = 45;

/// A message before it is written down.
#[derive(Debug, Clone)]
pub struct Message {
    /// `Subject`, `To` and so on in the order they are written; the values are made by [`text`], [`addresses`] or [`date`].
    pub headers: Vec<(&'static str, String)>,
    /// The text.
    pub body: String,
    /// What the text is.
    pub format: Format,
}

/// What the text of a message is.
#[derive(Debug, Clone)]
pub enum Format {
    /// Plain text.
    Plain,
    /// HTML; the images it shows are parts of the message.
    Html {
        /// The images.
        images: Vec<Image>,
        /// Makes the boundary between the parts.
        boundary_seed: u64,
    },
}

/// An image in an HTML message.
#[derive(Debug, Clone)]
pub struct Image {
    /// The name by which the HTML shows it: `<img src="cid:NAME">`.
    pub content_id: String,
    /// `png`, `jpeg`, …
    pub subtype: &'static str,
    /// The file's content.
    pub bytes: Vec<u8>,
}

impl Message {
    /// The message as it goes over the wire: ASCII, lines end with CR LF.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = String::new();
        match &self.format {
            Format::Plain => {
                out.push_str(&part_headers("plain"));
                self.write_headers(&mut out);
                out.push_str("\r\n");
                out.push_str(&base64_lines(self.body.as_bytes()));
            }
            Format::Html {
                images,
                boundary_seed,
            } => {
                let boundary = format!("==============={:019}==", boundary_seed >> 1);
                out.push_str(&format!(
                    "Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\nMIME-Version: 1.0\r\n"
                ));
                self.write_headers(&mut out);
                out.push_str(&format!("\r\n--{boundary}\r\n{}\r\n", part_headers("html")));
                out.push_str(&base64_lines(self.body.as_bytes()));
                for image in images {
                    out.push_str(&format!(
                        "\r\n--{boundary}\r\nContent-Type: image/{}\r\nMIME-Version: 1.0\r\n\
                         Content-Transfer-Encoding: base64\r\nContent-ID: {}\r\n\r\n{}",
                        image.subtype,
                        text("Content-ID", &format!("<{}>", image.content_id)),
                        base64_lines(&image.bytes)
                    ));
                }
                out.push_str(&format!("\r\n--{boundary}--\r\n"));
            }
        }
        out.into_bytes()
    }

    fn write_headers(&self, out: &mut String) {
        for (name, value) in &self.headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
    }
}

fn part_headers(subtype: &str) -> String {
    format!(
        "MIME-Version: 1.0\r\nContent-Type: text/{subtype}; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n"
    )
}

/// Base64 in lines of 76 characters, as `base64.encodebytes` writes it.
fn base64_lines(bytes: &[u8]) -> String {
    bytes
        .chunks(57)
        .map(|line| STANDARD.encode(line) + "\r\n")
        .collect()
}

/// The value of a header that holds text: as it is when it is ASCII, else as one encoded word (RFC 2047).
pub fn text(name: &str, value: &str) -> String {
    let value = one_line(value);
    let room = MAX_LINE.saturating_sub(name.len() + 2);
    if value.is_ascii() {
        if value.len() <= room {
            return value;
        }
        let folded = fold(&value);
        if folded.split("\r\n").all(|line| line.len() <= room) {
            return folded;
        }
    }
    let word = encoded_word(&value);
    if word.len() <= room {
        return word;
    }
    chunks(&value)
        .map(|chunk| format!("=?utf-8?b?{}?=", STANDARD.encode(chunk)))
        .collect::<Vec<_>>()
        .join("\r\n ")
}

/// The value of a header that holds addresses: display names outside ASCII are encoded.
pub fn addresses(name: &str, list: &[String], separator: &str) -> String {
    let entries: Vec<String> = list
        .iter()
        .map(|entry| address_entry(name, entry))
        .collect();
    let line = entries.join(separator);
    if name.len() + 2 + line.len() <= MAX_LINE {
        line
    } else {
        entries.join(",\r\n ")
    }
}

fn address_entry(name: &str, entry: &str) -> String {
    let entry = one_line(entry);
    match entry.rsplit_once('<') {
        Some((display, address)) if !display.is_ascii() => {
            let display = display.trim().trim_matches('"');
            format!("{} <{address}", text(name, display))
        }
        _ => text(name, &entry),
    }
}

/// The value of a `Date` header, in UTC, as `email.utils.formatdate()` writes it.
pub fn date(time: WallTime) -> String {
    let seconds = time.0.div_euclid(1_000_000);
    Timestamp::from_second(seconds).map_or_else(
        |_| String::new(),
        |time| time.strftime("%a, %d %b %Y %H:%M:%S -0000").to_string(),
    )
}

/// The address in `Name <address>`, or the text itself: what goes into the envelope.
pub fn address(text: &str) -> String {
    let text = one_line(text);
    let inner = text.rsplit_once('<').map_or(text.as_str(), |(_, rest)| {
        rest.trim_end().trim_end_matches('>')
    });
    inner.trim().to_owned()
}

/// Line breaks (Python's `splitlines`) and other control characters become blanks.
fn one_line(text: &str) -> String {
    text.trim_end_matches(['\n', '\r'])
        .replace("\r\n", "\n")
        .chars()
        .map(|c| match c {
            '\t' => c,
            '\u{2028}' | '\u{2029}' => ' ',
            c if c.is_control() => ' ',
            c => c,
        })
        .collect()
}

/// Python's `Charset("utf-8").header_encode`: quoted-printable unless base64 is shorter.
fn encoded_word(value: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-!*+/ ".contains(&b);
    let quoted_length: usize = value.bytes().map(|b| if is_plain(b) { 1 } else { 3 }).sum();
    if value.len().div_ceil(3) * 4 < quoted_length {
        return format!("=?utf-8?b?{}?=", STANDARD.encode(value));
    }
    let quoted: String = value
        .bytes()
        .map(|b| match b {
            b' ' => "_".to_owned(),
            b if is_plain(b) => char::from(b).to_string(),
            b => format!("={b:02X}"),
        })
        .collect();
    format!("=?utf-8?q?{quoted}?=")
}

/// Breaks an ASCII header before blanks so that lines stay near 78 characters where there are blanks.
fn fold(value: &str) -> String {
    let mut out = String::new();
    let mut line = 0;
    for word in value.split_inclusive(' ') {
        if line + word.len() > 76 && out.ends_with(' ') {
            out.pop();
            out.push_str("\r\n ");
            line = 1;
        }
        out.push_str(word);
        line += word.len();
    }
    out
}

/// The text in pieces of at most [`WORD_BYTES`], never within a character.
fn chunks(value: &str) -> impl Iterator<Item = &str> {
    let mut rest = value;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut end = WORD_BYTES.min(rest.len());
        while !rest.is_char_boundary(end) {
            end -= 1;
        }
        let (chunk, tail) = rest.split_at(end);
        rest = tail;
        Some(chunk)
    })
}

/// The subtype of an image, told from its first bytes as Python's `MIMEImage` does.
pub fn image_subtype(bytes: &[u8]) -> Option<&'static str> {
    let at = |start: usize, magic: &[u8]| {
        bytes
            .get(start..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    let netpbm = |digits: &[u8]| matches!(bytes, [b'P', kind, b' ' | b'\t' | b'\n' | b'\r', ..] if digits.contains(kind));
    if at(6, b"JFIF") || at(6, b"Exif") || at(0, b"\xff\xd8\xff\xdb") || at(0, b"\xff\xd8\xff") {
        Some("jpeg")
    } else if at(0, b"\x89PNG\r\n\x1a\n") {
        Some("png")
    } else if at(0, b"GIF87a") || at(0, b"GIF89a") {
        Some("gif")
    } else if at(0, b"MM") || at(0, b"II") {
        Some("tiff")
    } else if at(0, b"\x01\xda") {
        Some("rgb")
    } else if netpbm(b"14") {
        Some("pbm")
    } else if netpbm(b"25") {
        Some("pgm")
    } else if netpbm(b"36") {
        Some("ppm")
    } else if at(0, b"\x59\xa6\x6a\x95") {
        Some("rast")
    } else if at(0, b"#define ") {
        Some("xbm")
    } else if at(0, b"BM") {
        Some("bmp")
    } else if at(0, b"RIFF") && at(8, b"WEBP") {
        Some("webp")
    } else if at(0, b"\x76\x2f\x31\x01") {
        Some("exr")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_encoded_as_python_does() {
        for (value, expected) in [
            ("ElastAlert: waf", "ElastAlert: waf"),
            ("   two  blanks ", "   two  blanks "),
            ("日本", "=?utf-8?b?5pel5pys?="),
            ("Größe _x_ 5%", "=?utf-8?b?R3LDtsOfZSBfeF8gNSU=?="),
            (
                "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxé",
                "=?utf-8?q?xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx=C3=A9?=",
            ),
        ] {
            assert_eq!(text("Subject", value), expected);
        }
    }

    #[test]
    fn nothing_breaks_out_of_a_header() {
        assert_eq!(
            text("Subject", "a\r\nBcc: x@example.com\u{85}b\0\n"),
            "a Bcc: x@example.com b "
        );
        assert_eq!(
            address("x@example.com>\r\nRCPT TO:<y@example.com"),
            "y@example.com"
        );
        assert!(!addresses("To", &["警報\n <a@example.com>".to_owned()], ", ").contains('\n'));
    }

    #[test]
    fn only_the_name_of_an_address_is_encoded() {
        let list = [
            "警報 <a@example.com>".to_owned(),
            "b@example.com".to_owned(),
        ];
        assert_eq!(
            addresses("To", &list, ", "),
            "=?utf-8?b?6K2m5aCx?= <a@example.com>, b@example.com"
        );
        assert_eq!(address("警報 <a@example.com>"), "a@example.com");
        assert_eq!(address("ElastAlert"), "ElastAlert");
        let many = vec!["someone@example.com".to_owned(); 100];
        assert!(addresses("CC", &many, ",").contains(",\r\n someone@"));
    }

    #[test]
    fn overlong_headers_are_folded() {
        let long = text("Subject", &"あ".repeat(2048));
        assert!(long.split("\r\n").all(|line| line.len() <= 76));
        let words = "word ".repeat(400);
        let folded = text("Subject", &words);
        assert!(folded.split("\r\n").all(|line| line.len() <= 78));
        assert_eq!(folded.replace("\r\n", ""), words);
        let unbroken = text("Subject", &"x".repeat(1500));
        assert!(unbroken.split("\r\n").all(|line| line.len() <= 76));
    }

    #[test]
    fn a_plain_message() {
        let message = Message {
            headers: vec![
                ("Subject", text("Subject", "s")),
                ("Date", date(WallTime(1_772_410_200_000_000))),
            ],
            body: "b\n".to_owned(),
            format: Format::Plain,
        };
        assert_eq!(
            String::from_utf8(message.to_bytes()).unwrap(),
            "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\nContent-Transfer-Encoding: base64\r\n\
             Subject: s\r\nDate: Mon, 02 Mar 2026 00:10:00 -0000\r\n\r\nYgo=\r\n"
        );
    }

    #[test]
    fn images_are_recognised() {
        assert_eq!(image_subtype(b"\x89PNG\r\n\x1a\n...."), Some("png"));
        assert_eq!(image_subtype(b"\xff\xd8\xff\xe0\0\x10JFIF"), Some("jpeg"));
        assert_eq!(image_subtype(b"P6\n1 1"), Some("ppm"));
        assert_eq!(image_subtype(b"hello"), None);
    }
}

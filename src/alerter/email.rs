//! `email`: sends a mail.
//! Follows <https://elastalert2.readthedocs.io/en/latest/alerts.html#email>; the message is elastalert2's, see [`mime`] for the exceptions.
//! Like elastalert2, certificates of mail servers are not verified unless `smtp_cert_file` is given; `smtp_ca_certs` is ours.

use super::options::{CERTIFICATES, port, text_or};
use super::recipients::Recipients;
use super::smtp::{Login, Mail, Security, Server};
use super::tls::Verify;
use super::{Alerter, AlerterEntry, Build, Built, SendError, Transport, mime, title};
use crate::alert::{Alert, BodyStyle};
use crate::config::{Data, Kind, Problem, Properties, opt, process_environment, read_yaml};
use crate::engine::TicketUse;
use crate::event::Document;
use futures_util::future::BoxFuture;
use serde_json::json;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) static ENTRY: AlerterEntry = AlerterEntry {
    name: "email",
    aliases: &[],
    doc: "Sends a mail.",
    options: &[
        opt("email").texts().required().doc("Who gets the mail."),
        opt("email_from_field").doc("A field of the match with the address, or addresses, used instead of `email`."),
        opt("email_add_domain").doc("What is added to names found in `email_from_field`: `@example.com`."),
        opt("cc").texts().doc("Who gets a copy."),
        opt("bcc").texts().doc("Who gets a copy without being named."),
        opt("from_addr").default("ElastAlert").doc("The sender."),
        opt("email_reply_to").doc("Who gets the answers; without it, who gets the mail."),
        opt("email_format").default("plain text").doc("`html`: the text is HTML."),
        opt("email_image_keys").kind(Kind::List(&Kind::Str)).doc("Names of images, used as `<img src=\"cid:NAME\">`."),
        opt("email_image_values").kind(Kind::List(&Kind::Str)).doc("The files of these images, in `assets_dir`."),
        opt("assets_dir").default("/tmp").doc("Where the files of images are."),
        opt("smtp_host").default("localhost").doc("The mail server."),
        opt("smtp_port").int().default("25, with `smtp_ssl` 465").doc("Its port."),
        opt("smtp_ssl").bool().default("false").doc("Whether the connection is encrypted from the first byte; without it, STARTTLS is used when offered."),
        opt("smtp_auth_file").doc("A YAML file with `user` and `password`, relative to the rule file."),
        opt("smtp_cert_file").doc("The client's certificate, PEM; with it the server's certificate is verified."),
        opt("smtp_key_file").doc("The key of `smtp_cert_file`, PEM."),
        opt("smtp_ca_certs").kind(CERTIFICATES).doc("`true`: the server's certificate must be one the system trusts; or the PEM file of the authorities to trust."),
    ],
    build,
};

#[derive(Debug)]
struct Email {
    server: Arc<Server>,
    from: String,
    to: Recipients,
    cc: Vec<String>,
    bcc: Vec<String>,
    reply_to: Option<String>,
    /// `Some`: the text is HTML with these images.
    html: Option<Vec<ImageFile>>,
    transport: Arc<dyn Transport>,
}

#[derive(Debug)]
struct ImageFile {
    content_id: String,
    path: PathBuf,
}

fn build(properties: &Properties, build: &Build) -> Result<Built, Vec<Problem>> {
    let html = properties.text("email_format").as_deref() == Some("html");
    Ok(Email {
        server: Arc::new(server(properties, build)?),
        from: text_or(properties, "from_addr", "ElastAlert"),
        to: Recipients::read(properties, "email"),
        cc: properties.texts("cc"),
        bcc: properties.texts("bcc"),
        reply_to: properties.text("email_reply_to"),
        html: html.then(|| images(properties, &build.working_directory)),
        transport: Arc::clone(&build.transport),
    }
    .into())
}

pub(super) fn server(properties: &Properties, build: &Build) -> Result<Server, Vec<Problem>> {
    let security = if properties.bool("smtp_ssl") == Some(true) {
        Security::Always
    } else {
        Security::WhenOffered
    };
    let default_port = match security {
        Security::Always => 465,
        Security::WhenOffered => 25,
    };
    let port = port(properties, "smtp_port", default_port, &build.span)?;
    let file = |name| {
        let path = properties.text(name).filter(|path| !path.is_empty())?;
        Some(build.working_directory.join(path))
    };
    let certificate = file("smtp_cert_file");
    let verify = match properties.get("smtp_ca_certs").map(|node| &node.data) {
        Some(Data::Str(path)) => Verify::Bundle(build.working_directory.join(path)),
        Some(Data::Bool(true)) => Verify::System,
        _ if certificate.is_some() => Verify::System,
        _ => Verify::Nothing,
    };
    Ok(Server {
        host: text_or(properties, "smtp_host", "localhost"),
        port,
        security,
        verify,
        identity: certificate.map(|certificate| {
            let key = file("smtp_key_file").unwrap_or_else(|| certificate.clone());
            (certificate, key)
        }),
        login: login(properties, build)?,
    })
}

/// `smtp_auth_file`: who logs in.
fn login(properties: &Properties, build: &Build) -> Result<Option<Login>, Vec<Problem>> {
    let Some(path) = properties.text("smtp_auth_file") else {
        return Ok(None);
    };
    let span = properties
        .get("smtp_auth_file")
        .map_or(&build.span, |node| &node.span);
    let path = build.rule_file.parent().unwrap_or(Path::new("")).join(path);
    let (account, problems) = read_yaml(path.as_path(), &process_environment);
    let text = |name| {
        let node = account.as_ref()?.get(name)?;
        (!node.is_null()).then(|| node.key_text())
    };
    match (text("user"), text("password")) {
        (Some(user), Some(password)) => Ok(Some(Login { user, password })),
        _ => {
            let message = format!("{} does not give a user and a password", path.display());
            let help = match problems.iter().find(|problem| problem.is_error()) {
                Some(problem) => problem.message.clone(),
                None => "write `user: NAME` and `password: SECRET` in it".to_owned(),
            };
            Err(vec![Problem::error("E0310", span, message).help(help)])
        }
    }
}

/// Images by name, in order; as in a Python dict, a name given twice keeps its place and takes the later file.
fn images(properties: &Properties, working_directory: &Path) -> Vec<ImageFile> {
    let directory = working_directory.join(text_or(properties, "assets_dir", "/tmp"));
    let mut images: Vec<ImageFile> = Vec::new();
    let files = properties.texts("email_image_values");
    for (content_id, file) in properties.texts("email_image_keys").into_iter().zip(files) {
        let path = directory.join(file);
        match images
            .iter_mut()
            .find(|image| image.content_id == content_id)
        {
            Some(image) => image.path = path,
            None => images.push(ImageFile { content_id, path }),
        }
    }
    images
}

impl Email {
    fn mail(&self, alert: &Alert<'_>) -> Result<Mail, SendError> {
        let to = self.to.of(alert);
        let subject = alert.subject(&title::with_query_key("ElastAlert", alert))?;
        let reply_to = match &self.reply_to {
            Some(address) => std::slice::from_ref(address),
            None => to.as_slice(),
        };
        let from = std::slice::from_ref(&self.from);
        let mut headers = vec![
            ("Subject", mime::text("Subject", &subject)),
            ("To", mime::addresses("To", &to, ", ")),
            ("From", mime::addresses("From", from, ", ")),
            ("Reply-To", mime::addresses("Reply-To", reply_to, ", ")),
            ("Date", mime::date(alert.now)),
        ];
        if !self.cc.is_empty() {
            headers.push(("CC", mime::addresses("CC", &self.cc, ",")));
        }
        let format = match &self.html {
            None => mime::Format::Plain,
            Some(images) => mime::Format::Html {
                images: images.iter().map(read_image).collect::<Result<_, _>>()?,
                boundary_seed: {
                    let mut hasher = DefaultHasher::new();
                    alert.id.hash(&mut hasher);
                    hasher.finish()
                },
            },
        };
        let mut body = alert.body(BodyStyle::default())?;
        if let Some(ticket) = alert.ticket {
            body.push_str(&format!("\nJira ticket: {ticket}"));
        }
        let message = mime::Message {
            headers,
            body,
            format,
        };
        let everyone = to.iter().chain(&self.cc).chain(&self.bcc);
        Ok(Mail {
            server: Arc::clone(&self.server),
            from: mime::address(&self.from),
            recipients: everyone.map(|address| mime::address(address)).collect(),
            message: message.to_bytes(),
        })
    }
}

fn read_image(image: &ImageFile) -> Result<mime::Image, SendError> {
    let name = image.path.display().to_string();
    let bytes = std::fs::read(&image.path).map_err(|source| SendError::File {
        what: name.clone(),
        source,
    })?;
    let subtype = mime::image_subtype(&bytes)
        .ok_or_else(|| SendError::Content(format!("{name} is not an image of a known kind")))?;
    Ok(mime::Image {
        content_id: image.content_id.clone(),
        subtype,
        bytes,
    })
}

impl Alerter for Email {
    fn info(&self) -> Document {
        Document::from_iter([
            ("type".to_owned(), json!("email")),
            ("recipients".to_owned(), json!(self.to.fixed)),
        ])
    }

    fn ticket_use(&self) -> TicketUse {
        TicketUse::Shows
    }

    fn send<'a>(&'a self, alert: &'a Alert<'a>) -> BoxFuture<'a, Result<(), SendError>> {
        Box::pin(async move { Ok(self.transport.mail(self.mail(alert)?).await?) })
    }
}

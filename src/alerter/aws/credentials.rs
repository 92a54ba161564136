//! Who calls Amazon. Looked up for every alert: keys of roles expire, and files are written anew.
//!
//! Of what a profile may say, only keys are understood: no role to assume, no sign-on, no program to ask.

use crate::alerter::http::{Body, HttpError, Method, Request, Route};
use crate::alerter::{SendError, Transport};
use crate::config::{Environment, process_environment};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Keys for signing.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Credentials {
    /// The access key's id.
    pub(super) id: String,
    /// The secret access key.
    pub(super) secret: String,
    /// Goes with keys that expire.
    pub(super) session_token: Option<String>,
}

/// Where keys come from.
pub(super) enum Source {
    /// The rule.
    Rule(Credentials),
    /// A profile in the user's files.
    Profile(String),
    /// Environment variables, else the profile `AWS_PROFILE` or `default`, else the role of the container or the machine.
    Surroundings,
}

/// Where a machine on Amazon learns about itself.
const MACHINE: &str = "http://169.254.169.254/latest";
/// The same for containers.
const CONTAINER: &str = "http://169.254.170.2";

impl Source {
    /// The keys.
    ///
    /// # Errors
    /// There are none.
    pub(super) async fn find(&self, transport: &dyn Transport) -> Result<Credentials, SendError> {
        match self {
            Self::Rule(credentials) => Ok(credentials.clone()),
            Self::Profile(name) => of_profile(name, &process_environment)
                .ok_or_else(|| none(&format!("the AWS profile {name:?} has no access key"))),
            Self::Surroundings => match of_surroundings(&process_environment) {
                Some(credentials) => Ok(credentials),
                None => of_role(transport).await,
            },
        }
    }
}

fn none(message: &str) -> SendError {
    HttpError::Invalid(message.to_owned()).into()
}

fn of_surroundings(environment: Environment<'_>) -> Option<Credentials> {
    of_environment(environment).or_else(|| {
        let profile = environment("AWS_PROFILE");
        of_profile(profile.as_deref().unwrap_or("default"), environment)
    })
}

fn of_environment(environment: Environment<'_>) -> Option<Credentials> {
    let filled = |name| environment(name).filter(|value: &String| !value.is_empty());
    Some(Credentials {
        id: filled("AWS_ACCESS_KEY_ID")?,
        secret: filled("AWS_SECRET_ACCESS_KEY")?,
        session_token: filled("AWS_SESSION_TOKEN"),
    })
}

/// From the shared credentials file, else the configuration file.
fn of_profile(name: &str, environment: Environment<'_>) -> Option<Credentials> {
    let home = environment("HOME").map(PathBuf::from);
    let file = |variable, usual: &str| match environment(variable) {
        Some(path) => Some(PathBuf::from(path)),
        None => Some(home.as_ref()?.join(".aws").join(usual)),
    };
    let read = |path: Option<PathBuf>, section: &str| {
        let text = std::fs::read_to_string(path.as_deref().unwrap_or(Path::new(""))).ok()?;
        of_section(&text, section)
    };
    let credentials = file("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    read(credentials, name).or_else(|| {
        let section = match name {
            "default" => name.to_owned(),
            name => format!("profile {name}"),
        };
        read(file("AWS_CONFIG_FILE", "config"), &section)
    })
}

/// The keys in a section of a file of `name = value` lines.
fn of_section(text: &str, section: &str) -> Option<Credentials> {
    let header = |line: &str| {
        let name = line.strip_prefix('[')?.split(']').next()?;
        Some(name.trim() == section)
    };
    let mut inside = false;
    let (mut id, mut secret, mut session_token) = (None, None, None);
    for line in text.lines().map(str::trim) {
        if let Some(ours) = header(line) {
            inside = ours;
        } else if let Some((name, value)) = line.split_once('=').filter(|_| inside) {
            let value = Some(value.trim().to_owned());
            match name.trim() {
                "aws_access_key_id" => id = value,
                "aws_secret_access_key" => secret = value,
                "aws_session_token" => session_token = value,
                _ => {}
            }
        }
    }
    Some(Credentials {
        id: id?,
        secret: secret?,
        session_token,
    })
}

/// From the service that tells a container or a machine what it may do.
async fn of_role(transport: &dyn Transport) -> Result<Credentials, SendError> {
    let container = process_environment("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
    let disabled = process_environment("AWS_EC2_METADATA_DISABLED");
    let answer = match container {
        Some(path) => text(transport, local(Method::Get, format!("{CONTAINER}{path}"))).await,
        None if disabled.is_some_and(|value| value == "true") => Err(none("turned off")),
        None => of_machine(transport).await,
    };
    let answer = answer.map_err(|error| {
        let place = "neither the rule nor the environment nor a profile has AWS credentials";
        none(&format!("{place}, and no role gives any ({error})"))
    })?;
    let answer: Value = serde_json::from_str(&answer).unwrap_or_default();
    let member = |name: &str| answer.get(name)?.as_str().map(str::to_owned);
    match (member("AccessKeyId"), member("SecretAccessKey")) {
        (Some(id), Some(secret)) => Ok(Credentials {
            id,
            secret,
            session_token: member("Token"),
        }),
        _ => Err(none("no AWS credentials: the role's answer has none")),
    }
}

async fn of_machine(transport: &dyn Transport) -> Result<String, SendError> {
    let token = local(Method::Put, format!("{MACHINE}/api/token"))
        .header("X-aws-ec2-metadata-token-ttl-seconds", "60");
    let token = text(transport, token).await?;
    let roles = format!("{MACHINE}/meta-data/iam/security-credentials/");
    let ask = |url| local(Method::Get, url).header("X-aws-ec2-metadata-token", &token);
    let role = text(transport, ask(roles.clone())).await?;
    text(transport, ask(format!("{roles}{}", role.trim()))).await
}

/// A request that stays on the machine: there is an answer at once, or nobody to give one.
fn local(method: Method, url: String) -> Request {
    Request {
        method,
        url,
        headers: Vec::new(),
        body: Body::None,
        route: Route {
            timeout: Duration::from_secs(1),
            ..Route::default()
        },
    }
}

async fn text(transport: &dyn Transport, request: Request) -> Result<String, SendError> {
    let answer = transport.deliver(request).await?;
    Ok(String::from_utf8_lossy(&answer.body).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(id: &str, secret: &str, token: Option<&str>) -> Credentials {
        Credentials {
            id: id.to_owned(),
            secret: secret.to_owned(),
            session_token: token.map(str::to_owned),
        }
    }

    const FILE: &str = "# ours\n[default]\naws_access_key_id = A\naws_secret_access_key=S=\n\n\
        [ops]\nregion = x\naws_access_key_id=B\naws_secret_access_key= T\naws_session_token =U\n[empty]\n";

    #[test]
    fn a_profile_is_a_section() {
        let found = |section| of_section(FILE, section);
        assert!(found("default") == Some(keys("A", "S=", None)));
        assert!(found("ops") == Some(keys("B", "T", Some("U"))));
        assert!(found("empty").is_none());
        assert!(found("other").is_none());
    }

    #[test]
    fn profiles_are_looked_for_in_both_files() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(directory.path().join(name), text).unwrap();
            directory.path().join(name).display().to_string()
        };
        let credentials = write("credentials", FILE);
        let config = write("config", &FILE.replace("[ops]", "[profile dev]"));
        let environment = |name: &str| match name {
            "AWS_SHARED_CREDENTIALS_FILE" => Some(credentials.clone()),
            "AWS_CONFIG_FILE" => Some(config.clone()),
            _ => None,
        };
        assert!(of_profile("ops", &environment) == Some(keys("B", "T", Some("U"))));
        assert!(of_profile("dev", &environment) == Some(keys("B", "T", Some("U"))));
        assert!(of_profile("other", &environment).is_none());
    }

    #[test]
    fn the_environment_needs_both_keys() {
        let only_id = |name: &str| (name == "AWS_ACCESS_KEY_ID").then(|| "A".to_owned());
        assert!(of_environment(&only_id).is_none());
        let all = |name: &str| Some(name.to_owned());
        let expected = keys(
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
            Some("AWS_SESSION_TOKEN"),
        );
        assert!(of_environment(&all) == Some(expected));
    }
}

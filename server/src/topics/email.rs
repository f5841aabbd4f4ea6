//! A subscriber that is a mailbox: SMTP, with TLS unless the mail server is on this machine.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};
use serde::Deserialize;

use super::delivery::Undelivered;
use super::message::Message;
use super::reading::Reading;
use crate::gateway::verify::secret::SecretSource;

/// How long a mail server may take for one step, in real time.
const LIMIT: Duration = Duration::from_secs(15);

/// `{ email = {...} }`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// The mail server's name.
    pub server: String,
    /// Its port; by default that of `security`.
    #[serde(default)]
    pub port: Option<u16>,
    /// How the connection is kept secret.
    #[serde(default)]
    pub security: Security,
    /// A certificate authority to trust beside those of this machine, as a PEM file.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Who signs in.
    #[serde(default)]
    pub user: Option<String>,
    /// With what: `env:NAME`, `file:PATH` or the password itself.
    #[serde(default)]
    pub password: Option<SecretSource>,
    /// Who writes, for example `Rejoin <rejoin@example.com>`.
    pub from: String,
    /// Who reads.
    pub to: Vec<String>,
}

/// How a connection to a mail server is kept secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    /// TLS is begun on a plain connection, port 587, or there is no connection.
    #[default]
    Starttls,
    /// TLS from the first byte, port 465.
    Tls,
    /// None, port 25; to this machine alone.
    None,
}

impl EmailConfig {
    /// Makes relative paths relative to `folder`.
    pub fn relative_to(&mut self, folder: &Path) {
        if let Some(path) = &mut self.ca {
            *path = folder.join(&*path);
        }
        if let Some(password) = &mut self.password {
            password.relative_to(folder);
        }
    }
}

/// A mailbox, and the way to it.
pub struct Email {
    config: EmailConfig,
    credentials: Option<Credentials>,
    headers: MessageBuilder,
    /// Made with the first message: reading the machine's root certificates takes long.
    transport: OnceLock<Result<AsyncSmtpTransport<Tokio1Executor>, String>>,
}

impl Email {
    /// The error completes the sentence "the topic NAME ...".
    pub fn new(config: EmailConfig) -> Result<Email, String> {
        let loopback = ["localhost", "127.0.0.1", "::1"].contains(&config.server.as_str());
        if config.security == Security::None && !loopback {
            return Err(format!(
                "sends e-mail to {} without TLS, which is for a mail server on this machine; take `security = \"starttls\"` or \"tls\"",
                config.server
            ));
        }
        let credentials = match (&config.user, &config.password) {
            (Some(user), Some(password)) => {
                let password = password
                    .read()
                    .map_err(|what| format!("has an e-mail `password` that {what}"))?;
                Some(Credentials::new(user.clone(), password))
            }
            (None, None) => None,
            _ => {
                return Err(
                    "has an e-mail subscriber with only one of `user` and `password`; give both or neither"
                        .into(),
                );
            }
        };
        if config.to.is_empty() {
            return Err("has an e-mail subscriber without `to`; say who reads".into());
        }
        let mailbox = |text: &String| -> Result<Mailbox, String> {
            text.parse().map_err(|why| {
                format!("has the e-mail address {text:?}, which is none: {why}; write NAME <NAME@HOST> or NAME@HOST")
            })
        };
        let mut headers = lettre::Message::builder().from(mailbox(&config.from)?);
        for reader in &config.to {
            headers = headers.to(mailbox(reader)?);
        }
        Ok(Email {
            config,
            credentials,
            headers,
            transport: OnceLock::new(),
        })
    }

    /// Names it in stored messages.
    pub fn key(&self) -> String {
        format!("email:{}", self.config.to.join(","))
    }

    /// One attempt.
    pub async fn send(&self, reading: &Reading, message: &Message) -> Result<(), Undelivered> {
        let written = self.write(reading, message);
        let mail = written.map_err(Undelivered::ForGood)?;
        let transport = self.transport.get_or_init(|| self.transport());
        let transport = transport
            .as_ref()
            .map_err(|what| Undelivered::ForNow(what.clone()))?;
        let Err(error) = transport.send(mail).await else {
            return Ok(());
        };
        let mut why = format!("the mail server {}: {error}", self.config.server);
        let mut cause = std::error::Error::source(&error);
        while let Some(deeper) = cause {
            why = format!("{why}: {deeper}");
            cause = deeper.source();
        }
        // A refusal is for good, but not that of a password: that is mended in the configuration of either side.
        let signing_in = error
            .status()
            .is_some_and(|code| code.to_string().starts_with("53"));
        match error.is_permanent() && !signing_in {
            true => Err(Undelivered::ForGood(why)),
            false => Err(Undelivered::ForNow(why)),
        }
    }

    fn write(&self, reading: &Reading, message: &Message) -> Result<lettre::Message, String> {
        let published = message.published_at.0.max(0).unsigned_abs();
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        self.headers
            .clone()
            .subject(format!("[{}] {}", reading.severity.name(), reading.title))
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(published))
            // The same for every attempt: who gets it twice can tell.
            .message_id(Some(format!("<{}@rejoin>", message.id)))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(body(reading, message))
            .map_err(|why| format!("the e-mail can't be written: {why}"))
    }

    fn transport(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
        let config = &self.config;
        let (tls, port) = match config.security {
            Security::Starttls => (Tls::Required(self.tls()?), 587),
            Security::Tls => (Tls::Wrapper(self.tls()?), 465),
            Security::None => (Tls::None, 25),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&config.server)
            .port(config.port.unwrap_or(port))
            .tls(tls)
            .timeout(Some(LIMIT));
        if let Some(credentials) = &self.credentials {
            builder = builder.credentials(credentials.clone());
        }
        Ok(builder.build())
    }

    fn tls(&self) -> Result<TlsParameters, String> {
        let mut parameters = TlsParameters::builder(self.config.server.clone());
        if let Some(path) = &self.config.ca {
            let read = std::fs::read(path)
                .map_err(|why| why.to_string())
                .and_then(|pem| Certificate::from_pem(&pem).map_err(|why| why.to_string()));
            let certificate = read.map_err(|why| {
                format!("the certificate {} can't be read: {why}", path.display())
            })?;
            parameters = parameters.add_root_certificate(certificate);
        }
        parameters
            .build()
            .map_err(|why| format!("TLS to the mail server can't be set up: {why}"))
    }
}

/// A message as a letter: what happened, what is known, what to do, where to look.
fn body(reading: &Reading, message: &Message) -> String {
    let mut lines = vec![reading.text.clone(), String::new()];
    let width = reading.facts.iter().map(|(name, _)| name.chars().count());
    let width = width.max().unwrap_or_default() + 1;
    for (name, value) in &reading.facts {
        lines.push(format!("{:width$} {value}", format!("{name}:")));
    }
    if let Some(next_step) = &reading.next_step {
        lines.extend([String::new(), format!("Next: {next_step}")]);
    }
    if !reading.commands.is_empty() {
        lines.extend([String::new(), "Look further:".to_owned()]);
        lines.extend(reading.commands.iter().map(|c| format!("  {c}")));
    }
    if let Some(link) = &reading.link {
        lines.extend([String::new(), link.clone()]);
    }
    lines.extend([
        String::new(),
        "-- ".to_owned(),
        format!("{}, {}", reading.source, message.published_at),
        format!("message {}", message.id),
    ]);
    lines.join("\r\n")
}

//! Mail over real sockets.

use crate::mail_server::{Behaviour, MailServer};
use std::sync::Arc;
use tripline::alerter::smtp::{Login, Mail, Mailer, Security, Server};
use tripline::alerter::tls::Verify;

fn server(port: u16) -> Server {
    Server {
        host: "127.0.0.1".to_owned(),
        port,
        security: Security::WhenOffered,
        verify: Verify::Nothing,
        identity: None,
        login: None,
    }
}

fn mail(server: Server) -> Mail {
    Mail {
        server: Arc::new(server),
        from: "ElastAlert".to_owned(),
        recipients: vec!["a@example.com".to_owned(), "b@example.com".to_owned()],
        message: b"Subject: s\r\n\r\n.dot\r\nend\r\n".to_vec(),
    }
}

#[tokio::test]
async fn mails_share_a_connection() {
    let received = MailServer::start(Behaviour::default()).await;
    let (mailer, mail) = (Mailer::default(), mail(server(received.port)));
    for _ in 0..3 {
        mailer.send(&mail).await.unwrap();
    }
    let mails = received.take();
    assert_eq!(mails.len(), 3);
    for mail in mails {
        assert_eq!(mail.from, "ElastAlert");
        assert_eq!(mail.to, ["a@example.com", "b@example.com"]);
        assert_eq!(mail.message, "Subject: s\r\n\r\n.dot\r\nend\r\n");
        assert_eq!(mail.connection, 0);
    }
}

#[tokio::test]
async fn a_connection_closed_meanwhile_is_replaced() {
    let received = MailServer::start(Behaviour {
        close_after: Some(1),
        ..Behaviour::default()
    })
    .await;
    let (mailer, mail) = (Mailer::default(), mail(server(received.port)));
    for _ in 0..3 {
        mailer.send(&mail).await.unwrap();
    }
    let connections: Vec<usize> = received.take().iter().map(|mail| mail.connection).collect();
    assert_eq!(connections, [0, 1, 2]);
}

#[tokio::test]
async fn tls_from_the_start_and_when_offered() {
    for (behaviour, security) in [
        (
            Behaviour {
                tls: true,
                ..Behaviour::default()
            },
            Security::Always,
        ),
        (
            Behaviour {
                starttls: true,
                ..Behaviour::default()
            },
            Security::WhenOffered,
        ),
    ] {
        let received = MailServer::start(behaviour).await;
        let mut server = server(received.port);
        server.security = security;
        Mailer::default().send(&mail(server.clone())).await.unwrap();
        assert!(received.take()[0].tls);
        server.verify = Verify::System;
        let error = Mailer::default().send(&mail(server)).await.unwrap_err();
        assert!(error.to_string().contains("certificate"), "{error}");
        assert!(received.take().is_empty());
    }
}

#[tokio::test]
async fn a_login_is_tried_and_its_password_never_told() {
    let received = MailServer::start(Behaviour {
        login: Some(("mailer".to_owned(), "secret".to_owned())),
        ..Behaviour::default()
    })
    .await;
    let login = |password: &str| Server {
        login: Some(Login {
            user: "mailer".to_owned(),
            password: password.to_owned(),
        }),
        ..server(received.port)
    };
    Mailer::default()
        .send(&mail(login("secret")))
        .await
        .unwrap();
    assert_eq!(received.take()[0].user.as_deref(), Some("mailer"));
    let mail = mail(login("wr0ng"));
    let error = Mailer::default().send(&mail).await.unwrap_err();
    assert!(
        error.to_string().contains("login of mailer refused"),
        "{error}"
    );
    assert!(!format!("{error} {error:?} {mail:?}").contains("wr0ng"));
    assert!(received.take().is_empty());
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_others() {
    let received = MailServer::start(Behaviour {
        refused: vec!["a@example.com".to_owned()],
        ..Behaviour::default()
    })
    .await;
    let (mailer, mut mail) = (Mailer::default(), mail(server(received.port)));
    mailer.send(&mail).await.unwrap();
    assert_eq!(received.take()[0].to, ["b@example.com"]);
    mail.recipients.truncate(1);
    let error = mailer.send(&mail).await.unwrap_err();
    assert!(error.to_string().contains("550"), "{error}");
    assert!(received.take().is_empty());
}

#[tokio::test]
async fn no_address_can_add_a_command() {
    let received = MailServer::start(Behaviour::default()).await;
    let mut mail = mail(server(received.port));
    mail.recipients = vec!["a@example.com>\r\nRCPT TO:<evil@example.com".to_owned()];
    Mailer::default().send(&mail).await.unwrap_err();
    assert!(received.take().is_empty());
}

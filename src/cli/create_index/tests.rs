use super::*;
use clap::Parser as _;
use tempfile::TempDir;

#[derive(clap::Parser)]
struct Command {
    #[command(flatten)]
    args: Args,
}

fn args(words: &[&str]) -> Args {
    Command::try_parse_from(std::iter::once(&"elastalert-create-index").chain(words))
        .unwrap()
        .args
}

fn no_file(directory: &TempDir) -> Configured {
    Configured {
        file: None,
        es: None,
        writeback_index: None,
        store: directory.path().join("state"),
    }
}

/// Plans with these answers typed; gives the plan and what was printed.
fn ask(words: &[&str], answers: &str) -> (anyhow::Result<Plan>, String) {
    let directory = TempDir::new().unwrap();
    let (mut input, mut output) = (answers.as_bytes(), Vec::new());
    let mut terminal = Terminal {
        input: Some(&mut input),
        output: &mut output,
        secret: || Ok("secret".to_owned()),
    };
    let plan = plan(&args(words), &no_file(&directory), &mut terminal);
    (plan, String::from_utf8(output).unwrap())
}

fn run_quietly(words: &[&str], configured: &Configured) -> (u8, String, String) {
    let (mut output, mut problems) = (Vec::new(), Vec::new());
    let mut terminal = Terminal {
        input: None,
        output: &mut output,
        secret: || Ok(String::new()),
    };
    let code = run(&args(words), configured, &mut terminal, &mut problems);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(output), text(problems))
}

#[test]
fn options_win_over_the_configuration() {
    let directory = TempDir::new().unwrap();
    let configured = Configured {
        file: Some("config.yaml".into()),
        es: Some(EsConfig {
            hosts: vec!["es1".into(), "es2".into()],
            port: 9201,
            use_ssl: true,
            url_prefix: "es".into(),
            credentials: Credentials::Basic {
                username: "elastic".into(),
                password: "old".into(),
            },
            ..EsConfig::default()
        }),
        writeback_index: Some("wb".into()),
        ..no_file(&directory)
    };
    let mut terminal = Terminal {
        input: None,
        output: &mut Vec::new(),
        secret: || Ok(String::new()),
    };
    let unchanged = plan(&args(&[]), &configured, &mut terminal).unwrap();
    let es = unchanged.es.unwrap();
    assert_eq!((es.hosts.len(), es.port, es.use_ssl), (2, 9201, true));
    assert_eq!(
        (&*unchanged.index, unchanged.existing),
        ("wb", Existing::Keep)
    );
    assert_eq!(es.timeout, Duration::from_secs(60));

    let words = "--host other --port 9300 --no-ssl --no-verify-certs --password new --url-prefix= \
                 --index mine --old-index theirs --recreate True --timeout 5";
    let words: Vec<&str> = words.split_whitespace().collect();
    let changed = plan(&args(&words), &configured, &mut terminal).unwrap();
    let es = changed.es.unwrap();
    assert_eq!((&*es.hosts[0], es.port, es.use_ssl), ("other", 9300, false));
    assert_eq!((es.verify_certs, &*es.url_prefix), (false, ""));
    assert_eq!(
        es.credentials,
        Credentials::Basic {
            username: "elastic".into(),
            password: "new".into()
        }
    );
    assert_eq!(changed.index, "mine");
    assert_eq!(changed.old_index.as_deref(), Some("theirs"));
    assert_eq!(changed.existing, Existing::Replace);
}

#[test]
fn recreate_false_means_false() {
    assert!(!args(&["--recreate", "False"]).recreate);
    assert!(args(&["--recreate"]).recreate);
    assert!(!args(&[]).recreate);
}

#[test]
fn an_api_key_wins_over_the_rest() {
    let words = ["--api-key", "k", "--bearer", "b", "--username", "u"];
    let credentials = args(&words).credentials(&Credentials::None);
    assert_eq!(credentials, Some(Credentials::ApiKey("k".into())));
    assert_eq!(args(&[]).credentials(&Credentials::None), None);
}

#[test]
fn a_terminal_is_asked_in_elastalerts_words() {
    let (plan, printed) = ask(&[], "es1\n9200\nt\nf\nelastic\nprefix\n\nold\n");
    let plan = plan.unwrap();
    let es = plan.es.unwrap();
    assert_eq!(
        (&*es.hosts[0], es.port, es.use_ssl, es.verify_certs),
        ("es1", 9200, true, false)
    );
    assert_eq!(
        es.credentials,
        Credentials::Basic {
            username: "elastic".into(),
            password: "secret".into()
        }
    );
    assert_eq!(
        (&*plan.index, plan.old_index.as_deref()),
        ("elastalert_status", Some("old"))
    );
    assert_eq!(
        printed,
        "Enter Elasticsearch host: Enter Elasticsearch port: Use SSL? t/f: Verify TLS certificates? t/f: \
         Enter optional basic-auth username (or leave blank): Enter optional basic-auth password (or leave blank): \
         Enter optional Elasticsearch URL prefix (prepends a string to the URL of every request): \
         New index name? (Default elastalert_status) Name of existing index to copy? (Default None) "
    );
}

#[test]
fn what_options_say_is_not_asked() {
    let words = "--host h --port 1 --no-ssl --no-auth --url-prefix= --index i --old-index=";
    let words: Vec<&str> = words.split_whitespace().collect();
    let (plan, printed) = ask(&words, "");
    assert_eq!(plan.unwrap().index, "i");
    assert_eq!(printed, "");
}

#[test]
fn no_host_means_the_embedded_store_and_a_bad_port_is_said() {
    assert!(ask(&[], "\n").0.unwrap().es.is_none());
    let error = ask(&[], "h\nx\n").0.unwrap_err();
    assert_eq!(error.to_string(), "\"x\" is not a port number");
}

#[test]
fn without_a_server_the_embedded_store_is_made_once() {
    let directory = TempDir::new().unwrap();
    let configured = no_file(&directory);
    let (code, printed, _) = run_quietly(&[], &configured);
    assert_eq!(code, 0);
    assert!(printed.contains("using the embedded store"), "{printed}");
    assert!(printed.ends_with("Done!\n"), "{printed}");
    assert!(Documents::exist(&configured.store));

    let open = Documents::open(&configured.store, Forwarding::Off).unwrap();
    let (code, printed, _) = run_quietly(&[], &configured);
    assert_eq!(code, 0);
    assert!(printed.contains("already exists"), "{printed}");
    let (code, _, problems) = run_quietly(&["--recreate", "True"], &configured);
    assert_eq!(code, 1);
    assert!(
        problems.contains("another tripline uses the store"),
        "{problems}"
    );
    drop(open);
    let (code, printed, _) = run_quietly(&["--recreate", "True"], &configured);
    assert_eq!(code, 0);
    assert!(printed.contains("Deleting the store"), "{printed}");
}

#[test]
fn what_cannot_be_done_is_an_error_not_silence() {
    let directory = TempDir::new().unwrap();
    let configured = no_file(&directory);
    for (words, expected) in [
        (&["--old-index", "a"][..], "--old-index copies within"),
        (&["--host", "h", "--aws-region", "r"], "signed for AWS"),
        (
            &["--host", "127.0.0.1", "--port", "1"],
            "127.0.0.1:1 is not reachable",
        ),
    ] {
        let (code, _, problems) = run_quietly(words, &configured);
        assert_eq!(code, 1);
        assert!(problems.contains(expected), "{problems}");
    }
}

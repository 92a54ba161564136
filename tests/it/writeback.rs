//! Writeback to real servers: forwarding through outages, reading state back, reading a rule's index.

mod forwarder;
mod reading;
mod tls;

use crate::support::http::{block_on, request};
use serde_json::Value;
use tripline::engine::{Index, Op, Write};
use tripline::writeback::{Client, EsConfig};

fn client(url: &str) -> Client {
    let config = EsConfig {
        hosts: vec![url.to_owned()],
        ..EsConfig::default()
    };
    Client::new(&config).unwrap()
}

fn put(index: Index, id: &str, document: Value) -> Write {
    let Value::Object(document) = document else {
        panic!("not an object")
    };
    Write {
        index,
        id: id.into(),
        op: Op::Put(document),
    }
}

fn delete(index: Index, id: &str) -> Write {
    Write {
        index,
        id: id.into(),
        op: Op::Delete,
    }
}

/// The ids in an index, sorted.
fn ids(url: &str, index: &str) -> Vec<String> {
    block_on(async {
        request("POST", &format!("{url}/{index}/_refresh"), None).await;
        let (_, answer) = request("GET", &format!("{url}/{index}/_search?size=1000"), None).await;
        let hits = answer["hits"]["hits"].as_array().unwrap();
        let mut ids: Vec<String> = hits
            .iter()
            .map(|hit| hit["_id"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    })
}

//! Photographs by their addresses: fetched where that is allowed, and from nowhere else.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::json;

use super::server::*;
use crate::run::fails;

/// Answers each connection by its path, for as long as the test runs.
fn photographs() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer(stream.unwrap()));
        }
    });
    address
}

fn answer(mut stream: TcpStream) {
    let mut first = String::new();
    BufReader::new(stream.try_clone().unwrap()).read_line(&mut first).unwrap();
    let path = first.split(' ').nth(1).unwrap_or_default();
    let leads = |to: &str| format!("HTTP/1.1 302 Found\r\nlocation: {to}\r\n\r\n").into_bytes();
    let whole = |bytes: &[u8]| [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", bytes].concat();
    let bytes = match path {
        "/photos/dot.png" | "/secret.png" => whole(&png(64, [1, 2, 3])),
        "/photos/inside" => leads("dot.png"),
        "/photos/out" => leads("/secret.png"),
        "/photos/away" => leads("http://localhost:1/photos/dot.png"),
        "/photos/circle" => leads("circle"),
        "/photos/text" => whole(b"no picture"),
        "/photos/long" => whole(&[0; 300_000]),
        "/photos/slow" => {
            std::thread::sleep(Duration::from_secs(20));
            return;
        }
        _ => b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n".to_vec(),
    };
    // A client that has enough goes away.
    let _ = stream.write_all(&bytes);
}

#[test]
fn only_what_is_allowed_is_fetched() {
    let host = photographs();
    let allowed = format!("{host}/photos/");
    let args =
        ["--device", "cpu", "--allow-url", &allowed, "--max-body", "200kB", "--timeout", "2"];
    let server = Server::start(&args);
    let url = data_url(&png(64, [1, 2, 3]));
    let expected = server.ask(&json!({ "input": url })).embeddings();
    let at = |path: &str| format!("{host}/photos/{path}");
    let part = json!({ "type": "image_url", "image_url": { "url": at("inside") } });
    let asked = json!({ "input": [at("dot.png"), url, part] });
    assert_eq!(server.ask(&asked).embeddings(), vec![expected[0].clone(); 3]);
    for (address, why) in [
        (format!("{host}/secret.png"), "not among those that are fetched"),
        (at("../secret.png"), "not among those that are fetched"),
        ("http://localhost:1/photos/dot.png".into(), "not among those that are fetched"),
        (at("out"), "it leads to an address that is not among those that are fetched"),
        (at("away"), "it leads to an address that is not among those that are fetched"),
        (at("circle"), "redirected in a circle"),
        (at("none.png"), "the server answers 404"),
        (at("long"), "more than 200000 bytes"),
        (at("slow"), "no answer: timeout"),
        (at("text"), "not a picture this program can read"),
    ] {
        let start = Instant::now();
        let reply = server.ask(&json!({ "input": [url, address] }));
        assert_eq!(reply.status, 400, "{address}: {}", reply.text);
        let error = &reply.json()["error"];
        let said = error["message"].as_str().unwrap();
        assert!(said.starts_with("input[1]: ") && said.contains(why), "{address}: {said}");
        assert!(start.elapsed() < Duration::from_secs(10), "{address}: {:?}", start.elapsed());
    }
    assert_eq!(server.ask(&json!({ "input": url })).embeddings(), expected);
    server.stop();
    fails(&["serve", "--allow-url", "example.org"], "example.org: expected an address as https");
}

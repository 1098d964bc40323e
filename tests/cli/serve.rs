//! `serve`: embeddings over HTTP, as its clients meet it.
#![allow(clippy::unwrap_used, reason = "tests")]

mod addresses;
mod faults;
mod load;
mod server;

use std::process::Command;

use internvit::features::unit;
use internvit::{Checkpoint, Device, Encoder, Tensor, Words};
use serde_json::{Value, json};

use crate::classify::with_words;
use crate::common::*;
use crate::run::*;
use server::*;

/// What the library computes of a photograph and of texts, by a model with a tower for each.
fn expected(model: &std::path::Path, photo: &[u8], texts: &[&[u32]]) -> (Vec<f32>, Vec<Vec<f32>>) {
    let checkpoint = wait(wait(Checkpoint::open_path(model)).unwrap().with_text()).unwrap();
    let mut encoder = wait(Encoder::load(checkpoint, &Device::Cpu, &mut on_bytes)).unwrap();
    let photo = internvit::image::decode("photo", photo).unwrap();
    let found = wait(encoder.whole(&photo)).unwrap();
    let image = unit(found.image_features(encoder.spec().image_features()).unwrap()).values;
    let words: Vec<Words> = texts
        .iter()
        .map(|ids| Words {
            ids: encoder.checkpoint().text().unwrap().fitted(ids.to_vec(), 0),
            attended: None,
        })
        .collect();
    let Tensor { shape, values } =
        unit(&wait(encoder.read_texts(&words)).unwrap()["text_features"]);
    (image, values.chunks(shape[1]).map(<[f32]>::to_vec).collect())
}

/// A form of parts: headers behind `form-data; `, and bytes.
fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (head, body) in parts {
        bytes.extend(format!("--edge\r\ncontent-disposition: form-data; {head}\r\n\r\n").bytes());
        bytes.extend(*body);
        bytes.extend(b"\r\n");
    }
    bytes.extend(b"--edge--\r\n");
    bytes
}

const FORM: (&str, &str) = ("content-type", "multipart/form-data; boundary=edge");

/// Every form of a request gives what the library computes, to the last bit.
#[test]
fn photographs_and_texts() {
    let cat = std::fs::read(sample("chelsea.png")).unwrap();
    for case in ["clip_quick_gelu", "siglip"] {
        let model = with_words(case);
        let (image, texts) = expected(&model, &cat, &[&[3, 6], &[8, 9]]);
        let server =
            Server::start(&["--model", text(&model), "--name", "two-towers", "--device", "cpu"]);
        let url = data_url(&cat);
        let asked = json!({ "model": "two-towers", "user": "somebody", "input": [
            "a cat",
            { "type": "image_url", "image_url": { "url": url, "detail": "auto" } },
            { "type": "text", "text": "red car" },
            { "type": "input_image", "image_url": url },
        ]});
        let reply = server.ask(&asked);
        let wanted = [&texts[0], &image, &texts[1], &image].map(Clone::clone);
        assert_eq!(reply.embeddings(), wanted, "{case}");
        let body = reply.json();
        assert_eq!((&body["object"], &body["model"]), (&json!("list"), &json!("two-towers")));
        let tokens = body["usage"]["prompt_tokens"].as_u64().unwrap();
        assert!(tokens > 4 && body["usage"]["total_tokens"] == tokens, "{}", body["usage"]);
        // Packed, as OpenAI's clients ask for it.
        let mut packed = asked;
        packed["encoding_format"] = json!("base64");
        packed["dimensions"] = json!(image.len());
        let reply = server.ask(&packed);
        assert!(reply.json()["data"][0]["embedding"].is_string());
        assert_eq!(reply.embeddings(), wanted, "{case}");
        // A photograph alone, a text alone.
        let alone = server.ask(&json!({ "input": url })).embeddings();
        assert_eq!(alone, std::slice::from_ref(&image));
        let text = json!({ "input": "a cat", "model": null });
        assert_eq!(server.ask(&text).embeddings(), [texts[0].clone()]);
        // An address alone is a photograph's, which is not fetched; as a text it has to be called one.
        let address = "https://example.org/cat.jpg";
        let reply = server.ask(&json!({ "input": [address] }));
        assert_eq!(reply.status, 400);
        assert!(reply.text.contains("input[0]: addresses are not fetched here"), "{}", reply.text);
        let called = json!({ "input": [{ "type": "text", "text": address }] });
        assert_eq!(server.ask(&called).embeddings().len(), 1);
        // The same by a form.
        let parts: [(&str, &[u8]); 4] = [
            ("name=\"image\"; filename=\"cat.png\"", &cat),
            ("name=\"input\"", b"a cat"),
            ("name=\"model\"", b"two-towers"),
            ("name=\"encoding_format\"", b"base64"),
        ];
        let reply = server.post(&form(&parts), &[FORM]);
        assert_eq!(reply.embeddings(), [image, texts[0].clone()], "{case}");
        let described = &server.get("/v1/models", &[]).json()["data"][0];
        assert_eq!(described["inputs"], json!(["image", "text"]));
        server.stop();
    }
}

/// Of a model without texts the vector is what `encode` pools.
#[test]
fn a_model_of_photographs_alone() {
    let out = scratch("pooled").join("f.safetensors");
    ok(&["encode", text(&sample("coffee.png")), "--device", "cpu", "--out", text(&out)]);
    let pooled = tensors(&out).remove("pooler_output").unwrap().values;
    let server = Server::start(&["--device", "cpu"]);
    let coffee = std::fs::read(sample("coffee.png")).unwrap();
    assert_eq!(server.ask(&json!({ "input": data_url(&coffee) })).embeddings(), [pooled]);
    let described = server.get("/v1/models/internvit-tiny", &[]).json();
    assert_eq!(described["id"], "internvit-tiny");
    assert_eq!(
        (described["dimensions"].as_u64(), &described["inputs"]),
        (Some(192), &json!(["image"]))
    );
    let health = server.get("/healthz", &[]);
    assert_eq!((health.status, health.json()), (200, json!({ "status": "ok", "waiting": 0 })));
    let reply = server.ask(&json!({ "input": "a cat" }));
    assert_eq!(reply.status, 400);
    let message = reply.json()["error"]["message"].as_str().unwrap().to_string();
    assert!(message.starts_with("input[0]: a text, and internvit-tiny reads none"), "{message}");
    // The example, as a new user runs it.
    let photos = [sample("chelsea.png"), sample("coffee.png"), sample("chelsea.png")];
    let mut example = Command::new("node");
    example.arg(root().join("docs/examples/embeddings.mjs")).arg(&server.address).args(&photos);
    let output = example.output().expect("Node runs the example");
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let scores: Vec<&str> = said.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!((scores.len(), scores[0]), (2, "1.0000"), "{said}");
    assert!(said.lines().next().unwrap().ends_with("chelsea.png"), "{said}");
    let (lines, _) = server.stop();
    let statuses: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, [200, 200, 200, 400, 200, 200, 200]);
    assert_eq!((&lines[0]["inputs"], &lines[0]["path"]), (&json!(1), &json!("/v1/embeddings")));
}

/// Requests that come while the device is at work go through it together.
#[test]
fn requests_are_encoded_together() {
    let server = Server::start(&["--device", "cpu", "--max-batch", "16"]);
    let alone: Vec<Vec<f32>> = (0..4)
        .map(|colour| data_url(&png(50, [colour * 60, 9, 200])))
        .flat_map(|url| server.ask(&json!({ "input": url })).embeddings())
        .collect();
    let before = server.metric("batches_total");
    assert_eq!(before, 4);
    std::thread::scope(|scope| {
        for client in 0..24 {
            let (server, alone) = (&server, &alone);
            scope.spawn(move || {
                let colour = client % 4;
                let url = data_url(&png(50, [colour * 60, 9, 200]));
                let found = server.ask(&json!({ "input": url })).embeddings();
                assert_eq!(found, [alone[usize::from(colour)].clone()], "client {client}");
            });
        }
    });
    let runs = server.metric("batches_total") - before;
    assert!((2..=12).contains(&runs), "24 photographs in {runs} runs");
    assert_eq!(server.metric("inputs_total{kind=\"photograph\"}"), 28);
    server.stop();
}

/// What was asked before a server is stopped is answered; then it ends, and has nothing to say.
#[test]
fn it_stops_when_all_is_answered() {
    for signal in ["-INT", "-TERM"] {
        let server = Server::start(&["--device", "cpu"]);
        let url = data_url(&png(64, [1, 2, 3]));
        let mut stream = server.send(&json!({ "input": vec![url; 12] }));
        let idle = server.connect();
        server.until("waiting", |waiting| waiting == 12);
        server.signal(signal);
        let answer = answered(&mut stream);
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{signal}: {answer}");
        let (status, lines, notes) = server.end();
        assert!(status.success() && notes.is_empty(), "{signal}: {status}: {notes}");
        let posts: Vec<&Value> = lines.iter().filter(|line| line["method"] == "POST").collect();
        assert_eq!((posts.len(), &posts[0]["status"]), (1, &json!(200)), "{signal}");
        drop(idle);
    }
    // A place that is taken is told at once.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    fails(&["serve", "--device", "cpu", "--port", &port], "127.0.0.1:");
}

/// A device that is lost is opened again, for photographs as for texts, and the answers are the same.
#[test]
fn a_lost_device_is_opened_again() {
    if gpu().is_none() {
        return;
    }
    let model = with_words("clip_quick_gelu");
    let args = ["--model", text(&model), "--device", "gpu"];
    let url = data_url(&std::fs::read(sample("chelsea.png")).unwrap());
    let asked = [json!({ "input": url }), json!({ "input": ["a cat", "red car"] })];
    let server = Server::start(&args);
    let whole = asked.each_ref().map(|asked| server.ask(asked).embeddings());
    server.stop();
    for lost in ["1", "8", "20,40"] {
        let server = Server::start_with(&args, &[("INTERNVIT_LOSE_AFTER", lost)]);
        for round in 0..20 {
            for (asked, whole) in asked.iter().zip(&whole) {
                assert_eq!(
                    server.ask(asked).embeddings(),
                    *whole,
                    "lost after {lost}, round {round}"
                );
            }
        }
        assert_eq!(server.get("/healthz", &[]).status, 200);
        // The first encoding is the server's own, before it listens.
        let (lines, notes) = server.stop();
        let told = lines.iter().filter_map(|line| line["text"].as_str()).chain(notes.lines());
        let told: Vec<&str> = told.filter(|text| text.contains("opened again")).collect();
        assert_eq!(told.len(), lost.split(',').count(), "{lost}: {lines:?} {notes}");
    }
}

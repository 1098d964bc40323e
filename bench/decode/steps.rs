//! An answer of a model in a folder on a device, token by token and several a submission, in turn:
//! `cargo bench --bench decode -- steps DIR [int8]`.

use std::ops::ControlFlow;
use std::path::Path;
use std::time::Instant;

use internvit::gpu::{Choice, Gpu};
use internvit::language::{Answering, Said, Talk};
use internvit::{Checkpoint, Encoder, Precision};

/// Tokens of an answer.
const TOKENS: usize = 64;

/// Rounds, of which the first warms up.
const ROUNDS: usize = 10;

/// Seconds that a submission may take: none, and as many as it wants.
const TIMES: [(&str, f64); 2] = [("one by one", 0.0), ("at once", 1e9)];

pub(super) async fn main(folder: &str, precision: Precision) {
    let mut encoders = Vec::new();
    for (_, submission) in TIMES {
        let mut gpu = Gpu::open_as(&Choice::Auto, precision).await.unwrap();
        gpu.submission = submission;
        let checkpoint = Checkpoint::open_path(Path::new(folder)).await.unwrap();
        let checkpoint = checkpoint.with_language().await.unwrap();
        let go_on = &mut async |_, _| ControlFlow::Continue(());
        encoders.push(Encoder::load(checkpoint, gpu, go_on).await.unwrap());
    }
    let (mut seconds, mut submissions) = ([Vec::new(), Vec::new()], [0; 2]);
    for round in 0..ROUNDS {
        let mut answers = Vec::new();
        for (at, encoder) in encoders.iter_mut().enumerate() {
            let before = encoder.gpu().unwrap().submissions();
            let start = Instant::now();
            answers.push(answer(encoder).await);
            if round > 0 {
                seconds[at].push(start.elapsed().as_secs_f64());
            }
            submissions[at] = encoder.gpu().unwrap().submissions() - before;
        }
        assert_eq!(answers[0], answers[1], "the same tokens");
    }
    let name = &encoders[0].gpu().unwrap().report.name;
    println!("{folder} in {} on {name}: medians of {} answers", precision.name(), ROUNDS - 1);
    for (at, (name, _)) in TIMES.iter().enumerate() {
        seconds[at].sort_by(f64::total_cmp);
        let token = seconds[at][seconds[at].len() / 2] / TOKENS as f64;
        let rate = submissions[at] as f64 / TOKENS as f64;
        println!("{name:10} {:>7.2} ms a token, {rate:.2} submissions", 1e3 * token);
    }
}

/// Behind a prompt of three tokens.
async fn answer(encoder: &mut Encoder) -> Vec<u32> {
    let mut talk = Talk::default();
    talk.say(encoder, &[5, 6, 7], None).unwrap();
    let how = Answering { most: TOKENS, ..Answering::default() };
    let on = &mut async |_: usize, _: usize| ControlFlow::Continue(());
    talk.answer(encoder, &how, on, &mut |_: Said<'_>| ControlFlow::Continue(())).await.unwrap()
}

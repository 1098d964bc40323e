//! `internvit chat`

mod given;
mod looked;
mod pictures;
mod tokens;

use std::io::{BufRead, IsTerminal};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use internvit::language::{
    Answering, Piece, Role, Said, Sampling, Talk, Template, places, spelled,
};
use internvit::{Encoder, Error, Result};
use serde_json::json;

use super::background::Background;
use super::compute::Compute;
use super::guard::Guard;
use super::model::Model;
use super::progress::Share;
use super::{print_json, tell, terminal};
use looked::Looked;
use pictures::{Seen, Shown};
use tokens::Tokens;

/// A conversation about photographs, with an InternVL.
///
/// With a question it answers once; without one it reads a question a line from standard input, and each
/// answer knows what was said before. Ctrl-C ends an answer, and where none is being written the
/// conversation. A folder among the images is a video: its photographs, in the order of their names, are frames. Where
/// the question says <image>, the pictures are there: one for each, or one for all of them.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  internvit chat cat.jpg \"What is it?\" --model OpenGVLab/InternVL3-1B\n  \
    internvit chat a.png b.png --model DIR --system \"You are terse.\"\n  \
    internvit chat cat.jpg --model InternVL3-1B-Q8_0.gguf --projector mmproj-InternVL3-1B-F16.gguf --dtype int8\n  \
    internvit chat --inputs inputs.safetensors --model DIR --max-new-tokens 12 --out outputs.safetensors"
)]
pub(super) struct Args {
    /// Photographs, or folders of a video's frames; then the question, where it names no file
    #[arg(value_name = "IMAGE… PROMPT", conflicts_with = "inputs")]
    words: Vec<String>,
    #[command(flatten)]
    model: Model,
    /// What the model is told before the conversation; what it learned to be told if left out
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// Tiles into which a photograph is cut at most; for all photographs together as the model's settings say, else 12, if left
    /// out
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=256))]
    max_tiles: Option<u32>,
    /// Frames of a video at most
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=256))]
    frames: u32,
    /// Tokens of an answer at most
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = clap::value_parser!(u32).range(1..))]
    max_new_tokens: u32,
    /// Draw tokens at random, the likelier the colder; the likeliest if left out
    #[arg(long, value_name = "T", value_parser = positive)]
    temperature: Option<f64>,
    /// Draw among the likeliest alone whose probabilities make this together
    #[arg(long, value_name = "P", value_parser = share)]
    top_p: Option<f64>,
    /// Draw among so many of the likeliest alone
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    top_k: Option<u32>,
    /// The same seed draws the same tokens
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    background: Background,
    #[command(flatten)]
    compute: Compute,
    /// A .safetensors file with pixel_values and input_ids in place of a question: exactly --max-new-tokens
    /// tokens follow
    #[arg(long, value_name = "FILE", requires = "out")]
    inputs: Option<PathBuf>,
    /// With --inputs: where to write visual_tokens, inputs_embeds, logits, generated and generated_logits
    #[arg(long, value_name = "FILE.safetensors", requires = "inputs")]
    out: Option<PathBuf>,
    /// Where to write what each token of the answer looked at: attention [tokens, layers, heads, visual tokens of all
    /// photographs]
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "inputs")]
    attention: Option<PathBuf>,
    /// Print prompt, input_ids, generated and answer as one JSON object for each answer; with --inputs input_ids and
    /// generated
    #[arg(long)]
    json: bool,
}

fn positive(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| (0.0..=100.0).contains(number));
    number.ok_or_else(|| "expected a number from 0 to 100".into())
}

fn share(text: &str) -> std::result::Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && *number <= 1.0);
    number.ok_or_else(|| "expected a number above 0, up to 1".into())
}

/// How far a turn is, which Ctrl-C ends.
static TURN: AtomicU8 = AtomicU8::new(NONE);

/// No answer is waited for.
const NONE: u8 = 0;
const GOING: u8 = 1;
/// It ends at the next step.
const ENDING: u8 = 2;

/// When the last answer that Ctrl-C ended was over.
static ENDED: Mutex<Option<Instant>> = Mutex::new(None);

/// A key that is pressed twice within this time was meant for the answer alone.
const TWICE: Duration = Duration::from_millis(500);

/// Ends the answer that is waited for, if there is one; tells whether there is, also where it ends already or has
/// just ended so.
pub(super) fn end_answer() -> bool {
    let found = TURN.compare_exchange(GOING, ENDING, Ordering::SeqCst, Ordering::SeqCst);
    let just = || ENDED.lock().is_ok_and(|ended| ended.is_some_and(|at| at.elapsed() < TWICE));
    found != Err(NONE) || just()
}

/// No answer is waited for any more.
fn end_turn() {
    let ended = TURN.load(Ordering::SeqCst) == ENDING;
    if let (true, Ok(mut at)) = (ended, ENDED.lock()) {
        *at = Some(Instant::now());
    }
    TURN.store(NONE, Ordering::SeqCst);
}

/// Whether a turn goes on.
fn goes_on() -> ControlFlow<()> {
    match TURN.load(Ordering::SeqCst) {
        ENDING => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    }
}

pub(super) async fn run(args: Args) -> Result<()> {
    let shown = Shown::split(&args.words, args.frames)?;
    let guard =
        Guard::default().reads(shown.files()).reads(args.model.inputs()).reads(&args.inputs);
    let guard = guard.writes(args.out.as_deref(), &["safetensors"])?;
    let guard = guard.writes(args.attention.as_deref(), &["safetensors"])?;
    guard.check()?;
    if args.attention.is_some() && shown.question.is_none() {
        return Err(Error::input(
            "--attention is of one answer: give the question, last, in quotes",
        ));
    }
    if args.attention.is_some() && shown.files().next().is_none() {
        return Err(Error::input("--attention is of photographs: name one before the question"));
    }
    if args.compute.streams() {
        return Err(Error::input(
            "--stream-layers: every word would read the model again; leave it out, and take --dtype int8 or int4 for less \
             memory",
        ));
    }
    let checkpoint = args.model.open_speaking().await?;
    guard.keeps_model(&checkpoint)?;
    if shown.files().next().is_some() {
        checkpoint.sees()?;
    }
    if let Some(file) = &args.inputs {
        return given::run(checkpoint, file, &args).await;
    }
    let template = Template::of(&format!("{}/config.json", checkpoint.name()), &checkpoint.config)?;
    let tokens = Tokens::beside(&checkpoint, &template)?;
    let mut encoder = args.compute.load(checkpoint).await?;
    let mut seen = shown.cut(&encoder, &args)?;
    let mut chat = Chat { args: &args, template, tokens, talk: Talk::default() };
    // Before anything is computed.
    let prompt = chat.prompt(shown.question.as_deref().unwrap_or_default(), &seen)?;
    chat.talk.takes(&encoder, &prompt.ids)?;
    if let Some(question) = &shown.question {
        return match chat.turn(&mut encoder, question, &mut seen).await {
            Err(Error::Cancelled) => super::stop(),
            done => done,
        };
    }
    chat.converse(&mut encoder, &mut seen).await
}

impl Args {
    fn sampling(&self) -> Sampling {
        let drawn = self.top_p.is_some() || self.top_k.is_some();
        Sampling {
            temperature: self.temperature.unwrap_or(if drawn { 1.0 } else { 0.0 }),
            top_k: self.top_k.unwrap_or(0) as usize,
            top_p: self.top_p.unwrap_or(1.0),
            seed: self.seed,
            ..Sampling::default()
        }
    }
}

/// A conversation.
struct Chat<'a> {
    args: &'a Args,
    template: Template,
    tokens: Tokens,
    talk: Talk,
}

impl Chat<'_> {
    /// Answers standard input line by line, to its end or an empty line.
    async fn converse(&mut self, encoder: &mut Encoder, seen: &mut Seen) -> Result<()> {
        let ask = || {
            if std::io::stdin().is_terminal() {
                report!("(a question; an empty line ends)");
            }
        };
        ask();
        let (mut asked, mut failed) = (0, 0);
        for line in std::io::stdin().lock().split(b'\n') {
            let mut line = line.map_err(|e| Error::io("standard input", e))?;
            line.pop_if(|last| *last == b'\r');
            // What was said before is kept, whatever becomes of an answer.
            let done = match String::from_utf8(line) {
                Ok(line) if line.trim().is_empty() => break,
                Ok(line) => self.turn(encoder, &line, seen).await,
                Err(_) => Err(Error::input("the question is no text in UTF-8: not asked")),
            };
            match done {
                Ok(()) => asked += 1,
                Err(Error::Cancelled) => report!("(stopped before a word was said: not asked)"),
                Err(error) => {
                    super::complain(&error);
                    (asked, failed) = (asked + 1, failed + 1);
                }
            }
            ask();
        }
        match asked == failed && failed > 0 {
            true => {
                Err(Error::input(format!("none of the questions asked ({asked}) has an answer")))
            }
            false => Ok(()),
        }
    }

    /// A question and its answer. Where it fails the question was not asked.
    async fn turn(&mut self, encoder: &mut Encoder, question: &str, seen: &mut Seen) -> Result<()> {
        let before = self.talk.ids().len();
        TURN.store(GOING, Ordering::SeqCst);
        let done = self.ask(encoder, question, seen).await;
        end_turn();
        if done.is_err() {
            // The pictures are of the first question.
            self.talk.take_back(before, if before == 0 { 0 } else { usize::MAX });
        }
        done
    }

    /// The prompt of a question, behind what was said: with the pictures where it is the first.
    fn prompt(&self, question: &str, seen: &Seen) -> Result<Prompt> {
        let Some(last) = self.talk.ids().last() else {
            let question = seen.question(&self.template, question);
            let tokens = places(&question, &seen.tokens)?;
            let system = self.args.system.as_deref();
            let pieces = self.template.prompt(system, &[(Role::User, question)], tokens.len());
            let mut prompt = Prompt::new(&self.tokens, &pieces, &tokens)?;
            prompt.ids.splice(0..0, self.tokens.begin.iter().copied());
            return Ok(prompt);
        };
        let ended = self.tokens.stops.first() == Some(last);
        Prompt::new(&self.tokens, &self.template.next(ended, question, [0, 0]), &[])
    }

    async fn ask(&mut self, encoder: &mut Encoder, question: &str, seen: &mut Seen) -> Result<()> {
        let prompt = self.prompt(question, seen)?;
        let first = self.talk.ids().is_empty();
        if first {
            self.talk.takes(encoder, &prompt.ids)?;
            // Here a stop ends the question alone.
            seen.look(encoder).await?;
        }
        self.talk.say(encoder, &prompt.ids, seen.visual.as_ref().filter(|_| first))?;
        let how = Answering {
            sampling: self.args.sampling(),
            stops: self.tokens.stops.clone(),
            most: self.args.max_new_tokens as usize,
            picture: self.tokens.picture(),
            attention: self.args.attention.is_some(),
            ..Answering::default()
        };
        let mut looked = Looked::new(self.talk.places(&how));
        let room = self.talk.room(encoder)?;
        if room < how.most {
            note!("the model's context leaves room for an answer of {room} tokens");
        }
        let given = self.talk.ids().to_vec();
        let mut writing =
            Writing { tokens: &self.tokens, ids: Vec::new(), written: 0, quiet: self.args.json };
        let mut bar = None;
        let reading = &mut async |done: usize, total: usize| {
            bar.get_or_insert_with(|| Share::new("reading", 1)).set(done, total);
            if done == total {
                bar.take().iter().for_each(Share::finish);
            }
            goes_on()
        };
        let watch = &mut |said: Said<'_>| {
            writing.push(said.id);
            said.attention.into_iter().for_each(|attention| looked.push(attention));
            goes_on()
        };
        let answered = self.talk.answer(encoder, &how, reading, watch).await;
        bar.iter().for_each(Share::finish);
        let stopped = goes_on().is_break();
        // Before the line ends: who reads that may ask at once for the end of the conversation.
        end_turn();
        writing.finish();
        tell(encoder);
        let generated = answered?;
        if generated.is_empty() && stopped {
            return Err(Error::Cancelled);
        }
        if let Some(out) = &self.args.attention {
            looked.write(out)?;
        }
        if self.args.json {
            let answer = self.tokens.text(&generated);
            print_json(&json!({
                "prompt": prompt.text, "input_ids": given,
                "generated": generated, "answer": answer.trim(),
            }));
        }
        Ok(())
    }
}

/// A prompt, as text and as tokens.
struct Prompt {
    text: String,
    ids: Vec<u32>,
}

impl Prompt {
    fn new(by: &Tokens, pieces: &[Piece], tokens: &[usize]) -> Result<Self> {
        Ok(Self { text: spelled(pieces, tokens), ids: by.read(pieces, tokens)? })
    }
}

/// An answer on its way to standard output.
struct Writing<'a> {
    tokens: &'a Tokens,
    ids: Vec<u32>,
    /// Bytes of its text that were written.
    written: usize,
    quiet: bool,
}

impl Writing<'_> {
    fn push(&mut self, id: u32) {
        self.ids.push(id);
        // What ends within a character is not yet told.
        let text = self.tokens.text(&self.ids);
        if !text.ends_with('\u{fffd}') {
            self.write(&text);
        }
    }

    fn write(&mut self, text: &str) {
        if let Some(more) = text.get(self.written..).filter(|more| !self.quiet && !more.is_empty())
        {
            terminal::piece(if self.written == 0 { more.trim_start() } else { more });
            self.written = text.len();
        }
    }

    fn finish(mut self) {
        let text = self.tokens.text(&self.ids);
        self.write(&text);
        if !self.quiet {
            terminal::piece("\n");
        }
    }
}

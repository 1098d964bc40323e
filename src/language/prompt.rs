//! The form of a prompt: what stands before, between and behind messages, and where pictures are.
//!
//! Source: `conversation.py` and `chat()` of OpenGVLab's repositories on the hub; `chat_template` of the ports.

use serde_json::Value;

use crate::json;
use crate::model::sees_nothing;
use crate::{Error, Result};

/// Who says a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who asks.
    User,
    /// The model.
    Assistant,
}

/// A part of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Text, in which nothing is a control token.
    Text(String),
    /// A control token by its name.
    Control(&'static str),
    /// The visual tokens of a picture, by its number.
    Picture(usize),
}

/// Where a picture stands in a message.
pub const IMAGE: &str = "<image>";

/// The tokens before and behind a picture's visual tokens, and in the place of each of these.
pub const PICTURE: [&str; 3] = ["<img>", "<IMG_CONTEXT>", "</img>"];

/// The form of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Template {
    system: &'static str,
    user: &'static str,
    assistant: &'static str,
    /// What the answer follows, where that differs from the assistant's other messages.
    last: &'static str,
    /// What follows the messages of the system and the user, and those of the assistant.
    ends: [&'static str; 2],
    /// What stands for the system's message where none is given; none where all of it is left out.
    default: Option<&'static str>,
    /// The tokens that end an answer.
    pub stops: [&'static str; 2],
    /// Whether several pictures are called by their numbers, and frames with a dash before theirs.
    numbered: bool,
}

/// Control tokens of templates.
const CONTROLS: [&str; 7] =
    ["<|im_start|>", "<|im_end|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "</s>"];

/// InternVL2.5, 3 and 3.5.
const INTERNVL2_5: Template = Template {
    system: "<|im_start|>system\n",
    user: "<|im_start|>user\n",
    assistant: "<|im_start|>assistant\n",
    last: "<|im_start|>assistant\n",
    ends: ["<|im_end|>\n"; 2],
    default: Some(
        "你是书生·万象，英文名是InternVL，是由上海人工智能实验室、清华大学及多家合作单位联合开发的多模态大语言模型。",
    ),
    stops: ["<|im_end|>", "<|endoftext|>"],
    numbered: true,
};

/// What InternVL 1.5 and 2 are told where nothing else is.
const EARLIER: Option<&str> = Some(
    "你是由上海人工智能实验室联合商汤科技开发的书生多模态大模型，英文名叫InternVL, 是一个有用无害的人工智能助手。",
);

/// InternVL2 on Qwen2, Yi and InternLM2.
const HERMES_2: Template = Template { ends: ["<|im_end|>"; 2], default: EARLIER, ..INTERNVL2_5 };

const PHI_3: Template = Template {
    system: "<|system|>\n",
    user: "<|user|>\n",
    assistant: "<|assistant|>\n",
    last: "<|assistant|>\n",
    ends: ["<|end|>"; 2],
    default: EARLIER,
    stops: ["<|end|>", "<|endoftext|>"],
    numbered: true,
};

/// InternVL 1.1.
const ZH: Template = Template {
    system: "",
    user: "<human>: ",
    assistant: "<bot>: ",
    last: "<bot>:",
    ends: [" ", "</s>"],
    default: Some(""),
    stops: ["</s>", "</s>"],
    numbered: true,
};

/// The ports for transformers, and language models that see nothing: ChatML.
const PORT: Template = Template { default: None, numbered: false, ..INTERNVL2_5 };

const NAMED: [(&str, Template); 5] = [
    ("internvl2_5", INTERNVL2_5),
    ("Hermes-2", HERMES_2),
    ("internlm2-chat", HERMES_2),
    ("phi3-chat", PHI_3),
    ("internvl_zh", ZH),
];

impl Template {
    /// That of a model, by the text of its `config.json`.
    ///
    /// # Errors
    /// [`Error::Config`] where it names one that is not known here.
    pub fn of(file: &str, config: &str) -> Result<Self> {
        let value = json::value(config).map_err(|e| Error::config(file, e))?;
        match value.get("template").and_then(Value::as_str) {
            Some(name) => Self::named(name).ok_or_else(|| {
                let known: Vec<&str> = NAMED.iter().map(|(name, _)| *name).collect();
                let known = known.join(", ");
                Error::config(file, format!("template: expected {known}, found {name:?}"))
            }),
            None if value["model_type"] == "internvl" || sees_nothing(config) => Ok(PORT),
            None => Ok(INTERNVL2_5),
        }
    }

    /// That of a name in OpenGVLab's configurations.
    pub fn named(name: &str) -> Option<Self> {
        NAMED.into_iter().find(|(known, _)| *known == name).map(|(_, template)| template)
    }

    /// That of the ports for transformers.
    pub fn port() -> Self {
        PORT
    }

    /// A question about `pictures`: they come first, unless it says where they are.
    pub fn question(&self, text: &str, pictures: usize) -> String {
        if text.contains(IMAGE) {
            return text.into();
        }
        match pictures {
            1 => format!("{IMAGE}\n{text}"),
            _ => (1..=pictures).map(|number| self.picture(number)).collect::<String>() + text,
        }
    }

    /// The line of one of several pictures, by its number from 1.
    pub fn picture(&self, number: usize) -> String {
        match self.numbered {
            true => format!("Image-{number}: {IMAGE}\n"),
            false => format!("{IMAGE}\n"),
        }
    }

    /// The line of a video's frame, by its number from 1.
    pub fn frame(&self, number: usize) -> String {
        let dash = if self.numbered { "-" } else { "" };
        format!("Frame{dash}{number}: {IMAGE}\n")
    }

    /// The prompt for the answer to the last message. Places for pictures count from the first message on; those
    /// beyond `pictures` are text.
    pub fn prompt(
        &self,
        system: Option<&str>,
        messages: &[(Role, String)],
        pictures: usize,
    ) -> Vec<Piece> {
        let mut pieces = Pieces::default();
        if let Some(system) = system.or(self.default) {
            pieces.template(self.system);
            pieces.text(system);
            pieces.template(self.ends[0]);
        }
        for (role, text) in messages {
            match role {
                Role::User => self.user(&mut pieces, text, pictures),
                Role::Assistant => {
                    pieces.template(self.assistant);
                    pieces.text(text);
                    pieces.template(self.ends[1]);
                }
            }
        }
        pieces.template(self.last);
        pieces.list
    }

    /// What follows an answer: the next question. `ended` says whether the answer ended with the template's token;
    /// `before` and `pictures` count pictures before and in all.
    pub fn next(&self, ended: bool, text: &str, [before, pictures]: [usize; 2]) -> Vec<Piece> {
        let end = self.ends[1];
        let mut pieces = Pieces { pictures: before, ..Pieces::default() };
        pieces.template(if ended { end.strip_prefix(self.stops[0]).unwrap_or(end) } else { end });
        self.user(&mut pieces, text, pictures);
        pieces.template(self.last);
        pieces.list
    }

    fn user(&self, pieces: &mut Pieces, text: &str, pictures: usize) {
        pieces.template(self.user);
        for (at, part) in text.split(IMAGE).enumerate() {
            if at > 0 {
                pieces.picture(pictures);
            }
            pieces.text(part);
        }
        pieces.template(self.ends[0]);
    }
}

/// A prompt in the making.
#[derive(Default)]
struct Pieces {
    list: Vec<Piece>,
    pictures: usize,
}

impl Pieces {
    /// Text of a template, in which control tokens count.
    fn template(&mut self, mut text: &'static str) {
        while let Some((at, control)) =
            CONTROLS.iter().filter_map(|control| Some((text.find(control)?, *control))).min()
        {
            self.text(&text[..at]);
            self.list.push(Piece::Control(control));
            text = &text[at + control.len()..];
        }
        self.text(text);
    }

    /// A user's text, in which they do not.
    fn text(&mut self, text: &str) {
        match self.list.last_mut() {
            _ if text.is_empty() => {}
            Some(Piece::Text(before)) => before.push_str(text),
            _ => self.list.push(Piece::Text(text.into())),
        }
    }

    fn picture(&mut self, pictures: usize) {
        if self.pictures == pictures {
            return self.text(IMAGE);
        }
        self.list.push(Piece::Picture(self.pictures));
        self.pictures += 1;
    }
}

/// Tokens in each place of a question, of `tokens` of each picture: a single place is of all pictures together.
///
/// # Errors
/// [`Error::Input`] where there are several places, and more pictures.
pub fn places(text: &str, tokens: &[usize]) -> Result<Vec<usize>> {
    let (places, pictures) = (text.matches(IMAGE).count(), tokens.len());
    if places == 1 && pictures > 1 {
        return Ok(vec![tokens.iter().sum()]);
    }
    if (2..pictures).contains(&places) {
        return Err(Error::input(format!(
            "the question says {IMAGE} in {places} places, of {pictures} pictures: expected one place for each, or one \
             for all of them, or none"
        )));
    }
    Ok(tokens.to_vec())
}

/// A prompt as one text, with as many visual tokens for each picture.
pub fn spelled(pieces: &[Piece], tokens: &[usize]) -> String {
    let [before, token, behind] = PICTURE;
    pieces
        .iter()
        .map(|piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Control(name) => (*name).to_string(),
            Piece::Picture(number) => {
                format!(
                    "{before}{}{behind}",
                    token.repeat(tokens.get(*number).copied().unwrap_or(0))
                )
            }
        })
        .collect()
}

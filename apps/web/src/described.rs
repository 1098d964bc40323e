//! What the files beside a model that speaks say.

use internvit::model::qwen_tokenizer;
use internvit::weights::GgufModel;
use js_sys::Function;
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::js::*;

/// What files of GGUF say: the texts of a `config.json`, of a `preprocessor_config.json` where they have any of it, and of a
/// `tokenizer.json`, none where it is not read.
#[derive(Serialize)]
struct Described {
    config: String,
    preprocessor: Option<String>,
    tokenizer: Option<String>,
}

/// Reads what files of GGUF say of a model, a language model's and its projector's.
#[wasm_bindgen(unchecked_return_type = "Described")]
pub async fn describe(
    #[wasm_bindgen(unchecked_param_type = "FileInfo[]")] files: JsValue,
    #[wasm_bindgen(unchecked_param_type = "ReadRange")] read: Function,
) -> JsResult<JsValue> {
    let files = sources(files, &read)?;
    let GgufModel { config, preprocessor, tokenizer } =
        GgufModel::read(&files).await.map_err(js)?;
    to_js(&Described { config, preprocessor, tokenizer: tokenizer.ok() })
}

/// The `tokenizer.json` of Qwen's vocabulary: the texts of `vocab.json`, `merges.txt`, and where they are there
/// `added_tokens.json` and `tokenizer_config.json`.
#[wasm_bindgen]
pub fn tokenizer(vocabulary: &str, merges: &str, added: &str, config: &str) -> JsResult<String> {
    let made = qwen_tokenizer([vocabulary, merges, added, config], &|file| file.into());
    Ok(made.map_err(js)?.to_string())
}

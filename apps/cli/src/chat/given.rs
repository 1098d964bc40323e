//! A prompt that is given as tokens, and all that is computed of it, for comparisons.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;

use internvit::language::PICTURE;
use internvit::plan::Wanted;
use internvit::weights::{Values, write_safetensors};
use internvit::{Checkpoint, Error, Images, Result};
use serde_json::{Value, json};

use super::Args;
use crate::encode::Inputs;
use crate::{print_json, progress, tell};

pub(super) async fn run(checkpoint: Checkpoint, file: &Path, args: &Args) -> Result<()> {
    let inputs = Inputs::read(file).await?;
    let words = inputs.words()?;
    let [prompt] = words.as_slice() else {
        let count = words.len();
        return Err(Error::input(format!(
            "{}: input_ids: expected one prompt, found {count}",
            file.display()
        )));
    };
    let ids = &prompt.ids;
    let known = known(&checkpoint)?;
    let mut encoder = args.compute.load(checkpoint).await?;
    let bar = progress::Share::new("looking", 1);
    let visual = match inputs.pixels()? {
        Some((shape, values)) => {
            let images = Images::PixelValues { shape, values };
            let on = &mut async |done, total| {
                bar.set(done, total);
                ControlFlow::Continue(())
            };
            Some(encoder.visual_tokens(images, on).await?)
        }
        None => None,
    };
    bar.finish();
    let places = visual.as_ref().map_or(0, |visual| visual.shape[0] * visual.shape[1]);
    let picture = known.or_else(|| as_often(ids, places));
    let (width, most) = (encoder.session().language()?.vocabulary, args.max_new_tokens as usize);
    let none = internvit::Tensor { shape: vec![0], values: Vec::new() };
    let embeddings =
        encoder.session().embed_with(ids, picture, visual.as_ref().unwrap_or(&none)).await?;
    let mut memory = encoder.session().memory(ids.len() + most)?;
    let bar = progress::Share::new("reading", 1);
    let read = &mut async |done, total| {
        bar.set(done, total);
        ControlFlow::Continue(())
    };
    let logits = encoder.session().feed(&mut memory, &embeddings, Wanted::All, read).await?.logits;
    let (mut all, mut generated, mut said) = (ids.clone(), Vec::new(), Vec::new());
    let mut next = logits[logits.len() - width..].to_vec();
    for step in 1..=most {
        let id = args.sampling().choose(&next, &all);
        said.extend_from_slice(&next);
        generated.push(i64::from(id));
        all.push(id);
        if step < most {
            let embedding = encoder.session().embed(&[id]).await?;
            next =
                encoder.session().feed(&mut memory, &embedding, Wanted::Last, read).await?.logits;
        }
    }
    bar.finish();
    tell(&encoder);
    let (n, c) = (ids.len(), encoder.session().language()?.hidden);
    let mut list = Vec::new();
    if let Some(visual) = &visual {
        list.push(("visual_tokens".to_string(), visual.shape.clone(), Values::F32(&visual.values)));
    }
    list.push(("inputs_embeds".into(), vec![1, n, c], Values::F32(&embeddings)));
    list.push(("logits".into(), vec![1, n, width], Values::F32(&logits)));
    list.push(("generated".into(), vec![1, most], Values::I64(&generated)));
    list.push(("generated_logits".into(), vec![1, most, width], Values::F32(&said)));
    if let Some(out) = &args.out {
        write_safetensors(out, &list)?;
    }
    let shapes: Vec<_> = list.iter().map(|(name, shape, _)| format!("{name} {shape:?}")).collect();
    if args.json {
        print_json(&json!({ "input_ids": ids, "generated": generated }));
    }
    report!("{}", shapes.join(", "));
    Ok(())
}

/// The token that stands where visual tokens are, where configuration or tokenizer say it.
fn known(checkpoint: &Checkpoint) -> Result<Option<u32>> {
    let file = format!("{}/config.json", checkpoint.name());
    let read = |name: &str, text: &str| {
        serde_json::from_str::<Value>(text).map_err(|e| Error::config(name, e))
    };
    let config = read(&file, &checkpoint.config)?;
    if let Some(id) = config["image_token_id"].as_u64() {
        return Ok(Some(id as u32));
    }
    if let Some(Ok(own)) = checkpoint.own_tokenizer() {
        let own = read(checkpoint.name(), own)?;
        return Ok(own["model"]["vocab"][PICTURE[1]].as_u64().map(|id| id as u32));
    }
    let beside = checkpoint.file_names().next().map(Path::new);
    let folder = beside.map(internvit::files::folder_of);
    let added = folder.map(|folder| folder.join("added_tokens.json")).filter(|file| file.is_file());
    let Some(added) = added else { return Ok(None) };
    let text = internvit::files::read_text(&added, internvit::words::MOST)?;
    let id = |value: Value| value[PICTURE[1]].as_u64().map(|id| id as u32);
    Ok(id(read(&added.display().to_string(), &text)?))
}

/// The one token that is there as often as there are visual tokens.
fn as_often(ids: &[u32], places: usize) -> Option<u32> {
    let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
    ids.iter().for_each(|id| *counts.entry(*id).or_default() += 1);
    let mut all = counts.into_iter().filter(|(_, count)| places > 0 && *count == places);
    let first = all.next().map(|(id, _)| id);
    first.filter(|_| all.next().is_none())
}

//! The engine's bench: the open model, and how each ask is answered.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use internvit::{Cancel, Checkpoint, Encoder, Error, Model, Options, Result};

use super::session::Session;
use super::{Now, Teller, save};
use crate::device::{Shared, compute};
use crate::talk::{Ask, Known, Opening, Texts, Told};

/// The open model and its photographs.
pub(super) struct Bench {
    shared: Option<Shared>,
    now: Arc<Now>,
    teller: Teller,
    open: Option<(Opening, Model, Arc<Mutex<Session>>)>,
}

impl Bench {
    pub(super) fn new(shared: Option<Shared>, now: Arc<Now>, teller: Teller) -> Self {
        Self { shared, now, teller, open: None }
    }

    pub(super) fn answer(&mut self, ask: Ask) -> Result<Option<Told>> {
        let told = match ask {
            Ask::Open(opening) => Some(self.change(opening)),
            Ask::Show(wish) => {
                let ticket = wish.ticket;
                match self.with(move |encoder, session| session.show(encoder, *wish)) {
                    Ok(shown) => Some(Told::Shown(Box::new(shown))),
                    // A later wish ended it.
                    Err(Error::Cancelled) => None,
                    Err(error) => Some(Told::Failed { ticket, why: error.to_string() }),
                }
            }
            Ask::Forget(shot) => {
                if self.open.is_some() {
                    self.with(move |_, session| {
                        session.forget(shot);
                        Ok(())
                    })?;
                }
                None
            }
            Ask::Load(path) => {
                let taught = self.with(move |encoder, session| session.load(encoder, &path))?;
                Some(Told::Loaded(Ok(taught)))
            }
            Ask::Save(what, inputs) => {
                let said = self
                    .with(move |encoder, session| save::save(encoder, session, &what, &inputs))?;
                Some(Told::Saved(Ok(said)))
            }
        };
        if let Some(shared) = &self.shared {
            shared.check()?;
        }
        Ok(told)
    }

    /// Opens a model in place of the one before. That one is let go when the new one's files were found good, as both may
    /// not fit the device together, and is opened again where the new one does not.
    fn change(&mut self, opening: Opening) -> Told {
        let checkpoint = match self.find(&opening) {
            Ok(checkpoint) => checkpoint,
            Err(error) if self.open.is_none() => return Told::Opened(Err(error.to_string())),
            Err(error) => return Told::Kept { opening, why: error.to_string(), again: false },
        };
        let before = self.open.take().map(|(before, ..)| before);
        let why = match self.load(&opening, checkpoint) {
            Ok(known) => return Told::Opened(Ok(Box::new(known))),
            Err(error) => error.to_string(),
        };
        let again = before.and_then(|before| self.load(&before, self.find(&before).ok()?).ok());
        match again {
            Some(_) => Told::Kept { opening, why, again: true },
            None => Told::Opened(Err(why)),
        }
    }

    /// A model's files: of one that is on this machine with what reads texts where it has that.
    fn find(&self, opening: &Opening) -> Result<Checkpoint> {
        *self.now.opening.lock().unwrap_or_else(PoisonError::into_inner) = Cancel::default();
        match there(&opening.model)? {
            Some(checkpoint) => Ok(checkpoint),
            None => self.options(opening).texts(opening.words).checkpoint(opening.model.as_str()),
        }
    }

    fn load(&mut self, opening: &Opening, checkpoint: Checkpoint) -> Result<Known> {
        let (compute, shared) = compute(self.shared.as_ref(), &opening.place);
        let model = self.options(opening).compute(compute).open(checkpoint)?;
        let known = known(&model, &opening.model, shared)?;
        let session = Session::new(known.shared, self.now.clone(), self.teller.clone());
        self.open = Some((opening.clone(), model, Arc::new(Mutex::new(session))));
        Ok(known)
    }

    /// How a model is opened, but for where it computes.
    fn options(&self, opening: &Opening) -> Options {
        let (teller, name) = (self.teller.clone(), opening.model.clone());
        let progress = move |done, total| {
            teller.tell(Told::Working { what: format!("Opening {name}."), done, total });
        };
        let cancel = self.now.opening.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Model::options().offline(opening.offline).cancel(&cancel).progress(progress)
    }

    /// Works with the model, on the thread that owns it.
    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Encoder, &mut Session) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (_, model, session) =
            self.open.as_ref().ok_or_else(|| Error::input("no model is open"))?;
        let session = session.clone();
        model.with(move |encoder| {
            work(encoder, &mut session.lock().unwrap_or_else(PoisonError::into_inner))
        })
    }
}

/// The checkpoint of a model that is on this machine, with what reads texts where it has that; none of a name on
/// the hub.
fn there(name: &str) -> Result<Option<Checkpoint>> {
    pollster::block_on(async {
        let path = Path::new(name);
        let mut checkpoint = match Checkpoint::built_in(name).await {
            Some(checkpoint) => checkpoint?,
            None if path.exists() => Checkpoint::open_path_with(path, None).await?,
            None => return Ok(None),
        };
        match checkpoint.add_text().await {
            // It reads none.
            Ok(()) | Err(Error::Input(_)) => Ok(Some(checkpoint)),
            Err(error) => Err(error),
        }
    })
}

fn known(model: &Model, name: &str, shared: bool) -> Result<Known> {
    let (device, notes, name) = (model.device().to_string(), model.notes(), name.to_string());
    model.with(move |encoder| {
        let (spec, checkpoint) = (encoder.spec(), encoder.checkpoint());
        let texts = match (spec.image_features(), checkpoint.text()) {
            (Some(_), Some(_)) => Texts::Read,
            (Some(_), None) => Texts::LeftOut,
            (None, _) => Texts::None,
        };
        Ok(Known {
            name,
            device,
            shared: shared && encoder.gpu().is_some(),
            layers: spec.sizes.layers,
            heads: spec.sizes.heads,
            class_token: spec.prefix.cls,
            classes: checkpoint.head.as_ref().map_or(0, |head| head.spec.classes),
            labels: spec.classes().unwrap_or(0),
            texts,
            notes,
        })
    })
}

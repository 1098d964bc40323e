//! Dialogs of the system, which never hold up the window.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use rfd::{AsyncFileDialog, FileHandle};

/// What is wanted of a dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Photographs,
    Folder,
    Model,
    Head,
    Picture,
    Data,
    Lesson,
    Mask,
    CutOut(usize),
}

/// What was chosen; nothing where the user chose nothing.
pub(super) struct Answer {
    pub(super) wanted: Wanted,
    pub(super) paths: Vec<PathBuf>,
    /// Whether there was a dialog at all.
    pub(super) shown: bool,
}

/// No user closes a dialog sooner than that: there was none.
const SOON: Duration = Duration::from_millis(120);

/// Endings of photographs' names.
const ENDINGS: [&str; 11] =
    ["png", "jpg", "jpeg", "webp", "tif", "tiff", "bmp", "gif", "jfif", "apng", "dib"];

type Chosen = Pin<Box<dyn Future<Output = Vec<PathBuf>> + Send>>;

/// The dialogs of a window.
pub(super) struct Dialogs {
    send: Sender<Answer>,
    answers: Receiver<Answer>,
    wake: Arc<dyn Fn() + Send + Sync>,
}

impl Dialogs {
    pub(super) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        let (send, answers) = channel();
        Self { send, answers, wake: Arc::new(wake) }
    }

    /// Shows a dialog; it is answered later.
    pub(super) fn ask(&self, wanted: Wanted) {
        // Some systems want it made on the thread of the window.
        let chosen = dialog(wanted);
        let (send, wake) = (self.send.clone(), self.wake.clone());
        thread::spawn(move || {
            let start = Instant::now();
            let paths = pollster::block_on(chosen);
            let shown = !paths.is_empty() || start.elapsed() > SOON;
            // The window may be closed by now.
            let _ = send.send(Answer { wanted, paths, shown });
            wake();
        });
    }

    /// What was chosen since the last time.
    pub(super) fn answers(&self) -> Vec<Answer> {
        self.answers.try_iter().collect()
    }
}

fn dialog(wanted: Wanted) -> Chosen {
    let dialog = AsyncFileDialog::new();
    let path = |file: FileHandle| file.path().to_path_buf();
    match wanted {
        Wanted::Photographs => {
            let chosen =
                dialog.set_title("Add pictures").add_filter("Pictures", &ENDINGS).pick_files();
            Box::pin(
                async move { chosen.await.unwrap_or_default().into_iter().map(path).collect() },
            )
        }
        Wanted::Folder | Wanted::Model => {
            let title =
                if wanted == Wanted::Folder { "Add a folder" } else { "Open a model's folder" };
            let chosen = dialog.set_title(title).pick_folder();
            Box::pin(async move { chosen.await.into_iter().map(path).collect() })
        }
        Wanted::Head => {
            let chosen = dialog
                .set_title("Load")
                .add_filter("What was learned", &["safetensors"])
                .pick_file();
            Box::pin(async move { chosen.await.into_iter().map(path).collect() })
        }
        Wanted::Picture | Wanted::Data | Wanted::Lesson | Wanted::Mask | Wanted::CutOut(_) => {
            let (title, name, ending) = match wanted {
                Wanted::Data => ("Save the view's data", "view.npy", "npy"),
                Wanted::Lesson => ("Save what it learned", "taught.safetensors", "safetensors"),
                Wanted::Mask => ("Save the mask", "mask.png", "png"),
                Wanted::CutOut(_) => ("Save the cut-out", "cut-out.png", "png"),
                _ => ("Save the picture", "view.png", "png"),
            };
            let chosen = dialog
                .set_title(title)
                .set_file_name(name)
                .add_filter(ending, &[ending])
                .save_file();
            Box::pin(async move { chosen.await.into_iter().map(path).collect() })
        }
    }
}

//! The table of views, and what all of them go through.

use serde::{Deserialize, Serialize};

use super::needs::{Inputs, Needs};
use super::settings::{Fields, Setting, Settings};
use super::{
    Attention, Clusters, Map, Norms, Pca, Rollout, Segmentation, Similarity, Taught, Words,
};
use crate::error::{list, short};
use crate::{Error, Result};

/// What the file of a view says of it.
pub(super) trait View: Default {
    /// Names its settings.
    fn settings(&mut self, fields: &mut Fields) -> Result<()>;
    /// What it reads of an encoder.
    fn needs(&self) -> Needs;
    /// Its map.
    fn draw(&self, inputs: &Inputs<'_>) -> Result<Map>;
    /// What its map shows, for people.
    fn sentence(&self, map: &Map) -> String;
}

/// Makes the enum of all views and what chooses among them.
macro_rules! views {
    ($($view:ident $name:literal $about:literal)*) => {
        /// A view and its settings. As JSON it is one object, with the view's name under `view`.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "Settings", into = "Settings")]
        #[non_exhaustive]
        pub enum Request {
            $(#[doc = $about] $view($view),)*
        }

        /// The name of each view, and what it shows.
        pub const VIEWS: &[(&str, &str)] = &[$(($name, $about)),*];

        impl Request {
            /// The view of a name, with the settings that it has where nothing is said.
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$view($view::default())),)*
                    _ => None,
                }
            }

            /// The view's name.
            pub fn name(&self) -> &'static str {
                match self { $(Self::$view(_) => $name,)* }
            }

            /// What the view reads of an encoder.
            pub fn needs(&self) -> Needs {
                match self { $(Self::$view(view) => view.needs(),)* }
            }

            /// A sentence for people about what the view's map shows.
            pub fn sentence(&self, map: &Map) -> String {
                match self { $(Self::$view(view) => view.sentence(map),)* }
            }

            fn carry(&mut self, fields: &mut Fields) -> Result<()> {
                match self { $(Self::$view(view) => view.settings(fields),)* }
            }

            fn draw(&self, inputs: &Inputs<'_>) -> Result<Map> {
                match self { $(Self::$view(view) => view.draw(inputs),)* }
            }
        }
    };
}

// A new view is a file of its own and a line here.
views! {
    Pca "pca" "Three principal components as red, green and blue"
    Similarity "similarity" "Cosines with the patch at a point"
    Attention "attention" "Where a token looks in one block"
    Rollout "rollout" "Where a token looks through all blocks"
    Clusters "clusters" "Patches in groups"
    Norms "norms" "Lengths of the tokens"
    Words "words" "Cosines with a text"
    Segmentation "segmentation" "The classes of the model's own head"
    Taught "taught" "The classes that were taught"
}

impl Request {
    /// The names of its settings.
    pub fn settings(&self) -> Vec<&'static str> {
        let mut fields = Fields::writing();
        // Writing cannot fail.
        let _ = self.clone().carry(&mut fields);
        fields.names()
    }
}

impl TryFrom<Settings> for Request {
    type Error = Error;

    fn try_from(mut settings: Settings) -> Result<Self> {
        let name = match settings.take("view") {
            Some(Setting::Text(name)) => name,
            _ => String::new(),
        };
        let mut request = Self::named(&name).ok_or_else(|| {
            let known = list(VIEWS.iter().map(|(name, _)| name));
            Error::input(format!("view \"{}\": expected one of {known}", short(&name, 80)))
        })?;
        let mut fields = Fields::reading(settings);
        request.carry(&mut fields)?;
        fields.finish(&name)?;
        Ok(request)
    }
}

impl From<Request> for Settings {
    fn from(mut request: Request) -> Self {
        let mut fields = Fields::writing();
        // Writing cannot fail.
        let _ = request.carry(&mut fields);
        let mut settings = fields.written();
        settings.set("view", Setting::Text(request.name().into()));
        settings
    }
}

/// The map of a view.
///
/// # Errors
/// [`Error::Input`] where the inputs lack what [`Request::needs`] names, their lengths do not agree,
/// or a setting is none that the photograph or the model has.
pub fn render(request: &Request, inputs: &Inputs<'_>) -> Result<Map> {
    inputs.check(&request.needs())?;
    request.draw(inputs)
}

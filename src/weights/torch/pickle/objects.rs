//! What a pickle would import, call and make: the few globals that tensors need, and foreign values for
//! all else.

use super::{Machine, Step};
use crate::weights::torch::value::{Global, Storage, Value, describe};

impl<'a> Machine<'a> {
    pub(super) fn global(&mut self, module: &'a str, name: &'a str) {
        let value = match Global::find(module, name) {
            Some(global) => Value::Global(global),
            None => {
                self.pickle.foreign.push([module, name]);
                Value::Foreign(self.pickle.foreign.len() - 1)
            }
        };
        self.stack.push(value);
    }

    pub(super) fn call(&mut self) -> Step<()> {
        let pair = self.pop_many(2)?;
        let value = match (pair[0], pair[1]) {
            (Value::Global(Global::Dict), Value::Tuple(arguments)) => {
                let items = self.items(arguments);
                self.push_container(Value::Dict, items);
                return Ok(());
            }
            (Value::Global(Global::Number), Value::Tuple(_)) => Value::Other,
            (
                Value::Global(
                    global @ (Global::RebuildTensorV2
                    | Global::RebuildTensorV3
                    | Global::RebuildParameter),
                ),
                Value::Tuple(arguments),
            ) => Value::Call(global, arguments),
            (function @ Value::Foreign(_), _) => function,
            (function, arguments) => {
                let (function, arguments) = (describe(function), describe(arguments));
                return self.refuse(format!("calls {function} with {arguments}"));
            }
        };
        self.stack.push(value);
        Ok(())
    }

    /// Keys and values of a dictionary that is made of a list of pairs; of none where the arguments
    /// are others.
    fn items(&self, arguments: usize) -> Vec<Value> {
        let [list] = self.pickle.containers[arguments][..] else { return Vec::new() };
        let pairs = self.pickle.values(list).unwrap_or_default().iter();
        let pairs = pairs.filter_map(|pair| self.pickle.values(*pair)?.first_chunk::<2>());
        pairs.flatten().copied().collect()
    }

    /// An object of a class, from the class and what it would be made of.
    pub(super) fn make(&mut self, count: usize) -> Step<()> {
        let class = self.pop_many(count)?[0];
        self.instance(Some(class))
    }

    pub(super) fn instance(&mut self, class: Option<Value>) -> Step<()> {
        match class {
            Some(Value::Global(Global::Dict)) => self.push_container(Value::Dict, Vec::new()),
            Some(class @ Value::Foreign(_)) => self.stack.push(class),
            Some(Value::Global(_)) => self.stack.push(Value::Other),
            Some(other) => return self.refuse(format!("makes an object of {}", describe(other))),
            None => return self.refuse("makes an object of nothing"),
        }
        Ok(())
    }

    /// The state of a dictionary (torch's `_metadata`), of a number's type or of a foreign object says
    /// nothing of tensors.
    pub(super) fn build(&mut self) -> Step<()> {
        let pair = self.pop_many(2)?;
        match pair[0] {
            Value::Dict(_) | Value::Other | Value::Foreign(_) => self.stack.push(pair[0]),
            other => return self.refuse(format!("sets the state of {}", describe(other))),
        }
        Ok(())
    }

    /// `("storage", type, key, device, length)`, in files of the older format with a view's place,
    /// which is None.
    pub(super) fn storage(&mut self) -> Step<()> {
        let tuple = self.pop()?;
        let storage = match self.pickle.values(tuple) {
            Some(
                [kind, Value::Global(Global::Storage(element)), key, _, Value::Int(len)]
                | [
                    kind,
                    Value::Global(Global::Storage(element)),
                    key,
                    _,
                    Value::Int(len),
                    Value::Other,
                ],
            ) if self.pickle.text(*kind) == Some("storage") => {
                let (key, len) = (self.pickle.text(*key), u64::try_from(*len).ok());
                key.zip(len).map(|(key, len)| Storage { element, key, len })
            }
            _ => None,
        };
        match storage {
            Some(storage) => {
                self.stack.push(Value::Storage(self.pickle.storages.len()));
                self.pickle.storages.push(storage);
                Ok(())
            }
            None => self.refuse("refers to something that is no storage"),
        }
    }
}

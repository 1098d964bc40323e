//! What a pickle may hold: values, number types, and the few globals of torch's that tensors need.

use crate::weights::StoredType;

/// A number type as torch names its storages and as safetensors names it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Element {
    storage: &'static str,
    dtype: &'static str,
    /// The name for messages.
    pub(super) name: &'static str,
    /// Bytes of one value.
    pub(super) bytes: u64,
    /// `None` for a type that is no weight's.
    pub(super) stored: Option<StoredType>,
}

const fn element(
    storage: &'static str,
    dtype: &'static str,
    name: &'static str,
    bytes: u64,
    stored: Option<StoredType>,
) -> Element {
    Element { storage, dtype, name, bytes, stored }
}

static ELEMENTS: [Element; 15] = [
    element("FloatStorage", "float32", "F32", 4, Some(StoredType::F32)),
    element("HalfStorage", "float16", "F16", 2, Some(StoredType::F16)),
    element("BFloat16Storage", "bfloat16", "BF16", 2, Some(StoredType::Bf16)),
    element("DoubleStorage", "float64", "F64", 8, None),
    element("LongStorage", "int64", "I64", 8, None),
    element("IntStorage", "int32", "I32", 4, None),
    element("ShortStorage", "int16", "I16", 2, None),
    element("CharStorage", "int8", "I8", 1, None),
    element("ByteStorage", "uint8", "U8", 1, None),
    element("BoolStorage", "bool", "BOOL", 1, None),
    element("ComplexFloatStorage", "complex64", "C64", 8, None),
    element("UntypedStorage", "", "bytes", 1, None),
    element("", "uint16", "U16", 2, None),
    element("", "uint32", "U32", 4, None),
    element("", "uint64", "U64", 8, None),
];

/// What a pickle may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    /// A dictionary of any kind; what else makes it is left out.
    Dict,
    RebuildTensorV2,
    RebuildTensorV3,
    RebuildParameter,
    Storage(&'static Element),
    Dtype(&'static Element),
    /// Makes a number or a string of numpy's, which no weight needs.
    Number,
}

impl Global {
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict" | "defaultdict")
            | ("builtins" | "__builtin__", "dict") => Self::Dict,
            ("torch._utils", "_rebuild_tensor_v2") => Self::RebuildTensorV2,
            ("torch._utils", "_rebuild_tensor_v3") => Self::RebuildTensorV3,
            ("torch._utils", "_rebuild_parameter") => Self::RebuildParameter,
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar")
            | ("numpy", "dtype")
            | ("_codecs", "encode") => Self::Number,
            ("torch" | "torch.storage", "") => return None,
            ("torch" | "torch.storage", name) => {
                let storage = ELEMENTS.iter().find(|e| e.storage == name).map(Self::Storage);
                return storage.or(ELEMENTS.iter().find(|e| e.dtype == name).map(Self::Dtype));
            }
            _ => return None,
        })
    }
}

/// Bytes of a name. A pickle may refer to one text a million times, and each time it is read.
const MAX_NAME: usize = 1024;

/// A value. Containers and storages lie in lists of the [`Pickle`] and are numbered, so that values
/// are small and a pickle may refer to one in several places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Value {
    /// None, a float, bytes, a long number: nothing that a tensor is described by.
    Other,
    Bool(bool),
    Int(i64),
    /// Where its bytes are in the pickle.
    Text(usize, usize),
    Tuple(usize),
    List(usize),
    /// Keys and values take turns.
    Dict(usize),
    Global(Global),
    /// What a global would have made of the arguments in this container.
    Call(Global, usize),
    Storage(usize),
    /// Something of a kind that no tensor needs: the number of the global that would have made it.
    Foreign(usize),
}

/// A storage that the file holds beside the pickle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Storage<'a> {
    pub(super) element: &'static Element,
    /// Its name in the file.
    pub(super) key: &'a str,
    /// Number of values.
    pub(super) len: u64,
}

/// A pickle that was read.
pub(super) struct Pickle<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) containers: Vec<Vec<Value>>,
    /// Every storage that was named, in the order of the pickle.
    pub(super) storages: Vec<Storage<'a>>,
    /// Module and name of every global that is not known here. Nothing of them is imported.
    pub(super) foreign: Vec<[&'a str; 2]>,
}

/// Why a pickle was refused.
#[derive(Debug)]
pub(super) enum Fault {
    /// The bytes end within the pickle.
    CutShort,
    /// Anything else, with the byte at which it stands.
    Refused(usize, String),
}

impl<'a> Pickle<'a> {
    /// What a value of a foreign kind would have been made by; `None` for any other value.
    pub(super) fn foreign_name(&self, value: Value) -> Option<String> {
        let Value::Foreign(number) = value else { return None };
        let [module, name] = self.foreign[number];
        let name: String = format!("{module}.{name}").chars().take(100).collect();
        Some(name.escape_debug().to_string())
    }

    /// The text of a value; `None` where it is none, or longer than a name.
    pub(super) fn text(&self, value: Value) -> Option<&'a str> {
        match value {
            Value::Text(start, end) if end - start <= MAX_NAME => {
                std::str::from_utf8(&self.bytes[start..end]).ok()
            }
            _ => None,
        }
    }

    /// Keys and values of a dictionary; `None` where it is none.
    pub(super) fn dict(&self, value: Value) -> Option<&[[Value; 2]]> {
        match value {
            Value::Dict(number) => Some(self.containers[number].as_chunks().0),
            _ => None,
        }
    }

    /// The values of a tuple or a list, the arguments of a call; `None` where it is none of them.
    pub(super) fn values(&self, value: Value) -> Option<&[Value]> {
        match value {
            Value::Tuple(n) | Value::List(n) | Value::Call(_, n) => Some(&self.containers[n]),
            _ => None,
        }
    }
}

/// A value in words, for messages.
pub(super) fn describe(value: Value) -> &'static str {
    match value {
        Value::Other => "none or a number",
        Value::Bool(_) => "a truth value",
        Value::Int(_) => "a number",
        Value::Text(..) => "a text",
        Value::Tuple(_) => "a tuple",
        Value::List(_) => "a list",
        Value::Dict(_) => "a dictionary",
        Value::Global(Global::Dict) => "a type of dictionary",
        Value::Global(Global::Storage(_)) => "a type of storage",
        Value::Global(Global::Dtype(_)) => "a number type",
        Value::Global(_) => "a function",
        Value::Call(..) => "a tensor",
        Value::Storage(_) => "a storage",
        Value::Foreign(_) => "an object",
    }
}

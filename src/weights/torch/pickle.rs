//! Pickles as data. A fixed list of opcodes builds plain values; nothing is imported or called. What
//! would be made by anything but the few globals that tensors need is kept as a foreign value, which
//! is an error only where a tensor depends on it.

mod objects;

use std::collections::HashMap;
use std::ops::Range;

use super::value::{Fault, Pickle, Value, describe};

type Step<T> = std::result::Result<T, Fault>;

/// No opcode adds more than one value, so this bounds the memory that a pickle can ask for. The
/// largest known checkpoints of language models need a tenth.
const MAX_STEPS: usize = 1 << 21;

/// Containers that are open at once.
const MAX_DEPTH: usize = 1000;

/// A pickle that is being read.
struct Machine<'a> {
    pickle: Pickle<'a>,
    at: usize,
    stack: Vec<Value>,
    marks: Vec<usize>,
    memo: HashMap<u32, Value>,
}

/// Reads the pickle that starts at byte `start`; returns its value and where it ends.
pub(super) fn read(bytes: &[u8], start: usize) -> Step<(Pickle<'_>, Value, usize)> {
    let pickle =
        Pickle { bytes, containers: Vec::new(), storages: Vec::new(), foreign: Vec::new() };
    let (stack, marks, memo) = (Vec::new(), Vec::new(), HashMap::new());
    let mut machine = Machine { pickle, at: start, stack, marks, memo };
    for _ in 0..MAX_STEPS {
        let at = machine.at;
        let opcode = machine.byte()?;
        if opcode == b'.' {
            let value = machine.pop()?;
            return Ok((machine.pickle, value, machine.at));
        }
        machine.step(opcode).map_err(|fault| match fault {
            Fault::Refused(_, reason) => Fault::Refused(at, reason),
            cut => cut,
        })?;
    }
    machine.refuse(format!("more than {MAX_STEPS} steps"))
}

impl<'a> Machine<'a> {
    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            0x80 => match self.byte()? {
                2..=5 => {}
                other => return self.refuse(format!("protocol {other}, expected 2 to 5")),
            },
            // A frame's length; frames only help readers of pieces.
            0x95 => {
                self.take(8)?;
            }
            b'(' => {
                if self.marks.len() >= MAX_DEPTH {
                    return self.refuse(format!("more than {MAX_DEPTH} containers in each other"));
                }
                self.marks.push(self.stack.len());
            }
            b'0' => {
                self.pop()?;
            }
            b'1' => {
                self.pop_mark()?;
            }
            b'2' => {
                let top = self.pop()?;
                self.stack.extend([top, top]);
            }
            b'N' => self.stack.push(Value::Other),
            0x88 => self.stack.push(Value::Bool(true)),
            0x89 => self.stack.push(Value::Bool(false)),
            b'J' => {
                let value = self.number(4)? as u32 as i32;
                self.stack.push(Value::Int(value.into()));
            }
            b'K' => self.push_int(1)?,
            b'M' => self.push_int(2)?,
            0x8a => self.push_long(1)?,
            0x8b => self.push_long(4)?,
            b'G' => {
                self.take(8)?;
                self.stack.push(Value::Other);
            }
            b'X' | b'T' => self.push_text(4)?,
            0x8c | b'U' => self.push_text(1)?,
            0x8d => self.push_text(8)?,
            b'B' => self.push_bytes(4)?,
            b'C' => self.push_bytes(1)?,
            0x8e => self.push_bytes(8)?,
            b')' => self.push_container(Value::Tuple, Vec::new()),
            b']' => self.push_container(Value::List, Vec::new()),
            b'}' => self.push_container(Value::Dict, Vec::new()),
            0x85..=0x87 => {
                let count = usize::from(opcode - 0x84);
                let values = self.pop_many(count)?;
                self.push_container(Value::Tuple, values);
            }
            b't' => {
                let values = self.pop_mark()?;
                self.push_container(Value::Tuple, values);
            }
            b'a' => {
                let values = self.pop_many(1)?;
                self.append(values)?;
            }
            b'e' => {
                let values = self.pop_mark()?;
                self.append(values)?;
            }
            b's' => {
                let values = self.pop_many(2)?;
                self.set(values)?;
            }
            b'u' => {
                let values = self.pop_mark()?;
                self.set(values)?;
            }
            b'q' => self.memoize(1)?,
            b'r' => self.memoize(4)?,
            0x94 => {
                let index = self.memo.len() as u32;
                self.remember(index)?;
            }
            b'h' => self.recall(1)?,
            b'j' => self.recall(4)?,
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.global(module, name);
            }
            0x93 => {
                let names = self.pop_many(2)?;
                match (self.pickle.text(names[0]), self.pickle.text(names[1])) {
                    (Some(module), Some(name)) => self.global(module, name),
                    _ => return self.refuse("a global without a name"),
                }
            }
            b'R' => self.call()?,
            0x81 => self.make(2)?,
            0x92 => self.make(3)?,
            b'o' => {
                let values = self.pop_mark()?;
                self.instance(values.first().copied())?;
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.pop_mark()?;
                self.global(module, name);
                let class = self.pop()?;
                self.instance(Some(class))?;
            }
            // Sets and byte arrays describe no tensor.
            0x8f => self.stack.push(Value::Other),
            0x90 => {
                self.pop_mark()?;
            }
            0x91 => {
                self.pop_mark()?;
                self.stack.push(Value::Other);
            }
            0x96 => self.push_bytes(8)?,
            b'b' => self.build()?,
            b'Q' => self.storage()?,
            other => {
                let sign = char::from(other).escape_default();
                return self.refuse(format!("opcode 0x{other:02x} ('{sign}') is not allowed"));
            }
        }
        Ok(())
    }

    fn refuse<T>(&self, reason: impl Into<String>) -> Step<T> {
        Err(Fault::Refused(self.at, reason.into()))
    }

    fn take(&mut self, count: usize) -> Step<Range<usize>> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.pickle.bytes.len());
        let end = end.ok_or(Fault::CutShort)?;
        Ok(std::mem::replace(&mut self.at, end)..end)
    }

    fn byte(&mut self) -> Step<u8> {
        let at = self.take(1)?.start;
        Ok(self.pickle.bytes[at])
    }

    fn number(&mut self, width: usize) -> Step<u64> {
        let range = self.take(width)?;
        Ok(self.pickle.bytes[range]
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// A length, and the bytes that it counts.
    fn counted(&mut self, width: usize) -> Step<Range<usize>> {
        let count = self.number(width)?;
        self.take(usize::try_from(count).map_err(|_| Fault::CutShort)?)
    }

    fn line(&mut self) -> Step<&'a str> {
        let rest = &self.pickle.bytes[self.at..];
        let length = rest.iter().position(|byte| *byte == b'\n').ok_or(Fault::CutShort)?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length])
            .or_else(|_| self.refuse("a global whose name is no text"))
    }

    fn push_int(&mut self, width: usize) -> Step<()> {
        let value = self.number(width)?;
        self.stack.push(Value::Int(value as i64));
        Ok(())
    }

    /// A little-endian number in two's complement of any length.
    fn push_long(&mut self, width: usize) -> Step<()> {
        let range = self.counted(width)?;
        let bytes = &self.pickle.bytes[range];
        self.stack.push(if bytes.len() > 8 {
            Value::Other
        } else {
            let sign = bytes.last().is_some_and(|byte| *byte >= 0x80);
            let start = if sign { -1 } else { 0 };
            Value::Int(bytes.iter().rev().fold(start, |value, byte| value << 8 | i64::from(*byte)))
        });
        Ok(())
    }

    fn push_text(&mut self, width: usize) -> Step<()> {
        let range = self.counted(width)?;
        self.stack.push(Value::Text(range.start, range.end));
        Ok(())
    }

    fn push_bytes(&mut self, width: usize) -> Step<()> {
        self.counted(width)?;
        self.stack.push(Value::Other);
        Ok(())
    }

    fn push_container(&mut self, kind: fn(usize) -> Value, values: Vec<Value>) {
        self.stack.push(kind(self.pickle.containers.len()));
        self.pickle.containers.push(values);
    }

    /// The lowest place of the stack that may be popped.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<Value> {
        if self.stack.len() <= self.floor() {
            return self.refuse("a value is missing");
        }
        self.stack.pop().map_or_else(|| self.refuse("a value is missing"), Ok)
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Value>> {
        if self.stack.len() < self.floor() + count {
            return self.refuse("a value is missing");
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_mark(&mut self) -> Step<Vec<Value>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.split_off(mark)),
            None => self.refuse("a mark is missing"),
        }
    }

    fn append(&mut self, values: Vec<Value>) -> Step<()> {
        match self.pop()? {
            Value::List(number) => {
                self.stack.push(Value::List(number));
                self.pickle.containers[number].extend(values);
                Ok(())
            }
            object @ Value::Foreign(_) => {
                self.stack.push(object);
                Ok(())
            }
            other => self.refuse(format!("appends to {}", describe(other))),
        }
    }

    fn set(&mut self, values: Vec<Value>) -> Step<()> {
        match self.pop()? {
            Value::Dict(number) if values.len().is_multiple_of(2) => {
                self.stack.push(Value::Dict(number));
                self.pickle.containers[number].extend(values);
                Ok(())
            }
            Value::Dict(_) => self.refuse("a key without a value"),
            object @ Value::Foreign(_) => {
                self.stack.push(object);
                Ok(())
            }
            other => self.refuse(format!("sets an item of {}", describe(other))),
        }
    }

    fn memoize(&mut self, width: usize) -> Step<()> {
        let index = self.number(width)? as u32;
        self.remember(index)
    }

    fn remember(&mut self, index: u32) -> Step<()> {
        let top = self.pop()?;
        self.stack.push(top);
        self.memo.insert(index, top);
        Ok(())
    }

    fn recall(&mut self, width: usize) -> Step<()> {
        let index = self.number(width)? as u32;
        match self.memo.get(&index) {
            Some(value) => self.stack.push(*value),
            None => return self.refuse(format!("nothing was remembered as {index}")),
        }
        Ok(())
    }
}

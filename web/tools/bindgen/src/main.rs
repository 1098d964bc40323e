//! The part of wasm-bindgen's command line that the page needs, built in a fifth of its crates:
//! `bindgen MODULE FOLDER NAME` writes the module and its JavaScript for browsers, and the module a second time for
//! browsers without relaxed SIMD.

use std::error::Error;
use std::fs::{copy, write};
use std::path::Path;

use walrus::ir::{BinaryOp, Instr, InstrLocId, InstrSeqId, TernaryOp, UnaryOp, dfs_in_order, Visitor};
use walrus::{LocalFunction, LocalId, Module, ValType};
use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn Error>> {
    let [module, folder, name] = std::env::args()
        .skip(1)
        .collect::<Vec<_>>()
        .try_into()
        .map_err(|_| "bindgen MODULE FOLDER NAME")?;
    let folder = Path::new(&folder);
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).out_name(&name).web(true)?.typescript(true).omit_default_module_path(false);
    bindgen.remove_name_section(true).remove_producers_section(true);
    let mut output = bindgen.generate_output()?;
    output.emit(folder)?;
    let plain = folder.join(format!("{name}_bg.wasm"));
    copy(&plain, folder.join(format!("{name}_relaxed.wasm")))?;
    let replaced = replace_relaxed(output.wasm_mut())?;
    if replaced == 0 {
        return Err("the module has no relaxed instruction: it was built without +relaxed-simd".into());
    }
    write(plain, output.wasm_mut().emit_wasm())?;
    Ok(())
}

/// Multiplies and adds in two instructions wherever `module` does so in one, and says how often that was. Any other
/// relaxed instruction is an error.
fn replace_relaxed(module: &mut Module) -> Result<usize, String> {
    let mut replaced = 0;
    let functions: Vec<_> = module.funcs.iter_local().map(|(id, _)| id).collect();
    for id in functions {
        let mut sequences = Sequences::default();
        let function = module.funcs.get(id).kind.unwrap_local();
        dfs_in_order(&mut sequences, function, function.entry_block());
        if let Some(other) = sequences.other {
            return Err(format!("{other}: a relaxed instruction without a plain twin here"));
        }
        if sequences.with.is_empty() {
            continue;
        }
        let scratch = module.locals.add(ValType::V128);
        let function = module.funcs.get_mut(id).kind.unwrap_local_mut();
        for sequence in sequences.with {
            replaced += in_sequence(function, sequence, scratch);
        }
    }
    Ok(replaced)
}

/// The sequences of a function that have such instructions.
#[derive(Default)]
struct Sequences {
    with: Vec<InstrSeqId>,
    other: Option<String>,
}

impl<'instr> Visitor<'instr> for Sequences {
    fn start_instr_seq(&mut self, sequence: &'instr walrus::ir::InstrSeq) {
        let mut found = false;
        for (instr, _) in &sequence.instrs {
            if product(instr).is_some() {
                found = true;
            } else if format!("{instr:?}").contains("Relaxed") {
                self.other = Some(format!("{instr:?}"));
            }
        }
        if found {
            self.with.push(sequence.id());
        }
    }
}

/// Whether an instruction multiplies and adds, and if so, whether the product is subtracted.
fn product(instr: &Instr) -> Option<bool> {
    let Instr::TernOp(op) = instr else { return None };
    match op.op {
        TernaryOp::F32x4RelaxedMadd => Some(false),
        TernaryOp::F32x4RelaxedNmadd => Some(true),
        _ => None,
    }
}

fn in_sequence(function: &mut LocalFunction, sequence: InstrSeqId, scratch: LocalId) -> usize {
    let instrs = &mut function.block_mut(sequence).instrs;
    let mut replaced = 0;
    for (instr, place) in std::mem::take(instrs) {
        let Some(negative) = product(&instr) else {
            instrs.push((instr, place));
            continue;
        };
        replaced += 1;
        // a, b and c are on the stack: c waits until the product is there.
        let mut put = |instr: Instr| instrs.push((instr, InstrLocId::default()));
        put(walrus::ir::LocalSet { local: scratch }.into());
        put(walrus::ir::Binop { op: BinaryOp::F32x4Mul }.into());
        if negative {
            put(walrus::ir::Unop { op: UnaryOp::F32x4Neg }.into());
        }
        put(walrus::ir::LocalGet { local: scratch }.into());
        put(walrus::ir::Binop { op: BinaryOp::F32x4Add }.into());
    }
    replaced
}
